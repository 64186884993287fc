package express

import (
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Head is a request's head in plain form: its method, its target and its host as they came.
type Head struct {
	Method, Target, Host string

	length int64 // of the body
	lines  []line
}

// Get returns the value of the first header of a name, which is in canonical form, or "".
func (h *Head) Get(name string) string {
	for i := range h.lines {
		if h.lines[i].name == name {
			return h.lines[i].value
		}
	}
	return ""
}

// line is a header.
type line struct{ name, value string }

// parse reads a head, its last empty line included. It returns false for whatever is not in the plainest
// form, which says nothing about its being right. The head may use what space a former one left.
func parse(text string, space []line) (h Head, plain bool) {
	h.lines = space[:0]
	first, rest, ok := strings.Cut(text, "\r\n")
	if !ok || !h.parseFirst(first) {
		return h, false
	}
	var host, length bool
	for {
		var l string
		if l, rest, ok = strings.Cut(rest, "\r\n"); !ok {
			return h, false
		}
		if l == "" {
			break
		}
		name, value, ok := strings.Cut(l, ":")
		if !ok || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return h, false
		}
		name, value = textproto.CanonicalMIMEHeaderKey(name), strings.Trim(value, " \t")
		switch name {
		case "Host":
			if host || value == "" || !httpguts.ValidHostHeader(value) {
				return h, false
			}
			h.Host, host = value, true
			continue
		case "Content-Length":
			if h.length, ok = parseLength(value); !ok || length {
				return h, false
			}
			length = true
		case "Connection":
			if !strings.EqualFold(value, "keep-alive") {
				return h, false
			}
		case "Transfer-Encoding", "Expect", "Upgrade", "Trailer", "Te", "Pragma", "Proxy-Connection", "Keep-Alive", "Http2-Settings":
			return h, false
		}
		h.lines = append(h.lines, line{name, value})
	}
	return h, host && rest == ""
}

// parseFirst reads the request line.
func (h *Head) parseFirst(l string) bool {
	method, rest, ok := strings.Cut(l, " ")
	if !ok || method == "CONNECT" || method == "HEAD" || !httpguts.ValidHeaderFieldName(method) || !begins([]byte(method[:1])) {
		return false
	}
	target, ok := strings.CutSuffix(rest, " HTTP/1.1")
	if !ok || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") || strings.Contains(target, " ") {
		return false
	}
	h.Method, h.Target = method, target
	return true
}

// parseLength reads a Content-Length.
func parseLength(s string) (n int64, ok bool) {
	if len(s) == 0 || len(s) > 15 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = 10*n + int64(s[i]-'0')
	}
	return n, true
}

// begins says whether bytes can be the beginning of a head in plain form.
func begins(b []byte) bool {
	if len(b) > 0 && (b[0] < 'A' || b[0] > 'Z') {
		return false
	}
	for i, c := range b {
		if c == '\n' && b[i-1] != '\r' {
			return false
		}
	}
	return true
}

// header is what net/http makes of the lines.
func (h *Head) header() http.Header {
	header := make(http.Header, len(h.lines))
	values := make([]string, len(h.lines))
	for i, l := range h.lines {
		if had := header[l.name]; had != nil {
			header[l.name] = append(had, l.value)
			continue
		}
		values[i] = l.value
		header[l.name] = values[i : i+1 : i+1]
	}
	return header
}

// lastTarget is the target that a connection was last used for, and what it means: most clients have few.
type lastTarget struct {
	text string
	url  url.URL
}

// parse reads a target.
func (t *lastTarget) parse(text string) (u url.URL, ok bool) {
	if text != t.text {
		u, err := url.ParseRequestURI(text)
		if err != nil {
			return url.URL{}, false
		}
		t.text, t.url = strings.Clone(text), *u
	}
	return t.url, true
}

// exchange is a request with its body.
type exchange struct {
	request http.Request
	url     url.URL
	body    body
}

// request makes net/http's form of a request. It returns false where its target is none.
func (c *conn) request(h *Head, payload []byte) (*exchange, bool) {
	u, ok := c.last.parse(h.Target)
	if !ok {
		return nil, false
	}
	x := &exchange{request: *c.blank, url: u, body: body{rest: payload}}
	r := &x.request
	r.Method, r.URL, r.RequestURI, r.Host = h.Method, &x.url, h.Target, h.Host
	r.Header, r.ContentLength = h.header(), h.length
	r.Body = &x.body
	if h.length == 0 {
		r.Body = http.NoBody
	}
	return x, true
}

// body is a request's body, all of which is there.
type body struct{ rest []byte }

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.rest = nil
	return nil
}
