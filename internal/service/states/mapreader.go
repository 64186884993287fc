package states

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/awsapi"
	s3api "cirro/internal/awsapi/s3"
	"cirro/internal/service/states/engine"

	"github.com/go-json-experiment/json/jsontext"
)

// openItems opens the items of a map run: those of its input, or of what its reader names. A file is read as it
// comes, never whole.
// https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
func (s *Service) openItems(ctx context.Context, m *engine.MapRun, state *asl.State) (engine.Items, error) {
	if m.Reader == nil {
		return itemsOfInput(m, state)
	}
	var at struct{ Bucket, Prefix, Key, VersionId string }
	if err := json.Unmarshal([]byte(m.Reader.Parameters), &at); err != nil || at.Bucket == "" {
		return nil, engine.ReaderFailed("The parameters of the ItemReader name no bucket")
	}
	r := &mapReader{service: s, run: m, state: state}
	switch m.Reader.Resource {
	case "arn:aws:states:::s3:listObjectsV2":
		return &listing{mapReader: r, bucket: at.Bucket, prefix: at.Prefix}, nil
	case "arn:aws:states:::s3:getObject":
		body, err := r.object(ctx, at.Bucket, at.Key, at.VersionId)
		if err != nil {
			return nil, err
		}
		items, err := r.file(ctx, body, at.Bucket, at.Key)
		if err != nil {
			return nil, errors.Join(err, body.Close())
		}
		return items, nil
	}
	return nil, engine.ReaderFailed("Cirro does not implement the ItemReader %s", m.Reader.Resource)
}

// given are items that are there.
type given struct{ items []any }

func itemsOfInput(m *engine.MapRun, state *asl.State) (engine.Items, error) {
	effective, err := document.Decode([]byte(m.Effective))
	if err != nil {
		return nil, err
	}
	sc := &asl.Scope{Input: effective, Variables: map[string]any{}}
	if sc.Input, err = document.Decode([]byte(m.Input)); err != nil {
		return nil, err
	}
	for name, text := range m.Variables {
		if sc.Variables[name], err = document.Decode([]byte(text)); err != nil {
			return nil, err
		}
	}
	items, failure := state.Items(sc, effective)
	if failure != nil {
		return nil, engine.ReaderFailed("%s", failure.Cause)
	}
	return &given{items: items}, nil
}

func (g *given) Next(context.Context) (engine.Item, bool, error) {
	if len(g.items) == 0 {
		return engine.Item{}, false, nil
	}
	item := engine.Item{Value: g.items[0]}
	g.items = g.items[1:]
	return item, true, nil
}

func (g *given) Close() error { return nil }

// mapReader reads what a reader names, as the machine's role.
type mapReader struct {
	service *Service
	run     *engine.MapRun
	state   *asl.State
}

func (r *mapReader) call(ctx context.Context, operation string, in any) (any, error) {
	ctx, p := r.service.onBehalf(ctx, &engine.Task{Role: r.run.Run.Role, Account: r.run.Run.Account, Region: r.run.Run.Region, Machine: r.run.Run.Machine})
	out, err := r.service.Caller.Call(ctx, p, "s3", operation, in)
	var e *awsapi.Error
	if errors.As(err, &e) && !e.Type.Server {
		return nil, engine.ReaderFailed("%s (Service: S3, Status Code: %d)", e.Message, e.Type.Status)
	}
	return out, err
}

// object opens an object.
func (r *mapReader) object(ctx context.Context, bucket, key, version string) (io.ReadCloser, error) {
	in := &s3api.GetObjectRequest{Bucket: &bucket, Key: &key}
	if version != "" {
		in.VersionId = &version
	}
	out, err := r.call(ctx, "GetObject", in)
	if err != nil {
		return nil, err
	}
	body := out.(*s3api.GetObjectOutput).Body
	if c, ok := body.(io.ReadCloser); ok {
		return c, nil
	}
	return io.NopCloser(body), nil
}

// file reads the items of a file by its type.
func (r *mapReader) file(ctx context.Context, body io.ReadCloser, bucket, key string) (engine.Items, error) {
	source := "S3://" + bucket + "/" + key
	switch kind := r.state.Reader.Config.InputType; kind {
	case "CSV":
		return r.csv(body, source)
	case "JSONL":
		return &lines{body, bufio.NewReaderSize(body, 64<<10), source}, nil
	case "JSON", "":
		return r.json(body, source)
	case "MANIFEST":
		return r.manifest(ctx, body)
	default:
		return nil, engine.ReaderFailed("Cirro does not implement the InputType %s of an ItemReader", kind)
	}
}

