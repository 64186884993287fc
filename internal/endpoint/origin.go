package endpoint

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// exposed are the headers of a reply that a page may read.
const exposed = "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,x-amz-request-id,x-amz-id-2,x-amzn-query-error,Date,ETag," +
	"X-Amz-Function-Error,X-Amz-Log-Result,X-Amz-Executed-Version"

// allowOrigin tells a browser whether the page that makes the request may, and reports whether the
// request goes on. Where any credentials will do, any page on the web could otherwise call the APIs of
// a developer's machine: only pages served from this machine may, and those of the origins configured.
// A page's own host is its origin where the browser names none, so that a name that someone points at
// this machine opens nothing either.
func (e *Endpoint) allowOrigin(w http.ResponseWriter, r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		if e.options.Verify || !strings.HasPrefix(r.UserAgent(), "Mozilla/") || e.allowed("http://"+r.Host) {
			return true
		}
		origins = []string{"http://" + r.Host}
	}
	if decided, goOn := e.bucketOrigin(w, r); decided {
		return goOn
	}
	origin := origins[0]
	if !e.allowed(origin) {
		http.Error(w, "This origin may not call the APIs: "+origin, http.StatusForbidden)
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Expose-Headers", exposed)
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return true
	}
	h.Set("Access-Control-Allow-Methods", "DELETE,GET,HEAD,PATCH,POST,PUT")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	h.Set("Access-Control-Max-Age", "600")
	if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		h.Set("Access-Control-Allow-Private-Network", "true")
	}
	w.WriteHeader(http.StatusNoContent)
	return false
}

func (e *Endpoint) allowed(origin string) bool {
	if slices.Contains(e.options.Origins, "*") || slices.Contains(e.options.Origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	host := u.Hostname()
	return host == "localhost" || host == "127.0.0.1" || host == "::1" || strings.HasSuffix(host, ".localhost")
}
