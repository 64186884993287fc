package states

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cirro/internal/asl/document"
	"cirro/internal/awsapi"
	s3api "cirro/internal/awsapi/s3"
	"cirro/internal/service/states/engine"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// The bounds of a Parquet file, in bytes.
// https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html#itemsource-example-parquet-data
const (
	maxRowGroup = 256 << 20
	maxFooter   = 5 << 20
)

// How a Parquet file is read: rows at a time, and bytes of each column at a time.
const (
	parquetRows   = 64
	parquetBuffer = 256 << 10
)

// parquetFile are the rows of a Parquet file. Its columns are read piece by piece, side by side.
type parquetFile struct {
	schema *parquet.Schema
	groups []parquet.RowGroup
	rows   parquet.Rows // of the first of the groups; nil before
	buffer []parquet.Row
	read   []parquet.Row // of the buffer, not handed out yet
	at     *parts
	source string
}

// parquet opens a Parquet file.
func (r *mapReader) parquet(ctx context.Context, f file) (engine.Items, error) {
	if f.version != "" {
		return nil, engine.ReaderFailed("VersionId is not supported where InputType is PARQUET")
	}
	out, err := r.call(ctx, "HeadObject", &s3api.HeadObjectRequest{Bucket: &f.bucket, Key: &f.key, ExpectedBucketOwner: some(r.owner)})
	if err != nil {
		return nil, err
	}
	size := awsapi.Val(out.(*s3api.HeadObjectOutput).ContentLength)
	p, err := openParquet(&parts{mapReader: r, file: f, ctx: ctx}, size, f.source())
	if err != nil {
		return nil, err
	}
	return p, nil
}

func openParquet(at *parts, size int64, source string) (p *parquetFile, err error) {
	err = notParquet(func() error {
		if err := checkFooter(at, size); err != nil {
			return err
		}
		f, err := parquet.OpenFile(at, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(parquetBuffer))
		if err != nil {
			return err
		}
		for _, g := range f.Metadata().RowGroups {
			if g.TotalByteSize > maxRowGroup {
				return engine.ReaderFailed("A row group of the Parquet file has more than %d bytes", maxRowGroup)
			}
		}
		p = &parquetFile{schema: f.Schema(), groups: f.RowGroups(), buffer: make([]parquet.Row, parquetRows), at: at, source: source}
		return nil
	})
	return p, err
}

// checkFooter checks the size of a file's metadata before anything reads them.
func checkFooter(r io.ReaderAt, size int64) error {
	var end [8]byte
	if size < int64(len(end)) {
		return errors.New("it is too short")
	}
	if _, err := r.ReadAt(end[:], size-int64(len(end))); err != nil {
		return err
	}
	if string(end[4:]) != "PAR1" {
		return errors.New("it does not end as such files do")
	}
	if n := binary.LittleEndian.Uint32(end[:]); n > maxFooter {
		return engine.ReaderFailed("The footer of the Parquet file has more than %d bytes", maxFooter)
	}
	return nil
}

// notParquet has what is wrong with a file fail the map run, be it that the library panics of it. What the store or the
// platform is to blame for is tried again.
func notParquet(read func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = engine.ReaderFailed("The file is not valid Parquet: %v", p)
		}
	}()
	err = read()
	if err == nil || engine.IsReaderFailure(err) {
		return err
	}
	if _, ok := errors.AsType[unread](err); ok {
		return err
	}
	return engine.ReaderFailed("The file is not valid Parquet: %v", err)
}

// unread is an error of whoever brings a file.
type unread struct{ error }

func (u unread) Unwrap() error { return u.error }

func (p *parquetFile) Next(ctx context.Context) (item engine.Item, ok bool, err error) {
	p.at.ctx = ctx
	err = notParquet(func() error {
		for len(p.read) == 0 {
			if len(p.groups) == 0 {
				return nil
			}
			if err := p.fill(); err != nil {
				return err
			}
		}
		row := map[string]any{}
		if err := p.schema.Reconstruct(&row, p.read[0]); err != nil {
			return err
		}
		p.read = p.read[1:]
		item, ok = engine.Item{Value: parquetGroup(p.schema, row), Source: p.source}, true
		return nil
	})
	return item, ok, err
}

// fill reads the next rows.
func (p *parquetFile) fill() error {
	if p.rows == nil {
		p.rows = p.groups[0].Rows()
	}
	n, err := p.rows.ReadRows(p.buffer)
	p.read = p.buffer[:n]
	if errors.Is(err, io.EOF) {
		err = p.rows.Close()
		p.rows, p.groups = nil, p.groups[1:]
	}
	return err
}

func (p *parquetFile) Close() error {
	if p.rows == nil {
		return nil
	}
	return p.rows.Close()
}

// parts reads an object part by part.
type parts struct {
	*mapReader
	file file
	ctx  context.Context // of the read that is under way
}

