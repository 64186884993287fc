package integrity

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

func TestChunked(t *testing.T) {
	crc := Framing{Length: -1, Trailer: []string{"x-amz-checksum-crc32"}}
	for _, c := range []struct {
		name, body string
		framing    Framing
		want       string
		err        error
	}{
		{"plain", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", Framing{Length: 11}, "hello world", nil},
		{"no last line", "5\r\nhello\r\n0\r\n", Framing{Length: 5}, "hello", nil},
		{"empty", "0\r\n\r\n", Framing{Length: 0}, "", nil},
		{"trailer", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", crc, "hello", nil},
		{"signature unchecked", "5;chunk-signature=ab\r\nhello\r\n0;chunk-signature=cd\r\n\r\n", Framing{Length: 5}, "hello", nil},
		{"wrong trailer", "5\r\nhellO\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", crc, "hellO", BadDigest},
		{"missing trailer", "5\r\nhello\r\n0\r\n\r\n", crc, "hello", IncompleteBody},
		{"nothing", "", Framing{Length: -1}, "", IncompleteBody},
		{"cut in data", "5\r\nhel", Framing{Length: 5}, "hel", IncompleteBody},
		{"cut behind a chunk", "5\r\nhello\r\n", Framing{Length: 5}, "hello", IncompleteBody},
		{"cut before the line's end", "5\r\nhello", Framing{Length: 5}, "hello", IncompleteBody},
		{"short", "5\r\nhello\r\n0\r\n\r\n", Framing{Length: 6}, "hello", IncompleteBody},
		{"long", "5\r\nhello\r\n0\r\n\r\n", Framing{Length: 4}, "", IncompleteBody},
		{"no size", "x\r\nhello\r\n0\r\n\r\n", Framing{Length: -1}, "", IncompleteBody},
		{"huge size", "ffffffffffffffffff\r\n", Framing{Length: -1}, "", IncompleteBody},
		{"long line", strings.Repeat("0", 3*MaxLine), Framing{Length: -1}, "", IncompleteBody},
	} {
		for _, slow := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				in := io.Reader(strings.NewReader(c.body))
				if slow {
					in = iotest.OneByteReader(in)
				}
				b, err := io.ReadAll(Chunked(in, c.framing))
				if string(b) != c.want || !errors.Is(err, c.err) {
					t.Errorf("%q %v", b, err)
				}
			})
		}
	}
}

func TestChecksums(t *testing.T) {
	for _, c := range []struct {
		name, value string
		err         error
	}{
		{"Content-MD5", "XUFAKrxLKna5cZ2REBfFkg==", nil},
		{"x-amz-checksum-crc32", "NhCmhg==", nil},
		{"x-amz-checksum-crc32c", "mnG7TA==", nil},
		{"x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00=", nil},
		{"x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", nil},
		{"x-amz-checksum-crc64nvme", "M3eFcAZSQlc=", nil},
		{"x-amz-checksum-crc32", "NhCmhQ==", BadDigest},
		{"Content-MD5", "XUFAKrxLKna5cZ2REBfFkw==", BadDigest},
		{"Content-MD5", "nonsense", InvalidDigest},
	} {
		h := http.Header{}
		h.Set(c.name, c.value)
		r, err := Checksums(strings.NewReader("hello"), h)
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%s %s: %v", c.name, c.value, err)
		}
	}
}

func FuzzChunked(f *testing.F) {
	f.Add("5\r\nhello\r\n0\r\n\r\n", "x-amz-checksum-crc32", int64(5))
	f.Add("5;chunk-signature=ab\r\nhello\r\n0;chunk-signature=cd\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "x-amz-checksum-crc32", int64(-1))
	f.Fuzz(func(t *testing.T, body, trailer string, length int64) {
		b, err := io.ReadAll(Chunked(strings.NewReader(body), Framing{Length: length, Trailer: []string{trailer}}))
		if err == nil && length >= 0 && int64(len(b)) != length {
			t.Errorf("%d bytes, not %d", len(b), length)
		}
		if len(b) > len(body) {
			t.Error("more comes out than went in")
		}
	})
}
