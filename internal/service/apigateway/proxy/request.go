package proxy

import (
	"net/url"
	"strings"
)

// Pair is a header or a query parameter.
type Pair struct{ Name, Value string }

// Request is a request to an API, as far as an integration sees it.
type Request struct {
	Method  string
	Path    string // below the stage, as it came: percent-encoded, with a slash at the end where it had one
	Query   []Pair // decoded
	Headers []Pair // with the names as the client wrote them
	Body    []byte
}

// Header returns the first value of a header; the name's case does not count.
func (r *Request) Header(name string) string {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// SetHeader replaces all values of a header.
func (r *Request) SetHeader(name, value string) {
	r.DropHeader(name)
	r.Headers = append(r.Headers, Pair{name, value})
}

// DropHeader removes all values of a header.
func (r *Request) DropHeader(name string) {
	kept := r.Headers[:0:0]
	for _, h := range r.Headers {
		if !strings.EqualFold(h.Name, name) {
			kept = append(kept, h)
		}
	}
	r.Headers = kept
}

// ParseQuery returns the parameters of a raw query in order. It takes whatever comes: an escape that is
// broken stands for itself, and a semicolon splits as an ampersand does.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
func ParseQuery(raw string) []Pair {
	var pairs []Pair
	for part := range strings.FieldsFuncSeq(raw, func(c rune) bool { return c == '&' || c == ';' }) {
		name, value, _ := strings.Cut(part, "=")
		pairs = append(pairs, Pair{unescape(name), unescape(value)})
	}
	return pairs
}

func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	return s
}

// last keeps the last value of each name: where an event has room for one, API Gateway gives the last.
func last(pairs []Pair) map[string]string {
	if len(pairs) == 0 {
		return nil
	}
	m := make(map[string]string, len(pairs))
	for _, p := range pairs {
		m[p.Name] = p.Value
	}
	return m
}

func all(pairs []Pair) map[string][]string {
	if len(pairs) == 0 {
		return nil
	}
	m := make(map[string][]string, len(pairs))
	for _, p := range pairs {
		m[p.Name] = append(m[p.Name], p.Value)
	}
	return m
}
