package states

import (
	"compress/gzip"
	"errors"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// unpack unpacks a file by its name's ending.
// https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html#itemreader-field-contents
func unpack(name string, body io.ReadCloser) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(name, ".gz"), strings.HasSuffix(name, ".gzip"):
		r, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		return &unpacker{r, r, body}, nil
	case strings.HasSuffix(name, ".zst"), strings.HasSuffix(name, ".zstd"):
		r, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxLine))
		if err != nil {
			return nil, err
		}
		c := r.IOReadCloser()
		return &unpacker{c, c, body}, nil
	}
	return body, nil
}

// unpacker closes what is packed with what unpacks it.
type unpacker struct {
	io.Reader
	inner, outer io.Closer
}

func (u *unpacker) Close() error { return errors.Join(u.inner.Close(), u.outer.Close()) }
