package endpoint

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/integrity"
	"cirro/internal/endpoint/wire"
)

// readBody reads a whole body of at most the limit's size.
func readBody(r *http.Request, l limit) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > l.bytes {
		if r.Header["Expect"] == nil { // a client that waits for leave has sent nothing
			drain(r.Body, r.ContentLength)
		}
		return nil, l.exceeded()
	}
	if n := r.ContentLength; n >= 0 && n <= 8<<20 {
		b := make([]byte, n)
		if _, err := io.ReadFull(r.Body, b); err != nil {
			return nil, bodyError(err)
		}
		return b, nil
	}
	return readAll(r.Body, l)
}

func readAll(r io.Reader, l limit) ([]byte, error) {
	var b bytes.Buffer
	if _, err := b.ReadFrom(io.LimitReader(r, l.bytes+1)); err != nil {
		return nil, bodyError(err)
	}
	if int64(b.Len()) > l.bytes {
		drain(r, 4*l.bytes)
		return nil, l.exceeded()
	}
	return b.Bytes(), nil
}

// bodyError is the answer to a body that cannot be read. A reader on the way may have said why.
func bodyError(err error) error {
	if known, ok := errors.AsType[*awsapi.Error](err); ok {
		return known
	}
	return integrity.IncompleteBody.New("You did not provide the number of bytes specified by the Content-Length HTTP header")
}

// drain reads what a client still sends, so that it comes to read the answer: most see a broken
// connection otherwise. It gives up on bodies beyond all measure.
func drain(r io.Reader, n int64) {
	_, _ = io.CopyN(io.Discard, r, min(n, 256<<20))
}

// inflate undoes the compression of a body that the operation, nil for one not known yet, does not keep
// as it is.
// https://smithy.io/2.0/spec/behavior-traits.html#requestcompression-trait
func inflate(r *http.Request, op *wire.Operation, body []byte, l limit) ([]byte, error) {
	if coding := r.Header["Content-Encoding"]; len(coding) == 0 || !strings.EqualFold(coding[0], "gzip") || len(body) == 0 {
		return body, nil
	}
	if op != nil {
		if f := op.InputPlan().PayloadField(); f != nil && f.Plan.Kind == awsapi.Blob {
			return body, nil
		}
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, wire.Malformed("The request body is not gzip: %v", err)
	}
	b, err := readAll(z, l)
	if errors.Is(err, integrity.IncompleteBody) {
		return nil, wire.Malformed("The request body is not gzip")
	}
	return b, err
}
