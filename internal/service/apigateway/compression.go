package apigateway

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"

	"cirro/internal/service/apigateway/proxy"
)

// The content codings that API Gateway has are gzip and deflate (which is zlib's format).
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html

var errTooLarge = errors.New("apigateway: more than the limit when unpacked")

// unpack undoes a content coding, to at most limit bytes.
func unpack(coding string, body []byte, limit int) ([]byte, error) {
	var (
		r   io.Reader
		err error
	)
	switch strings.ToLower(strings.TrimSpace(coding)) {
	case "identity":
		return body, nil
	case "gzip":
		r, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate":
		r, err = zlib.NewReader(bytes.NewReader(body))
	default:
		return nil, fmt.Errorf("apigateway: the content coding %q", coding)
	}
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if len(out) > limit {
		return nil, errTooLarge
	}
	return out, err
}

// compress applies the first content coding that the client accepts, unless the result has one.
func compress(out *result, accepted string) {
	if out.header("Content-Encoding") != "" || len(out.body) == 0 {
		return
	}
	for part := range strings.SplitSeq(accepted, ",") {
		coding, parameters, _ := strings.Cut(part, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if strings.ReplaceAll(parameters, " ", "") == "q=0" {
			continue
		}
		var b bytes.Buffer
		var w io.WriteCloser
		switch coding {
		case "gzip":
			w, _ = gzip.NewWriterLevel(&b, flate.BestSpeed)
		case "deflate":
			w, _ = zlib.NewWriterLevel(&b, flate.BestSpeed)
		default:
			continue
		}
		_, _ = w.Write(out.body) // to memory: these cannot fail
		_ = w.Close()
		out.body = b.Bytes()
		out.headers = append(out.headers, proxy.Pair{Name: "Content-Encoding", Value: coding})
		return
	}
}
