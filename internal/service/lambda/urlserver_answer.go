package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// urlAnswer is what a function says that its URL shall answer, in payload format 2.0.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-response-payload
type urlAnswer struct {
	Status  int
	Header  http.Header
	Cookies []string
	Body    []byte
}

const typeJSON = "application/json"

// parseAnswer reads a function's result. Without a status code the whole result is the body; ok is false
// where there is one and the rest does not fit it.
func parseAnswer(payload []byte) (_ *urlAnswer, ok bool) {
	var fields struct {
		urlPrelude
		Body     *string `json:"body"`
		IsBase64 bool    `json:"isBase64Encoded"`
	}
	a := &urlAnswer{Status: http.StatusOK, Header: http.Header{"Content-Type": {typeJSON}}, Body: payload}
	if !hasStatusCode(payload) {
		var text string // a string is the body itself
		if bytes.HasPrefix(payload, []byte(`"`)) && json.Unmarshal(payload, &text) == nil {
			a.Body = []byte(text)
		}
		return a, true
	}
	if json.Unmarshal(payload, &fields) != nil || !fields.into(a) {
		return nil, false
	}
	a.Body = nil
	if fields.Body != nil {
		a.Body = []byte(*fields.Body)
	}
	if fields.IsBase64 {
		decoded, err := base64.StdEncoding.DecodeString(string(a.Body))
		if err != nil {
			return nil, false
		}
		a.Body = decoded
	}
	return a, true
}

func hasStatusCode(payload []byte) bool {
	var object struct {
		StatusCode json.RawMessage `json:"statusCode"`
	}
	return bytes.HasPrefix(bytes.TrimLeft(payload, " \t\r\n"), []byte("{")) &&
		json.Unmarshal(payload, &object) == nil && object.StatusCode != nil
}

// urlPrelude is an answer without its body: what a streamed answer begins with.
type urlPrelude struct {
	StatusCode json.RawMessage            `json:"statusCode"`
	Headers    map[string]json.RawMessage `json:"headers"`
	Cookies    []string                   `json:"cookies"`
}

// into fills an answer in, or reports that something in the prelude is no answer.
func (p *urlPrelude) into(a *urlAnswer) bool {
	if len(p.StatusCode) > 0 {
		status, err := strconv.Atoi(scalar(p.StatusCode))
		if err != nil || status < 100 || status > 599 {
			return false
		}
		a.Status = status
	}
	for name, raw := range p.Headers {
		value := scalar(raw)
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return false
		}
		a.Header[textproto.CanonicalMIMEHeaderKey(name)] = []string{value}
	}
	for _, cookie := range p.Cookies {
		if !httpguts.ValidHeaderFieldValue(cookie) {
			return false
		}
	}
	a.Cookies = p.Cookies
	return true
}

// scalar is a JSON string's content, or another value as it is written.
func scalar(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// remapped are the headers that a function may not set itself: AWS answers with them under another name.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
var remapped = map[string]bool{"Connection": true, "Content-Length": true, "Date": true, "Keep-Alive": true,
	"Server": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Www-Authenticate": true}

// head writes the status and the headers. Headers of the function stand beside those of the URL's CORS
// settings, even where they say the same: AWS does not choose either.
func (a *urlAnswer) head(w http.ResponseWriter) {
	h := w.Header()
	for name, values := range a.Header {
		switch {
		case remapped[name]:
			h["X-Amzn-Remapped-"+name] = values
		case strings.HasPrefix(name, "Access-Control-") || name == "Vary":
			h[name] = append(h[name], values...)
		default:
			h[name] = values
		}
	}
	for _, cookie := range a.Cookies {
		h.Add("Set-Cookie", cookie)
	}
	w.WriteHeader(a.Status)
}

// answer answers with a function's result.
func (c *urlCall) answer(payload []byte) error {
	a, ok := parseAnswer(payload)
	if !ok {
		return errBadGateway
	}
	bodiless := a.Status < 200 || a.Status == http.StatusNoContent || a.Status == http.StatusNotModified
	if !bodiless {
		c.w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	}
	a.head(c.w)
	if !bodiless && c.r.Method != http.MethodHead {
		c.w.Write(a.Body)
	}
	return nil
}

// The content type of a stream that begins with a prelude, and what ends the prelude: AWS's own runtimes
// write both for awslambda.HttpResponseStream.from.
const (
	preludeType = "application/vnd.awslambda.http-integration-response"
	maxPrelude  = 1 << 20
)

var preludeEnd = make([]byte, 8)

// answerStream answers with a function's result as it is made.
func (c *urlCall) answerStream(ctx context.Context, st *stream) error {
	contentType, err := st.begin(ctx)
	if err != nil {
		return err
	}
	a := &urlAnswer{Status: http.StatusOK, Header: http.Header{"Content-Type": {contentType}}}
	if contentType == "" {
		a.Header["Content-Type"] = []string{"application/octet-stream"}
	}
	first := st.next()
	if first == nil && (st.err != nil || st.result.FunctionError != "") {
		return errBadGateway
	}
	if contentType == preludeType {
		if first, err = a.prelude(first, st.next); err != nil {
			return err
		}
	}
	a.head(c.w)
	flush := http.NewResponseController(c.w).Flush
	for b := first; b != nil; b = st.next() {
		if len(b) == 0 {
			continue // the end of a prelude alone
		}
		if _, err := c.w.Write(b); err != nil {
			return nil // the client has gone; the function runs on
		}
		if flush() != nil {
			return nil
		}
	}
	<-st.ended
	if st.err != nil || st.result.StreamError != nil {
		panic(http.ErrAbortHandler) // the one way to tell the client that the answer is not whole
	}
	return nil
}

// prelude reads the prelude of a stream and returns what stands after it in the last chunk read.
func (a *urlAnswer) prelude(b []byte, next func() []byte) (rest []byte, err error) {
	for {
		head, rest, found := bytes.Cut(b, preludeEnd)
		if found {
			var p urlPrelude
			a.Header = http.Header{"Content-Type": {typeJSON}}
			if json.Unmarshal(head, &p) != nil || !p.into(a) {
				return nil, errBadGateway
			}
			return append([]byte{}, rest...), nil
		}
		more := next()
		if more == nil || len(b) > maxPrelude {
			return nil, errBadGateway
		}
		b = append(b, more...)
	}
}