// listing are the objects of a bucket.
type listing struct {
	*mapReader
	bucket, prefix string
	page           []s3api.Object
	token          *string
	over           bool
}

func (l *listing) Next(ctx context.Context) (engine.Item, bool, error) {
	for len(l.page) == 0 {
		if l.over {
			return engine.Item{}, false, nil
		}
		in := &s3api.ListObjectsV2Request{Bucket: &l.bucket, ContinuationToken: l.token}
		if l.prefix != "" {
			in.Prefix = &l.prefix
		}
		out, err := l.call(ctx, "ListObjectsV2", in)
		if err != nil {
			return engine.Item{}, false, err
		}
		page := out.(*s3api.ListObjectsV2Output)
		l.page, l.token, l.over = page.Contents, page.NextContinuationToken, page.NextContinuationToken == nil
	}
	o := l.page[0]
	l.page = l.page[1:]
	return engine.Item{Source: "S3://" + l.bucket, Value: document.NewObject("Etag", awsapi.Val(o.ETag), "Key", awsapi.Val(o.Key),
		"LastModified", o.LastModified.Unix(), "Size", awsapi.Val(o.Size), "StorageClass", awsapi.Val(o.StorageClass))}, true, nil
}

func (l *listing) Close() error { return nil }

// array are the items of a JSON array, or the members of an object.
type array struct {
	io.Closer
	decoder *jsontext.Decoder
	keyed   bool
	source  string
}

func (r *mapReader) json(body io.ReadCloser, source string) (engine.Items, error) {
	a := &array{body, jsontext.NewDecoder(bufio.NewReaderSize(body, 64<<10)), false, source}
	for step := range strings.SplitSeq(strings.TrimPrefix(r.state.Reader.Config.ItemsPointer, "/"), "/") {
		if step == "" {
			continue
		}
		if err := a.descend(strings.NewReplacer("~1", "/", "~0", "~").Replace(step)); err != nil {
			return nil, err
		}
	}
	switch t, err := a.decoder.ReadToken(); {
	case err != nil:
		return nil, notJSON(err)
	case t.Kind() == '{':
		a.keyed = true
	case t.Kind() != '[':
		return nil, engine.ReaderFailed("The JSON file must hold an array or an object")
	}
	return a, nil
}

func notJSON(err error) error { return engine.ReaderFailed("The file is not valid JSON: %v", err) }

// descend goes to a member of the object that comes next.
func (a *array) descend(name string) error {
	if t, err := a.decoder.ReadToken(); err != nil {
		return notJSON(err)
	} else if t.Kind() != '{' {
		return engine.ReaderFailed("The ItemsPointer leads through what is no object")
	}
	for a.decoder.PeekKind() != '}' {
		t, err := a.decoder.ReadToken()
		if err != nil {
			return notJSON(err)
		}
		if t.String() == name {
			return nil
		}
		if err := a.decoder.SkipValue(); err != nil {
			return notJSON(err)
		}
	}
	return engine.ReaderFailed("The ItemsPointer leads nowhere: there is no %q", name)
}

func (a *array) Next(context.Context) (item engine.Item, ok bool, err error) {
	if k := a.decoder.PeekKind(); k == ']' || k == '}' {
		return item, false, nil
	}
	item.Source = a.source
	key := ""
	if a.keyed {
		t, err := a.decoder.ReadToken()
		if err != nil {
			return item, false, notJSON(err)
		}
		key = t.String()
	}
	text, err := a.decoder.ReadValue()
	if err != nil {
		return item, false, notJSON(err)
	}
	v, err := document.Decode(text)
	if err != nil {
		return item, false, notJSON(err)
	}
	item.Value = v
	if a.keyed {
		item.Key, item.HasKey = key, true
		item.Value = document.NewObject("Key", key, "Value", v)
	}
	return item, true, nil
}

// lines are the lines of a JSONL file.
type lines struct {
	io.Closer
	r      *bufio.Reader
	source string
}

// maxLine bounds a line of a file, in bytes.
const maxLine = 8 << 20

func (l *lines) Next(context.Context) (item engine.Item, ok bool, err error) {
	for {
		line, err := l.line()
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return item, false, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return item, false, err
		}
		if strings.TrimSpace(string(line)) == "" {
			continue
		}
		v, err := document.Decode(line)
		if err != nil {
			return item, false, notJSON(err)
		}
		return engine.Item{Value: v, Source: l.source}, true, nil
	}
}

