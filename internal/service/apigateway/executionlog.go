package apigateway

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	lambda "cirro/internal/awsapi/lambda"
	"cirro/internal/service/apigateway/proxy"
)

// executionLog is the log of one execution as TestInvokeMethod gives it. A nil log takes lines and
// keeps none.
type executionLog struct{ b strings.Builder }

// maxLogged bounds what a line says of headers and bodies, in bytes.
const maxLogged = 1024

func newExecutionLog(requestID string) *executionLog {
	l := &executionLog{}
	fmt.Fprintf(&l.b, "Execution log for request %s\n", requestID)
	l.line("Starting execution for request: %s", requestID)
	return l
}

func (l *executionLog) line(format string, args ...any) {
	if l == nil {
		return
	}
	fmt.Fprintf(&l.b, "%s : %s\n", time.Now().UTC().Format("Mon Jan 02 15:04:05 UTC 2006"), fmt.Sprintf(format, args...))
}

func (l *executionLog) String() string { return l.b.String() }

// requested logs the request.
func (l *executionLog) requested(r *proxy.Request, path map[string]string) {
	if l == nil {
		return
	}
	l.line("HTTP Method: %s, Resource Path: %s", r.Method, r.Path)
	l.line("Method request path: %s", bracesOf(path))
	l.line("Method request query string: %s", braces(r.Query))
	l.line("Method request headers: %s", braces(r.Headers))
	l.line("Method request body before transformations: %s", cut(string(r.Body)))
}

// sending logs the call of a function.
func (l *executionLog) sending(region, name string, payload []byte) {
	if l == nil {
		return
	}
	uri := fmt.Sprintf("https://lambda.%s.amazonaws.com/2015-03-31/functions/%s/invocations", region, name)
	l.line("Endpoint request URI: %s", uri)
	l.line("Endpoint request body after transformations: %s", cut(string(payload)))
	l.line("Sending request to %s", uri)
}

// received logs a function's answer.
func (l *executionLog) received(latency time.Duration, out *lambda.InvocationResponse) {
	if l == nil {
		return
	}
	l.line("Received response. Status: 200, Integration latency: %d ms", latency.Milliseconds())
	l.line("Endpoint response body before transformations: %s", cut(string(out.Payload)))
}

func cut(s string) string {
	if len(s) > maxLogged {
		return s[:maxLogged] + " [TRUNCATED]"
	}
	return s
}

// braces writes pairs as API Gateway's log does: {a=1, b=2}.
func braces(pairs []proxy.Pair) string {
	parts := make([]string, len(pairs))
	for i, p := range pairs {
		parts[i] = p.Name + "=" + p.Value
	}
	return cut("{" + strings.Join(parts, ", ") + "}")
}

func bracesOf(m map[string]string) string {
	var pairs []proxy.Pair
	for _, name := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, proxy.Pair{Name: name, Value: m[name]})
	}
	return braces(pairs)
}
