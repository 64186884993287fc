package endpoint_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"cirro/internal/endpoint"
)

// TestFullDisk lets an operation meet a full disk: the client is told so, and may try again.
func TestFullDisk(t *testing.T) {
	e := newPutEndpoint(t, endpoint.Options{}, func(context.Context, *PutInput) (*PutOutput, error) {
		return nil, fmt.Errorf("store: the disk of /data: %w", syscall.ENOSPC)
	})
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPut, "/bucket/key", nil)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00")
	e.ServeHTTP(w, r)
	if body := w.Body.String(); w.Code != http.StatusServiceUnavailable || !strings.Contains(body, "<Code>ServiceUnavailable</Code>") || !strings.Contains(body, "the disk of /data") {
		t.Errorf("%d %s", w.Code, body)
	}
}