func (l *lines) line() (line []byte, err error) {
	for {
		part, err := l.r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, engine.ReaderFailed("A line has more than %d bytes", maxLine)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// rows are the rows of a CSV file.
type rows struct {
	io.Closer
	r       *csv.Reader
	headers []string
	source  string
}

func (r *mapReader) csv(body io.ReadCloser, source string) (*rows, error) {
	c := &r.state.Reader.Config
	reader := csv.NewReader(bufio.NewReaderSize(body, 64<<10))
	reader.FieldsPerRecord, reader.LazyQuotes, reader.ReuseRecord = -1, true, false
	if delimiter, ok := map[string]rune{"PIPE": '|', "SEMICOLON": ';', "SPACE": ' ', "TAB": '\t'}[c.CSVDelimiter]; ok {
		reader.Comma = delimiter
	}
	out := &rows{body, reader, c.CSVHeaders, source}
	if c.CSVHeaderLocation == "GIVEN" {
		if len(out.headers) == 0 {
			return nil, engine.ReaderFailed("CSVHeaders must be given where CSVHeaderLocation is GIVEN")
		}
		return out, nil
	}
	headers, err := reader.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, notCSV(err)
	}
	if len(headers) > 0 {
		headers[0] = strings.TrimPrefix(headers[0], "\uFEFF")
	}
	out.headers = headers
	return out, nil
}

func notCSV(err error) error {
	if _, ok := errors.AsType[*csv.ParseError](err); ok {
		return engine.ReaderFailed("The file is not valid CSV: %v", err)
	}
	return err
}

func (r *rows) Next(context.Context) (item engine.Item, ok bool, err error) {
	row, err := r.r.Read()
	if errors.Is(err, io.EOF) {
		return item, false, nil
	}
	if err != nil {
		return item, false, notCSV(err)
	}
	o := document.NewObject()
	for i, name := range r.headers {
		v := ""
		if i < len(row) {
			v = row[i]
		}
		o.Set(name, v)
	}
	return engine.Item{Value: o, Source: r.source}, true, nil
}

// inventory are the rows of the files that an S3 inventory's manifest lists.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
type inventory struct {
	*mapReader
	bucket  string
	headers []string
	files   []string
	rows    *rows
}

func (r *mapReader) manifest(_ context.Context, body io.ReadCloser) (engine.Items, error) {
	defer func() { _ = body.Close() }() // it was only read
	var m struct {
		FileFormat, FileSchema, DestinationBucket string
		Files                                     []struct{ Key string }
	}
	if err := json.NewDecoder(io.LimitReader(body, maxLine)).Decode(&m); err != nil {
		return nil, notJSON(err)
	}
	if m.FileFormat != "CSV" {
		return nil, engine.ReaderFailed("Cirro does not implement manifests of the format %q", m.FileFormat)
	}
	inv := &inventory{mapReader: r, bucket: strings.TrimPrefix(m.DestinationBucket, "arn:aws:s3:::")}
	for name := range strings.SplitSeq(m.FileSchema, ",") {
		inv.headers = append(inv.headers, strings.TrimSpace(name))
	}
	for _, f := range m.Files {
		inv.files = append(inv.files, f.Key)
	}
	return inv, nil
}

func (i *inventory) Next(ctx context.Context) (item engine.Item, ok bool, err error) {
	for {
		if i.rows == nil {
			if len(i.files) == 0 {
				return item, false, nil
			}
			if err := i.open(ctx, i.files[0]); err != nil {
				return item, false, err
			}
			i.files = i.files[1:]
		}
		if item, ok, err = i.rows.Next(ctx); ok || err != nil {
			return item, ok, err
		}
		if err := i.Close(); err != nil {
			return item, false, err
		}
	}
}

func (i *inventory) open(ctx context.Context, key string) error {
	body, err := i.object(ctx, i.bucket, key, "")
	if err != nil {
		return err
	}
	var text io.Reader = body
	if strings.HasSuffix(key, ".gz") {
		if text, err = gzip.NewReader(body); err != nil {
			return errors.Join(engine.ReaderFailed("%s is not gzip: %v", key, err), body.Close())
		}
	}
	i.rows = &rows{body, csv.NewReader(text), i.headers, "S3://" + i.bucket + "/" + key}
	i.rows.r.FieldsPerRecord = -1
	return nil
}

func (i *inventory) Close() error {
	if i.rows == nil {
		return nil
	}
	r := i.rows
	i.rows = nil
	return r.Close()
}
