package apigateway

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// address is what a request to a stage names.
type address struct {
	apiID, stage string
	path         string // below the stage, as it came; "" where the address ends with the stage
	query        string // raw
	domain       string // the host by which the API is called, without a port
}

// The paths under which stages answer on any host.
// The second is what older tools for local development use.
const (
	pathPrefix    = "/_aws/execute-api/"
	oldPathPrefix = "/restapis/"
	oldPathInfix  = "/_user_request_"
)

// Match reports whether a request is one to a stage: by its path, or by its host.
func (s *Service) Match(r *http.Request) bool {
	if _, ok := apiHost(r.Host); ok {
		return true
	}
	if strings.HasPrefix(r.URL.Path, pathPrefix) {
		return true
	}
	rest, ok := strings.CutPrefix(r.URL.Path, oldPathPrefix)
	if !ok {
		return false
	}
	parts := strings.SplitN(rest, "/", 4)
	return len(parts) >= 3 && parts[2] == oldPathInfix[1:]
}

// apiHost returns the API's id where a host is one of an API: {id}.execute-api.{region}.localhost, or
// the same below amazonaws.com or localhost.localstack.cloud; the region may be missing below the last.
func apiHost(host string) (id string, ok bool) {
	id, rest, ok := strings.Cut(host, ".execute-api.")
	if !ok || id == "" || strings.Contains(id, ".") {
		return "", false
	}
	domain := strings.ToLower(withoutPort(rest))
	for _, suffix := range []string{"localhost", "amazonaws.com", "localhost.localstack.cloud"} {
		if region, found := strings.CutSuffix(domain, suffix); found && (region == "" || region[len(region)-1] == '.') &&
			strings.Count(region, ".") <= 1 {
			return strings.ToLower(id), true
		}
	}
	return "", false
}

func withoutPort(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// parseAddress takes a request's target apart. It works on what was sent: a path's escapes and its
// doubled slashes are the API's to see.
func parseAddress(r *http.Request) address {
	raw, query := target(r)
	if id, ok := apiHost(r.Host); ok {
		stage, path := cutSegment(strings.TrimPrefix(raw, "/"))
		return address{apiID: id, stage: stage, path: path, query: query, domain: strings.ToLower(withoutPort(r.Host))}
	}
	rest, ok := strings.CutPrefix(raw, pathPrefix)
	if !ok {
		rest = strings.TrimPrefix(raw, oldPathPrefix)
	}
	id, rest := cutSegment(rest)
	stage, path := cutSegment(strings.TrimPrefix(rest, "/"))
	if !ok {
		path = strings.TrimPrefix(path, oldPathInfix)
	}
	return address{apiID: strings.ToLower(id), stage: stage, path: path, query: query}
}

// target is a request's path and query as they were sent.
func target(r *http.Request) (path, query string) {
	raw := r.RequestURI
	if raw == "" {
		return r.URL.EscapedPath(), r.URL.RawQuery
	}
	if !strings.HasPrefix(raw, "/") { // the absolute form, as to a proxy
		u, err := url.Parse(raw)
		if err != nil {
			return r.URL.EscapedPath(), r.URL.RawQuery
		}
		return u.EscapedPath(), u.RawQuery
	}
	path, query, _ = strings.Cut(raw, "?")
	return path, query
}

// cutSegment cuts a path before its first slash.
func cutSegment(path string) (segment, rest string) {
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}
