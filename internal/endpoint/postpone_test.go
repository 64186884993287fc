package endpoint_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint"
)

// postponing is a writer that can be left for another.
type postponing struct {
	*httptest.ResponseRecorder
	postponed bool
}

func (p *postponing) Postpone() { p.postponed = true }

// TestPostpone calls an operation that would wait: it is not to where the request can be postponed, and then is.
func TestPostpone(t *testing.T) {
	waited := false
	e := newPutEndpoint(t, endpoint.Options{}, func(ctx context.Context, _ *PutInput) (*PutOutput, error) {
		if awsapi.RequestOf(ctx).NoWait {
			return nil, awsapi.ErrWouldWait
		}
		waited = true
		return &PutOutput{}, nil
	})
	request := func() *http.Request {
		r := httptest.NewRequest(http.MethodPut, "/bucket/key", nil)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00")
		return r
	}
	w := &postponing{ResponseRecorder: httptest.NewRecorder()}
	if e.ServeHTTP(w, request()); !w.postponed || waited || w.Body.Len() > 0 {
		t.Errorf("postponed %t, waited %t: %s", w.postponed, waited, w.Body)
	}
	again := httptest.NewRecorder()
	if e.ServeHTTP(again, request()); again.Code != http.StatusOK || !waited {
		t.Errorf("%d %s, waited %t", again.Code, again.Body, waited)
	}
}
