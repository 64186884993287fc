package endpoint

import (
	"net/http"
	"strings"

	"cirro/internal/endpoint/restxml"
	"cirro/internal/endpoint/wire"

	"github.com/google/uuid"
)

// originRules is a service whose buckets say themselves which pages may ask them what. It sets the headers that tell a
// browser so. Where it has not decided, the bucket has no rules, or is none.
type originRules interface {
	AllowOrigin(r *http.Request, bucket string, h http.Header) (decided bool, err error)
}

// Guarded is a mounted handler that only those pages may call which may call the APIs.
func (e *Endpoint) Guarded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e.allowOrigin(w, r) {
			h.ServeHTTP(w, r)
		}
	})
}

// bucketOrigin asks the bucket that a page's request is for. Where that has decided, goOn says whether the request goes
// on: a preflight never does. A page of an origin that the bucket does not name gets no headers, so that its browser keeps
// the reply from it; where anybody's word is taken, it must come from this machine besides.
func (e *Endpoint) bucketOrigin(w http.ResponseWriter, r *http.Request) (decided, goOn bool) {
	s := e.byName["s3"]
	if s == nil || r.Header.Get("Origin") == "" {
		return false, false
	}
	rules, ok := s.impl.(originRules)
	if c := credentialOf(r); !ok || c.service != "" && c.service != "s3" {
		return false, false
	}
	bucket := BucketOf(r.Host)
	if bucket == "" {
		bucket, _, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	}
	if bucket == "" {
		return false, false
	}
	decided, err := rules.AllowOrigin(r, bucket, w.Header())
	switch {
	case !decided:
		return false, false
	case err != nil:
		x := &wire.Exchange{ID: uuid.NewString(), HTTP: r, Service: s.Service}
		restxml.Protocol{}.EncodeError(w, x, e.answer(r.Context(), err, "s3", "", x.ID))
		return true, false
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusOK)
		return true, false
	}
	told := w.Header().Get("Access-Control-Allow-Origin") != ""
	if !told && !e.options.Verify && !e.allowed(r.Header.Get("Origin")) {
		http.Error(w, "This origin may not call the APIs: "+r.Header.Get("Origin"), http.StatusForbidden)
		return true, false
	}
	return true, true
}
