package s3

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// reader reads an object from wherever it was moved to.
type reader struct {
	s      *Store
	ctx    context.Context
	key    *string
	etag   *string // of the object that was opened
	size   int64
	offset int64         // of the next byte
	body   io.ReadCloser // from the offset on; nil to be opened
}

// open asks for the object from the offset on.
func (r *reader) open() error {
	in := &s3.GetObjectInput{Bucket: &r.s.bucket, Key: r.key, IfMatch: r.etag}
	if r.offset > 0 {
		in.Range = new(fmt.Sprintf("bytes=%d-", r.offset))
	}
	out, err := r.s.client.GetObject(r.ctx, in)
	if err != nil {
		return err
	}
	if r.etag == nil {
		if out.ContentLength == nil {
			return errors.Join(errors.New("blob: the store does not say how long an object is"), out.Body.Close())
		}
		r.etag, r.size = out.ETag, *out.ContentLength
	}
	r.body = out.Body
	return nil
}

func (r *reader) Read(b []byte) (int, error) {
	if r.offset >= r.size {
		return 0, io.EOF
	}
	if r.body == nil {
		if err := r.open(); err != nil {
			return 0, err
		}
	}
	n, err := r.body.Read(b)
	r.offset += int64(n)
	if err == io.EOF && r.offset < r.size {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (r *reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.offset
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("blob: %d is before the beginning", offset)
	}
	if offset != r.offset {
		r.offset = offset
		return offset, r.Close()
	}
	return offset, nil
}

func (r *reader) Close() error {
	if r.body == nil {
		return nil
	}
	body := r.body
	r.body = nil
	return body.Close()
}
