package runtimeapi

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

func TestParseRequest(t *testing.T) {
	answer := "POST /2018-06-01/runtime/invocation/a-1/response HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n"
	for _, c := range []struct {
		head string
		want request
		ok   bool
	}{
		{"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n", request{ask: true}, true},
		{answer + "Content-Length: 12\r\ncontent-type:  text/plain \r\n\r\n", request{id: "a-1", length: 12, contentType: "text/plain"}, true},
		{strings.Replace(answer, "response", "error", 1) + "Content-Length: 0\r\nLambda-Runtime-Function-Error-Type: E\r\n\r\n",
			request{id: "a-1", failed: true, errorType: "E"}, true},
		{head: "GET /2018-06-01/runtime/invocation/next HTTP/1.0\r\nHost: x\r\n\r\n"},
		{head: "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n"},
		{head: "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"},
		{head: "GET /2018-06-01/runtime/invocation/next HTTP/1.1\nHost: x\n\n"},
		{head: answer + "\r\n"},
		{head: answer + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"},
		{head: answer + "Content-Length: +1\r\n\r\n"},
		{head: answer + "Content-Length: 99999999999999999999\r\n\r\n"},
		{head: answer + "Content-Length : 1\r\n\r\n"},
		{head: answer + "Content-Length: 1\r\n folded\r\n\r\n"},
		{head: answer + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{head: answer + "Content-Length: 1\r\nExpect: 100-continue\r\n\r\n"},
		{head: answer + "Content-Length: 1\r\nConnection: close\r\n\r\n"},
		{head: answer + "Content-Length: 1\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\r\n"},
		{head: strings.Replace(answer, "a-1", "a/1", 1) + "Content-Length: 1\r\n\r\n"},
		{head: strings.Replace(answer, "a-1", "", 1) + "Content-Length: 1\r\n\r\n"},
		{head: "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"},
	} {
		q, ok := parseRequest([]byte(c.head))
		if ok != c.ok || ok && q != c.want {
			t.Errorf("%q: %+v, %v", c.head, q, ok)
		}
	}
}

// FuzzParseRequest compares with net/http: what is taken here, it must take too, and read alike.
func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nUser-Agent: a\r\n\r\n"))
	f.Add([]byte("POST /2018-06-01/runtime/invocation/8476a536-e9f4/response HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nContent-Type: application/json\r\nContent-Length: 007\r\n\r\n"))
	f.Add([]byte("POST /2018-06-01/runtime/invocation/1/error HTTP/1.1\r\nhost: x\r\nLambda-Runtime-Function-Error-Type:\tE\r\nlambda-runtime-function-error-type: F\r\nContent-Length:\t3\t\r\n\r\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		q, ok := parseRequest(head)
		if !ok {
			return
		}
		if headSize(head) != len(head) {
			t.Fatalf("more than one head: %q", head)
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
		if err != nil {
			t.Fatalf("%q: %v", head, err)
		}
		path := "invocation/next"
		if !q.ask {
			path = "invocation/" + q.id + map[bool]string{false: "/response", true: "/error"}[q.failed]
		}
		if r.URL.Path != Prefix+path || r.ContentLength != int64(q.length) || len(r.TransferEncoding) > 0 || r.Close ||
			r.Host == "" || r.Header.Get("Expect") != "" || r.Header.Get("Lambda-Runtime-Function-Response-Mode") != "" ||
			!q.ask && (r.Header.Get("Content-Type") != q.contentType || r.Header.Get("Lambda-Runtime-Function-Error-Type") != q.errorType) {
			t.Errorf("%q: %+v is read as %+v", head, r, q)
		}
	})
}
