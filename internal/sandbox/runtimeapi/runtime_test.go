package runtimeapi_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cirro/internal/sandbox/runtimeapi"
)

const id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"

// serving serves a Runtime; it returns the URL that the API's paths are appended to.
type serving func(t *testing.T) (*runtimeapi.Runtime, string)

// bothWays runs a test against the quick way of Server and against net/http alone: no difference may show.
func bothWays(t *testing.T, test func(t *testing.T, server serving)) {
	t.Run("quick", func(t *testing.T) { test(t, quick) })
	t.Run("net/http", func(t *testing.T) { test(t, general) })
}

func quick(t *testing.T) (*runtimeapi.Runtime, string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rt := runtimeapi.New()
	s := runtimeapi.NewServer(rt, rt, nil)
	go s.Serve(l)
	t.Cleanup(func() {
		rt.Close()
		s.Close()
	})
	return rt, "http://" + l.Addr().String() + runtimeapi.Prefix
}

func general(t *testing.T) (*runtimeapi.Runtime, string) {
	rt := runtimeapi.New()
	s := httptest.NewServer(rt)
	t.Cleanup(func() {
		rt.Close()
		s.Close()
	})
	return rt, s.URL + runtimeapi.Prefix
}

func send(rt *runtimeapi.Runtime, v runtimeapi.Invocation) *runtimeapi.Call {
	v.RequestID = id
	c := runtimeapi.NewCall(v)
	rt.Send(c)
	return c
}

func request(t *testing.T, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	q, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(b)
}

func answered(t *testing.T, c *runtimeapi.Call) *runtimeapi.Outcome {
	t.Helper()
	select {
	case <-c.Done():
		return c.Outcome()
	case <-time.After(2 * time.Minute):
		t.Fatal("no answer")
		return nil
	}
}

func TestNext(t *testing.T) { bothWays(t, testNext) }