// ReadAt reads a part, as io.ReaderAt says.
func (p *parts) ReadAt(b []byte, at int64) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	body, err := p.object(p.ctx, p.file, fmt.Sprintf("bytes=%d-%d", at, at+int64(len(b))-1))
	if err != nil {
		return 0, unread{err}
	}
	n, err := io.ReadFull(body, b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, errors.Join(err, body.Close())
}

// parquetValue is a value as JSON has it.
func parquetValue(node parquet.Node, v any) any {
	if f, ok := v.(*big.Float); ok && f != nil {
		scale := 0
		if kind, ok := logical(node).(*format.DecimalType); ok {
			scale = int(kind.Scale)
		}
		return document.Number(f.Text('f', scale))
	}
	if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer { // as the library has values of maps that may be missing
		if p.IsNil() {
			return nil
		}
		v = p.Elem().Interface()
	}
	switch {
	case v == nil:
		return nil
	case node.Repeated():
		return parquetList(parquet.Required(node), v)
	case node.Leaf():
		return parquetLeaf(node, v)
	}
	switch inner := within(node); logical(node).(type) {
	case *format.MapType:
		if len(inner) == 2 {
			return parquetMap(inner[1], v)
		}
	case *format.ListType:
		if len(inner) == 1 {
			return parquetList(inner[0], v)
		}
	}
	return parquetGroup(node, v)
}

// logical is what a node's values mean; nil for what they are.
func logical(node parquet.Node) format.LogicalTypeValue {
	if t := node.Type().LogicalType(); t != nil {
		return t.Value
	}
	return nil
}

// within are the fields of the one group that a list or a map is made of.
func within(node parquet.Node) []parquet.Field {
	if fields := node.Fields(); len(fields) == 1 && !fields[0].Leaf() {
		return fields[0].Fields()
	}
	return nil
}

func parquetList(element parquet.Node, v any) any {
	list := reflect.ValueOf(v)
	if list.Kind() != reflect.Slice {
		return parquetValue(element, v)
	}
	out := make([]any, list.Len())
	for i := range out {
		out[i] = parquetValue(element, list.Index(i).Interface())
	}
	return out
}

// parquetMap is a map as an object, in the order of its names: the library keeps no other.
func parquetMap(value parquet.Node, v any) any {
	byName := map[string]any{}
	for k, v := range reflect.ValueOf(v).Seq2() {
		byName[fmt.Sprint(k.Interface())] = v.Interface()
	}
	o := document.NewObject()
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		o.Set(name, parquetValue(value, byName[name]))
	}
	return o
}

// parquetGroup is a group as an object, in the order of the file's columns.
func parquetGroup(node parquet.Node, v any) any {
	members, ok := v.(map[string]any)
	if !ok {
		return nil
	}
	o := document.NewObject()
	for _, field := range node.Fields() {
		o.Set(field.Name(), parquetValue(field, members[field.Name()]))
	}
	return o
}

// parquetLeaf is a single value: numbers and truths as such, days and times in ISO 8601, text as text, and all other
// bytes in Base64.
func parquetLeaf(node parquet.Node, v any) any {
	kind := logical(node)
	switch v := v.(type) {
	case bool:
		return v
	case int32:
		return parquetInteger(kind, int64(v), uint64(uint32(v)))
	case int64:
		return parquetInteger(kind, v, uint64(v))
	case uint32:
		return int64(v)
	case uint64:
		return document.Number(strconv.FormatUint(v, 10))
	case float32:
		return float64(v)
	case float64:
		return v
	case deprecated.Int96:
		return v.Int64()
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []byte:
		return parquetBytes(kind, string(v))
	case string:
		return parquetBytes(kind, v)
	}
	return fmt.Sprint(v)
}

func parquetBytes(kind format.LogicalTypeValue, s string) any {
	if _, decimal := kind.(*format.DecimalType); decimal {
		return document.Number(s)
	}
	if kind != nil && utf8.ValidString(s) {
		return s
	}
	return base64.StdEncoding.EncodeToString([]byte(s))
}

func parquetInteger(kind format.LogicalTypeValue, n int64, unsigned uint64) any {
	switch kind := kind.(type) {
	case *format.DateType:
		return time.Unix(n*24*60*60, 0).UTC().Format(time.DateOnly)
	case *format.TimestampType:
		var t time.Time
		switch kind.Unit.Value.(type) {
		case *format.MilliSeconds:
			t = time.UnixMilli(n)
		case *format.MicroSeconds:
			t = time.UnixMicro(n)
		default:
			t = time.Unix(0, n)
		}
		if kind.IsAdjustedToUTC {
			return t.UTC().Format(time.RFC3339Nano)
		}
		return t.UTC().Format("2006-01-02T15:04:05.999999999")
	case *format.IntType:
		if !kind.IsSigned {
			return document.Number(strconv.FormatUint(unsigned, 10))
		}
	case *format.DecimalType:
		return document.Number(decimal(n, int(kind.Scale)))
	}
	return n
}

// decimal is a number of so many digits behind its point.
func decimal(n int64, scale int) string {
	if scale <= 0 {
		return strconv.FormatInt(n, 10)
	}
	sign, digits := "", strconv.FormatInt(n, 10)
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}
