package states

import (
	"bufio"
	"context"
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
	var at struct{ Bucket, Prefix, Key, VersionId, ExpectedBucketOwner string }
	if err := json.Unmarshal([]byte(m.Reader.Parameters), &at); err != nil || at.Bucket == "" {
		return nil, engine.ReaderFailed("The parameters of the ItemReader name no bucket")
	}
	r := &mapReader{service: s, run: m, config: &state.Reader.Config, owner: at.ExpectedBucketOwner}
	switch m.Reader.Resource {
	case "arn:aws:states:::s3:listObjectsV2":
		list := &listing{mapReader: r, bucket: at.Bucket, prefix: at.Prefix}
		if r.config.Transformation != "LOAD_AND_FLATTEN" {
			return list, nil
		}
		if r.config.InputType == "" {
			return nil, engine.ReaderFailed("InputType must be given where Transformation is LOAD_AND_FLATTEN")
		}
		return &flattened{mapReader: r, files: list.file}, nil
	case "arn:aws:states:::s3:getObject":
		return r.open(ctx, file{at.Bucket, at.Key, at.VersionId})
	}
	return nil, engine.ReaderFailed("Cirro does not implement the ItemReader %s", m.Reader.Resource)
}

// file is a file in a bucket.
type file struct{ bucket, key, version string }

// source is how the context object names where an item is from.
func (f file) source() string { return "S3://" + f.bucket + "/" + f.key }

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
	config  *asl.ReaderConfig
	owner   string // that buckets shall have; "" for any
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

// object opens an object, or a part of it; "" for the whole.
func (r *mapReader) object(ctx context.Context, f file, part string) (io.ReadCloser, error) {
	out, err := r.call(ctx, "GetObject", &s3api.GetObjectRequest{Bucket: &f.bucket, Key: &f.key, VersionId: some(f.version),
		ExpectedBucketOwner: some(r.owner), Range: some(part)})
	if err != nil {
		return nil, err
	}
	body := out.(*s3api.GetObjectOutput).Body
	if c, ok := body.(io.ReadCloser); ok {
		return c, nil
	}
	return io.NopCloser(body), nil
}

// unpacked opens a file, and unpacks one whose name says that it is packed.
func (r *mapReader) unpacked(ctx context.Context, f file) (io.ReadCloser, error) {
	body, err := r.object(ctx, f, "")
	if err != nil {
		return nil, err
	}
	text, err := unpack(f.key, body)
	if err != nil {
		return nil, errors.Join(engine.ReaderFailed("%s cannot be unpacked: %v", f.key, err), body.Close())
	}
	return text, nil
}

// open opens the items of a file, or of the files that a manifest names.
func (r *mapReader) open(ctx context.Context, f file) (engine.Items, error) {
	switch {
	case r.config.ManifestType == "ATHENA_DATA":
		return r.athena(ctx, f)
	case r.config.ManifestType == "S3_INVENTORY" || r.config.InputType == "MANIFEST":
		return r.inventory(ctx, f)
	}
	return r.items(ctx, f)
}

// items opens the items of a file by its type.
func (r *mapReader) items(ctx context.Context, f file) (engine.Items, error) {
	if r.config.InputType == "PARQUET" {
		return r.parquet(ctx, f)
	}
	body, err := r.unpacked(ctx, f)
	if err != nil {
		return nil, err
	}
	var items engine.Items
	switch kind := r.config.InputType; kind {
	case "CSV":
		items, err = r.csv(body, f.source())
	case "JSONL":
		items = &lines{body, bufio.NewReaderSize(body, 64<<10), f.source()}
	case "JSON", "":
		items, err = r.json(body, f.source())
	default:
		err = engine.ReaderFailed("Cirro does not implement the InputType %s of an ItemReader", kind)
	}
	if err != nil {
		return nil, errors.Join(err, body.Close())
	}
	return items, nil
}

// flattened are the items of many files, one after the other.
type flattened struct {
	*mapReader
	files func(context.Context) (file, bool, error)
	items engine.Items
}

func (l *flattened) Next(ctx context.Context) (item engine.Item, ok bool, err error) {
	for {
		if l.items == nil {
			f, ok, err := l.files(ctx)
			if !ok || err != nil {
				return item, false, err
			}
			if l.items, err = l.mapReader.items(ctx, f); err != nil {
				return item, false, err
			}
		}
		if item, ok, err = l.items.Next(ctx); ok || err != nil {
			return item, ok, err
		}
		if err := l.Close(); err != nil {
			return item, false, err
		}
	}
}

func (l *flattened) Close() error {
	if l.items == nil {
		return nil
	}
	items := l.items
	l.items = nil
	return items.Close()
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
	o, err := l.next(ctx)
	if o == nil || err != nil {
		return engine.Item{}, false, err
	}
	return engine.Item{Source: "S3://" + l.bucket, Value: document.NewObject("Etag", awsapi.Val(o.ETag), "Key", awsapi.Val(o.Key),
		"LastModified", o.LastModified.Unix(), "Size", awsapi.Val(o.Size), "StorageClass", awsapi.Val(o.StorageClass))}, true, nil
}

// next is the next object; nil after the last.
func (l *listing) next(ctx context.Context) (*s3api.Object, error) {
	for len(l.page) == 0 {
		if l.over {
			return nil, nil
		}
		out, err := l.call(ctx, "ListObjectsV2", &s3api.ListObjectsV2Request{Bucket: &l.bucket, ContinuationToken: l.token, Prefix: some(l.prefix),
			ExpectedBucketOwner: some(l.owner)})
		if err != nil {
			return nil, err
		}
		page := out.(*s3api.ListObjectsV2Output)
		l.page, l.token, l.over = page.Contents, page.NextContinuationToken, page.NextContinuationToken == nil
	}
	o := &l.page[0]
	l.page = l.page[1:]
	return o, nil
}

// file is the next object that has anything in it: what looks like a folder has nothing.
func (l *listing) file(ctx context.Context) (file, bool, error) {
	for {
		o, err := l.next(ctx)
		if o == nil || err != nil {
			return file{}, false, err
		}
		if awsapi.Val(o.Size) > 0 {
			return file{bucket: l.bucket, key: awsapi.Val(o.Key)}, true, nil
		}
	}
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
	for step := range strings.SplitSeq(strings.TrimPrefix(r.config.ItemsPointer, "/"), "/") {
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