func testNext(t *testing.T, server serving) {
	rt, url := server(t)
	deadline := time.UnixMilli(1542409706888)
	send(rt, runtimeapi.Invocation{
		FunctionARN: "arn:aws:lambda:us-east-2:123456789012:function:custom-runtime", TraceID: "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
		ClientContext: `{"a": 1}`, Identity: `{"cognitoIdentityId": "x"}`, Tenant: "t", Deadline: deadline, Payload: []byte(`{"k": 1}`),
	})
	r, body := request(t, "GET", url+"invocation/next", "")
	if r.StatusCode != 200 || body != `{"k": 1}` {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	for name, want := range map[string]string{
		"Lambda-Runtime-Aws-Request-Id":       id,
		"Lambda-Runtime-Deadline-Ms":          "1542409706888",
		"Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-2:123456789012:function:custom-runtime",
		"Lambda-Runtime-Trace-Id":             "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
		"Lambda-Runtime-Client-Context":       `{"a": 1}`,
		"Lambda-Runtime-Cognito-Identity":     `{"cognitoIdentityId": "x"}`,
		"Lambda-Runtime-Aws-Tenant-Id":        "t",
		"Content-Type":                        "application/json",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	select {
	case <-rt.Ready():
	default:
		t.Error("the runtime asked, and is not ready")
	}
	if r, _ := request(t, "GET", url+"invocation/next", ""); r.StatusCode != 403 {
		t.Errorf("next before an answer: %d", r.StatusCode)
	}
}

func TestAnswers(t *testing.T) { bothWays(t, testAnswers) }

func testAnswers(t *testing.T, server serving) {
	big := strings.Repeat("x", runtimeapi.MaxResponse+1)
	for _, c := range []struct {
		name, path, body string
		headers          []string
		status           int
		payload          string
		failure          string // its type
		failureBody      string
	}{
		{name: "response", path: "response", body: `{"ok": true}`, headers: []string{"Content-Type", "text/plain"}, status: 202, payload: `{"ok": true}`},
		{name: "empty response", path: "response", status: 202},
		{name: "largest response", path: "response", body: big[1:], status: 202, payload: big[1:]},
		{
			name: "too large a response", path: "response", body: big, status: 413, failure: "Function.ResponseSizeTooLarge",
			failureBody: `{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}`,
		},
		{
			name: "error", path: "error", body: `{"errorType": "Mine", "errorMessage": "m"}`, headers: []string{"Lambda-Runtime-Function-Error-Type", "Header.Type"},
			status: 202, failure: "Header.Type", failureBody: `{"errorType": "Mine", "errorMessage": "m"}`,
		},
		{name: "error that names itself", path: "error", body: `{"errorType": "Mine"}`, status: 202, failure: "Mine", failureBody: `{"errorType": "Mine"}`},
		{name: "error without a type", path: "error", body: `oops`, status: 202, failure: "Runtime.Unknown", failureBody: `oops`},
		{name: "unknown mode", path: "response", body: "x", headers: []string{"Lambda-Runtime-Function-Response-Mode", "odd"}, status: 400, failure: "Runtime.InvalidResponseModeHeader"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rt, url := server(t)
			call := send(rt, runtimeapi.Invocation{})
			request(t, "GET", url+"invocation/next", "")
			r, body := request(t, "POST", url+"invocation/"+id+"/"+c.path, c.body, c.headers...)
			if r.StatusCode != c.status || c.status == 202 && body != "{\"status\":\"OK\"}\n" {
				t.Errorf("%d %s, want %d", r.StatusCode, body, c.status)
			}
			o := answered(t, call)
			if string(o.Payload) != c.payload {
				t.Errorf("payload %.100q", o.Payload)
			}
			if c.failure == "" && o.Failure != nil || c.failure != "" && (o.Failure == nil || o.Failure.Type != c.failure) {
				t.Fatalf("failure %+v, want %s", o.Failure, c.failure)
			}
			if c.failureBody != "" && string(o.Failure.Body) != c.failureBody {
				t.Errorf("failure %s", o.Failure.Body)
			}
			if r, body := request(t, "POST", url+"invocation/"+id+"/response", "again"); r.StatusCode != 400 || body != `{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}` {
				t.Errorf("a second answer: %d %s", r.StatusCode, body)
			}
		})
	}
}

// raw sends a request as it is, so that trailers and broken ends can be written.
func raw(t *testing.T, url, text string) string {
	t.Helper()
	host := strings.Split(strings.TrimPrefix(url, "http://"), "/")[0]
	c, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, text)
	c.(*net.TCPConn).CloseWrite()
	line, _ := bufio.NewReader(c).ReadString('\n')
	return line
}

func TestStreams(t *testing.T) { bothWays(t, testStreams) }

func testStreams(t *testing.T, server serving) {
	trailer := "Lambda-Runtime-Function-Error-Type: Mine\r\nLambda-Runtime-Function-Error-Body: " +
		base64.StdEncoding.EncodeToString([]byte(`{"errorMessage":"m"}`)) + "\r\n"
	for _, c := range []struct {
		name, chunks string
		whole        bool // the caller wants it whole
		want         string
		failure      string
		broken       string
	}{
		{name: "stream", chunks: "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", want: "onetwo"},
		{name: "empty stream", chunks: "0\r\n\r\n"},
		{name: "failure in the middle", chunks: "3\r\none\r\n0\r\n" + trailer + "\r\n", want: "one", broken: "Mine"},
		{name: "failure at the start", chunks: "0\r\n" + trailer + "\r\n", failure: "Mine"},
		{name: "broken connection", chunks: "3\r\none\r\n3\r\nt", want: "onet", broken: "Runtime.TruncatedResponse"},
		{name: "whole", whole: true, chunks: "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n", want: "onetwo"},
		{name: "whole, with a failure", whole: true, chunks: "3\r\none\r\n0\r\n" + trailer + "\r\n", want: "one", failure: "Mine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rt, url := server(t)
			var out strings.Builder
			var opened []string
			v := runtimeapi.Invocation{}
			if !c.whole {
				v.Stream = func(contentType string) io.Writer {
					opened = append(opened, contentType)
					return &out
				}
			}
			call := send(rt, v)
			request(t, "GET", url+"invocation/next", "")
			raw(t, url, fmt.Sprintf("POST %sinvocation/%s/response HTTP/1.1\r\nHost: x\r\nContent-Type: text/x\r\n"+
				"Transfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n"+
				"Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n%s", runtimeapi.Prefix, id, c.chunks))
			o := answered(t, call)
			got := out.String()
			if c.whole {
				got = string(o.Payload)
			} else if c.failure == "" && strings.Join(opened, ",") != "text/x" {
				t.Errorf("opened %q", opened)
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			kind := func(f *runtimeapi.Failure) string {
				if f == nil {
					return ""
				}
				return f.Type
			}
			if kind(o.Failure) != c.failure || kind(o.Broken) != c.broken {
				t.Errorf("failure %+v, broken %+v", o.Failure, o.Broken)
			}
			if f := o.Failure; f != nil && string(f.Body) != `{"errorMessage":"m"}` {
				t.Errorf("failure %s", f.Body)
			}
		})
	}
}

