package states

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"cirro/internal/asl/document"
	"cirro/internal/awsapi"
	s3api "cirro/internal/awsapi/s3"
	"cirro/internal/service/states/engine"

	"github.com/parquet-go/parquet-go"
)

// shelf is an S3 with one object.
type shelf struct {
	body []byte
	read int64 // bytes, of all parts
	most int   // of one part
}

func (s *shelf) Call(_ context.Context, _ awsapi.Principal, _, operation string, in any) (any, error) {
	if operation == "HeadObject" {
		return &s3api.HeadObjectOutput{ContentLength: new(int64(len(s.body)))}, nil
	}
	first, last, _ := strings.Cut(strings.TrimPrefix(awsapi.Val(in.(*s3api.GetObjectRequest).Range), "bytes="), "-")
	from, _ := strconv.Atoi(first)
	to, _ := strconv.Atoi(last)
	part := s.body[from:min(to+1, len(s.body))]
	s.read += int64(len(part))
	s.most = max(s.most, len(part))
	return &s3api.GetObjectOutput{Body: io.NopCloser(bytes.NewReader(part))}, nil
}

func parquetItems(t *testing.T, body []byte, most int) (items []string, s *shelf, err error) {
	t.Helper()
	s = &shelf{body: body}
	service := &Service{Deps: Deps{Caller: s, Clock: time.Now}}
	r := &mapReader{service: service, run: &engine.MapRun{}}
	list, err := r.parquet(t.Context(), file{bucket: "b", key: "k"})
	if err != nil {
		return nil, s, err
	}
	defer func() {
		if err := list.Close(); err != nil {
			t.Error(err)
		}
	}()
	for {
		item, ok, err := list.Next(t.Context())
		if !ok || err != nil || len(items) == most {
			return items, s, err
		}
		if item.Source != "S3://b/k" {
			t.Error(item.Source)
		}
		items = append(items, string(document.Encode(item.Value)))
	}
}

// TestParquet reads files that Apache Arrow wrote, in several compressions, of two groups of rows.
func TestParquet(t *testing.T) {
	want := []string{
		`{"id":1,"name":"a","ok":true,"f":1.5,"day":"2026-01-02","at":"2026-01-02T03:04:05.678Z","dec":12.34,"bin":"AP8=","tags":["x","y"],"deep":{"a":1,"b":[{"c":1},{"c":null}]},"map":{"k":1},"u":18446744073709551615}`,
		`{"id":2,"name":null,"ok":false,"f":2.0,"day":null,"at":null,"dec":null,"bin":null,"tags":[],"deep":null,"map":null,"u":0}`,
		`{"id":3,"name":"ü","ok":null,"f":null,"day":null,"at":null,"dec":-0.01,"bin":"","tags":null,"deep":{"a":null,"b":null},"map":{},"u":1}`,
	}
	for _, name := range []string{"snappy", "zstd", "gzip"} {
		b, err := os.ReadFile("testdata/" + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := parquetItems(t, b, 100)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// TestParquetIsReadPieceByPiece reads a file that is much larger than what is read of it at a time.
func TestParquetIsReadPieceByPiece(t *testing.T) {
	type row struct {
		ID   int64
		Text string
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b, parquet.MaxRowsPerRowGroup(10_000), parquet.PageBufferSize(64<<10))
	for i := range int64(40_000) {
		if _, err := w.Write([]row{{i, fmt.Sprintf("%0200d", i*7919)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	items, s, err := parquetItems(t, b.Bytes(), 100_000)
	if err != nil || len(items) != 40_000 || items[39_999] != fmt.Sprintf(`{"ID":39999,"Text":"%0200d"}`, 39_999*7919) {
		t.Fatal(len(items), err)
	}
	if s.most > 1<<20 || s.read > int64(2*b.Len()) {
		t.Errorf("of %d bytes were read %d, %d at a time", b.Len(), s.read, s.most)
	}
}

func TestWhatIsNoParquet(t *testing.T) {
	large := append([]byte("PAR1"), make([]byte, 100)...)
	large = append(binary.LittleEndian.AppendUint32(large, maxFooter+1), "PAR1"...)
	for _, c := range []struct{ body, want string }{
		{"", "The file is not valid Parquet: it is too short"},
		{"PAR1 and nothing else of it", "The file is not valid Parquet: it does not end as such files do"},
		{"PAR1 and nothing else of it \x01\x00\x00\x00PAR1", "The file is not valid Parquet"},
		{string(large), "The footer of the Parquet file has more than 5242880 bytes"},
	} {
		if _, _, err := parquetItems(t, []byte(c.body), 1); !engine.IsReaderFailure(err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.20q: %v", c.body, err)
		}
	}
	r := &mapReader{}
	if _, err := r.parquet(t.Context(), file{version: "v"}); err == nil || !strings.Contains(err.Error(), "VersionId is not supported where InputType is PARQUET") {
		t.Error(err)
	}
}

// FuzzParquet damages a file: it is read, or the map run fails.
func FuzzParquet(f *testing.F) {
	for _, name := range []string{"snappy", "zstd", "gzip"} {
		b, err := os.ReadFile("testdata/" + name + ".parquet")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, err := parquetItems(t, b, 100); err != nil && !engine.IsReaderFailure(err) {
			t.Fatal(err)
		}
	})
}
