package dynamodb

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	s3api "cirro/internal/awsapi/s3"
	"cirro/internal/courier"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"

	"github.com/klauspost/compress/zstd"
)

// importTable fills a table from a bucket. It may do so again after a restart: what it writes is the same.
func (s *Service) importTable(ctx context.Context, r *table.Record) error {
	t, err := table.New(r)
	if err != nil {
		return err
	}
	i, found, err := s.importOf(ctx, r.Ref, r.Source.Import)
	if err != nil {
		return err
	}
	if found {
		m := &importer{s: s, ctx: s.onBehalf(ctx, i.By, r.Ref), importation: &i, table: t}
		err := m.run()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && courier.Passing(err) {
			return err
		}
		i.API.EndTime, i.API.ImportStatus = new(s.Clock().UTC()), new(api.ImportStatusCompleted)
		i.API.ProcessedItemCount, i.API.ImportedItemCount, i.API.ErrorCount, i.API.ProcessedSizeBytes = &m.read, &m.written, &m.wrong, &m.size
		if err != nil {
			i.API.ImportStatus = new(api.ImportStatusFailed)
			i.API.FailureCode, i.API.FailureMessage = failureOf(err)
		}
	}
	return s.catalog.Change(ctx, r.Ref, func(tx store.Tx, r *table.Record) (*table.Record, error) {
		if found {
			if err := store.SetRecord(tx, importKey(i.Table, i.ID), i); err != nil {
				return nil, err
			}
		}
		if r != nil {
			r.Source = nil
			r.API.TableStatus = new(api.TableStatusActive)
		}
		return r, nil
	})
}

// importer reads the objects of one import.
type importer struct {
	s *Service
	*importation
	ctx   context.Context
	table *table.Table
	batch []item.Item

	read, written, wrong, size int64
}

// run reads all objects below the prefix, in the order of their keys.
func (m *importer) run() error {
	source := m.API.S3BucketSource
	list := &s3api.ListObjectsV2Request{Bucket: source.S3Bucket, Prefix: source.S3KeyPrefix, ExpectedBucketOwner: source.S3BucketOwner}
	for {
		out, err := m.s.call(m.ctx, m.By, "ListObjectsV2", list)
		if err != nil {
			return err
		}
		page := out.(*s3api.ListObjectsV2Output)
		for _, o := range page.Contents {
			if awsapi.Val(o.Size) == 0 {
				continue // a folder's mark
			}
			if err := m.object(*o.Key); err != nil {
				return err
			}
			m.size += *o.Size
		}
		if !awsapi.Val(page.IsTruncated) {
			return m.flush()
		}
		list.ContinuationToken = page.NextContinuationToken
	}
}

func (m *importer) object(key string) error {
	source := m.API.S3BucketSource
	out, err := m.s.call(m.ctx, m.By, "GetObject", &s3api.GetObjectRequest{Bucket: source.S3Bucket, Key: &key, ExpectedBucketOwner: source.S3BucketOwner})
	if err != nil {
		return err
	}
	body := out.(*s3api.GetObjectOutput).Body
	if c, ok := body.(io.Closer); ok {
		defer c.Close()
	}
	if body == nil {
		return nil
	}
	text, end, err := inflated(body, *m.API.InputCompressionType)
	if err != nil {
		m.wrong++
		return nil
	}
	defer end()
	if *m.API.InputFormat == api.InputFormatCsv {
		return m.csv(text)
	}
	return m.lines(text)
}

// inflated undoes an object's compression.
func inflated(r io.Reader, how string) (io.Reader, func(), error) {
	switch how {
	case api.InputCompressionTypeGzip:
		z, err := gzip.NewReader(r)
		return z, func() {}, err
	case api.InputCompressionTypeZstd:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return r, func() {}, nil
}

// maxLine bounds a line: an item of 400 KB may be longer as text.
const maxLine = 4 << 20

// lines reads {"Item": …}, one a line.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataImport.Format.html
func (m *importer) lines(r io.Reader) error {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 64<<10), maxLine)
	for in.Scan() {
		line := in.Bytes()
		if len(strings.TrimSpace(string(line))) == 0 {
			continue
		}
		var row struct{ Item map[string]api.AttributeValue }
		var it item.Item
		err := json.Unmarshal(line, &row)
		if err == nil && row.Item == nil {
			err = errors.New("no item")
		}
		if err == nil {
			it, err = item.FromAPI(row.Item)
		}
		if err := m.add(it, err); err != nil {
			return err
		}
	}
	return m.broken(in.Err())
}

// broken counts what cannot be read to its end; an error of the store's ends the reading.
func (m *importer) broken(err error) error {
	if err == nil || m.ctx.Err() != nil {
		return m.ctx.Err()
	}
	m.wrong++
	return nil
}

// csv reads rows. All attributes are strings, but for keys, which have their types.
func (m *importer) csv(r io.Reader) error {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	var header []string
	if o := m.API.InputFormatOptions; o != nil && o.Csv != nil {
		header = o.Csv.HeaderList
		if d := o.Csv.Delimiter; d != nil {
			in.Comma, _ = utf8.DecodeRuneInString(*d)
		}
	}
	if header == nil {
		first, err := in.Read()
		if err != nil {
			return m.broken(err)
		}
		header = append(header, first...)
	}
	in.FieldsPerRecord = len(header)
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		var it item.Item
		var wrong *csv.ParseError
		switch {
		case errors.As(err, &wrong):
		case err != nil:
			return m.broken(err)
		default:
			it, err = m.row(header, row)
		}
		if err := m.add(it, err); err != nil {
			return err
		}
	}
}

func (m *importer) row(header, row []string) (item.Item, error) {
	attributes := map[string]api.AttributeValue{}
	for i, name := range header {
		value := strings.Clone(row[i])
		switch m.typeOf(name) {
		case api.ScalarAttributeTypeN:
			attributes[name] = api.AttributeValue{N: &value}
		case api.ScalarAttributeTypeB:
			b, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				return nil, err
			}
			attributes[name] = api.AttributeValue{B: b}
		default:
			attributes[name] = api.AttributeValue{S: &value}
		}
	}
	return item.FromAPI(attributes)
}

func (m *importer) typeOf(name string) string {
	for _, d := range m.table.API.AttributeDefinitions {
		if *d.AttributeName == name {
			return *d.AttributeType
		}
	}
	return ""
}

// add takes an item, or counts why it cannot be one.
func (m *importer) add(it item.Item, wrong error) error {
	m.read++
	if wrong == nil {
		wrong = checkItem(m.table, it)
	}
	if wrong != nil {
		m.wrong++
		return nil
	}
	if m.batch = append(m.batch, it); len(m.batch) < portion {
		return nil
	}
	return m.flush()
}

// flush writes what was taken. Of items with the same key the last one counts.
func (m *importer) flush() error {
	if len(m.batch) == 0 {
		return nil
	}
	err := m.s.Store.Update(m.ctx, func(tx store.Tx) error {
		for _, it := range m.batch {
			k, err := m.table.KeyOf(it)
			if err != nil {
				return err
			}
			old, err := m.table.Get(tx, k)
			if err != nil {
				return err
			}
			if err := m.table.Write(tx, k, old, it); err != nil {
				return err
			}
		}
		return nil
	})
	m.written += int64(len(m.batch))
	m.batch = m.batch[:0]
	return err
}