func TestDetachedStreamIsNotWrittenTo(t *testing.T) { bothWays(t, testDetachedStreamIsNotWrittenTo) }

func testDetachedStreamIsNotWrittenTo(t *testing.T, server serving) {
	rt, url := server(t)
	call := send(rt, runtimeapi.Invocation{Stream: func(string) io.Writer {
		t.Error("the stream was opened")
		return io.Discard
	}})
	request(t, "GET", url+"invocation/next", "")
	if call.Detach() {
		t.Error("it had begun")
	}
	request(t, "POST", url+"invocation/"+id+"/response", "late")
	answered(t, call)
}

func TestInitError(t *testing.T) { bothWays(t, testInitError) }

func testInitError(t *testing.T, server serving) {
	rt, url := server(t)
	if r, _ := request(t, "POST", url+"init/error", `{"errorType": "E"}`); r.StatusCode != 202 {
		t.Errorf("%d", r.StatusCode)
	}
	if f := <-rt.InitFailed(); f.Type != "E" {
		t.Errorf("%+v", f)
	}
	rt, url = server(t)
	send(rt, runtimeapi.Invocation{})
	request(t, "GET", url+"invocation/next", "")
	if r, body := request(t, "POST", url+"init/error", `{}`); r.StatusCode != 403 || !strings.Contains(body, "InvalidStateTransition") {
		t.Errorf("after the initialization: %d %s", r.StatusCode, body)
	}
}

func TestUnknownPathsAndMethods(t *testing.T) { bothWays(t, testUnknownPathsAndMethods) }

func testUnknownPathsAndMethods(t *testing.T, server serving) {
	_, url := server(t)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "nothing", 404},
		{"POST", "invocation/next", 405},
		{"GET", "init/error", 405},
		{"PUT", "invocation/x/response", 405},
		{"DELETE", "invocation/x/error", 405},
		{"POST", "invocation/x/other", 404},
		{"POST", "invocation/unknown/response", 400},
		{"POST", "invocation/unknown/error", 400},
	} {
		if r, _ := request(t, c.method, url+c.path, ""); r.StatusCode != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, r.StatusCode, c.status)
		}
	}
}

// FuzzRuntime sends what a runtime should not: nothing may panic, and an answered call stays so.
func FuzzRuntime(f *testing.F) {
	f.Add("POST", "invocation/"+id+"/response", "{}", "streaming", "")
	f.Add("POST", "invocation/"+id+"/error", `{"errorType": 5}`, "", "T")
	f.Add("POST", "init/error", "", "", "")
	f.Add("GET", "invocation/next", "x", "", "")
	f.Fuzz(func(t *testing.T, method, path, body, mode, kind string) {
		rt := runtimeapi.New()
		call := send(rt, runtimeapi.Invocation{})
		rt.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", runtimeapi.Prefix+"invocation/next", nil))
		rt.Close()
		q, err := http.NewRequest(method, "http://x"+runtimeapi.Prefix+path, strings.NewReader(body))
		if err != nil {
			t.Skip()
		}
		q.Header.Set("Lambda-Runtime-Function-Response-Mode", mode)
		q.Header.Set("Lambda-Runtime-Function-Error-Type", kind)
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, q)
		select {
		case <-call.Done():
			if w.Code >= 500 {
				t.Errorf("status %d", w.Code)
			}
		default:
		}
	})
}
