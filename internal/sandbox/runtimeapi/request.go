package runtimeapi

import "bytes"

// request is one of the requests that a runtime makes over and over, as far as this API reads it.
type request struct {
	ask    bool // for the next invocation; else it answers one
	failed bool // the answer is an error
	id     string
	length int // of the body

	contentType string
	errorType   string
}

const (
	askLine    = "GET " + Prefix + "invocation/next HTTP/1.1"
	answerLine = "POST " + Prefix + "invocation/"
)

// parseRequest reads a request's head, its last empty line included. It returns false for whatever is
// not a usual request in the plainest form, which says nothing about its being right.
func parseRequest(head []byte) (q request, ok bool) {
	line, rest, ok := cutLine(head)
	if !ok || !q.parseLine(line) {
		return q, false
	}
	var host, length, typed, erred bool
	for {
		if line, rest, ok = cutLine(rest); !ok {
			return q, false
		}
		if len(line) == 0 {
			break
		}
		name, value, ok := cutHeader(line)
		if !ok {
			return q, false
		}
		switch {
		case is(name, "host"):
			if host || !plainHost(value) {
				return q, false
			}
			host = true
		case is(name, "content-length"):
			if q.length, ok = parseLength(value); !ok || length {
				return q, false
			}
			length = true
		case is(name, "content-type"):
			if !typed {
				q.contentType, typed = intern(value), true
			}
		case is(name, "lambda-runtime-function-error-type"):
			if !erred {
				q.errorType, erred = string(value), true
			}
		case is(name, "lambda-runtime-function-response-mode"), is(name, "connection"), is(name, "transfer-encoding"),
			is(name, "expect"), is(name, "upgrade"), is(name, "trailer"), is(name, "te"):
			return q, false
		}
	}
	return q, host && len(rest) == 0 && (q.ask && q.length == 0 || !q.ask && length)
}

// parseLine reads the request line.
func (q *request) parseLine(line []byte) bool {
	if string(line) == askLine {
		q.ask = true
		return true
	}
	rest, ok := bytes.CutPrefix(line, []byte(answerLine))
	if !ok {
		return false
	}
	id, ok := bytes.CutSuffix(rest, []byte("/response HTTP/1.1"))
	if !ok {
		if id, ok = bytes.CutSuffix(rest, []byte("/error HTTP/1.1")); !ok {
			return false
		}
		q.failed = true
	}
	for _, c := range id {
		if !alphanumeric(c) && c != '-' {
			return false
		}
	}
	q.id = string(id)
	return len(id) > 0
}

// cutLine cuts the first line off; it ends in CR LF.
func cutLine(b []byte) (line, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return nil, nil, false
	}
	return b[:i-1], b[i+1:], true
}

// cutHeader divides a header's line, where name and value have nothing unusual in them.
func cutHeader(line []byte) (name, value []byte, ok bool) {
	colon := bytes.IndexByte(line, ':')
	if colon < 1 {
		return nil, nil, false
	}
	name, value = line[:colon], bytes.Trim(line[colon+1:], " \t")
	for _, c := range name {
		if !alphanumeric(c) && c != '-' && c != '_' {
			return nil, nil, false
		}
	}
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return nil, nil, false
		}
	}
	return name, value, true
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// is compares a header's name with one in lower case.
func is(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func plainHost(b []byte) bool {
	for _, c := range b {
		if !alphanumeric(c) && c != '-' && c != '.' && c != ':' {
			return false
		}
	}
	return len(b) > 0
}

// parseLength reads a body's length, if the body may be that large.
func parseLength(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' || n > MaxResponse {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(b) > 0 && n <= MaxResponse
}

// intern spares the usual type an allocation.
func intern(contentType []byte) string {
	if string(contentType) == "application/json" {
		return "application/json"
	}
	return string(contentType)
}
