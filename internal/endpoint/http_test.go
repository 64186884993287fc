package endpoint_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/iam"
	"cirro/internal/awsapi/lambda"
	"cirro/internal/awsapi/logs"
	"cirro/internal/awsapi/sts"
	"cirro/internal/endpoint"
	"cirro/internal/endpoint/sigv4"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

func outOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

const scope = "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/%s/aws4_request, SignedHeaders=host, Signature=0"

func signedAs(service string) []string { return []string{"Authorization", fmt.Sprintf(scope, service)} }

var quiet = slog.New(slog.DiscardHandler)

// TestRefusals sends what no service takes, and expects AWS's error in the shape of each protocol.
func TestRefusals(t *testing.T) {
	s := httptest.NewServer(everything())
	defer s.Close()
	const form, json11, cbor = "application/x-www-form-urlencoded", "application/x-amz-json-1.1", "application/cbor"
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		want                     []string // in the body or as "Header: value"
	}{
		{"json operation", "POST", "/", "{}", []string{"X-Amz-Target", "Logs_20140328.Nonsense", "Content-Type", json11}, 400,
			[]string{`"__type":"UnknownOperationException"`, "Content-Type: " + json11}},
		{"json service", "POST", "/", "{}", []string{"X-Amz-Target", "Nobody_1.Nonsense", "Content-Type", "application/x-amz-json-1.0"}, 501,
			[]string{`"__type":"NotImplemented"`, "service Nobody_1", "Content-Type: application/x-amz-json-1.0"}},
		{"json service of another name", "POST", "/", "{}", append(signedAs("logs"), "X-Amz-Target", "Nobody_1.Nonsense", "Content-Type", json11), 400, []string{"UnknownOperationException"}},
		{"json in place of query", "POST", "/", "{}", append(signedAs("iam"), "X-Amz-Target", "IAM.ListUsers", "Content-Type", json11), 501, []string{"iam.ListUsers"}},
		{"cbor in place of query", "POST", "/service/IAM/operation/ListUsers", "\xa0", append(signedAs("iam"), "Smithy-Protocol", "rpc-v2-cbor", "Content-Type", cbor), 501, []string{"iam.ListUsers"}},
		{"query in place of json", "POST", "/", "Action=ListQueues&Version=2012-11-05", append(signedAs("sqs"), "Content-Type", form), 501, []string{"sqs.ListQueues", "<ErrorResponse"}},
		{"json target without dot", "POST", "/", "{}", []string{"X-Amz-Target", "Logs", "Content-Type", json11}, 400, []string{"UnknownOperationException"}},
		{"json content type", "POST", "/", "{}", []string{"X-Amz-Target", "Logs_20140328.CreateLogGroup", "Content-Type", "text/xml"}, 400, []string{"UnknownOperationException"}},
		{"json syntax", "POST", "/", "{", []string{"X-Amz-Target", "Logs_20140328.CreateLogGroup", "Content-Type", json11}, 400, []string{`"SerializationException"`}},
		{"json trailing", "POST", "/", "{}{}", []string{"X-Amz-Target", "Logs_20140328.CreateLogGroup", "Content-Type", json11}, 400, []string{`"SerializationException"`}},
		{"json type", "POST", "/", `{"logGroupName":5}`, []string{"X-Amz-Target", "Logs_20140328.CreateLogGroup", "Content-Type", json11}, 400,
			[]string{`"SerializationException"`, "NUMBER_VALUE can not be converted to a String"}},
		{"json list", "POST", "/", `{"tags":[]}`, []string{"X-Amz-Target", "Logs_20140328.CreateLogGroup", "Content-Type", json11}, 400,
			[]string{"Start of list found where not expected"}},
		{"json depth", "POST", "/", `{"tags":` + strings.Repeat(`{"a":`, 20000), []string{"X-Amz-Target", "Logs_20140328.CreateLogGroup", "Content-Type", json11}, 400,
			[]string{`"SerializationException"`}},
		{"json depth of the unknown", "POST", "/", `{"who":` + strings.Repeat(`[`, 20000), []string{"X-Amz-Target", "Logs_20140328.CreateLogGroup", "Content-Type", json11}, 400,
			[]string{`"SerializationException"`}},
		{"query operation", "POST", "/", "Action=Nonsense&Version=2010-05-08", append(signedAs("iam"), "Content-Type", form), 400,
			[]string{"<Code>InvalidAction</Code>", "Could not find operation Nonsense for version 2010-05-08", "<Type>Sender</Type>", "Content-Type: text/xml"}},
		{"query without action", "POST", "/", "Version=2010-05-08", append(signedAs("iam"), "Content-Type", form), 400, []string{"<Code>MissingAction</Code>"}},
		{"query escape", "POST", "/", "Action=%zz", append(signedAs("iam"), "Content-Type", form), 404, []string{"<Code>MalformedQueryString</Code>"}},
		{"query service", "POST", "/", "Action=A&Version=1", append(signedAs("ec2"), "Content-Type", form), 501, []string{"<Code>NotImplemented</Code>", "service ec2"}},
		{"query number", "POST", "/", "Action=ListUsers&MaxItems=x&Version=2010-05-08", append(signedAs("iam"), "Content-Type", form), 400, []string{"<Code>MalformedInput</Code>"}},
		{"query unimplemented", "POST", "/", "Action=ListUsers&Version=2010-05-08", append(signedAs("iam"), "Content-Type", form), 501, []string{"<Code>NotImplemented</Code>", "iam.ListUsers", "<Type>Receiver</Type>"}},
		{"query depth", "POST", "/", "Action=ListUsers&Version=2010-05-08&" + strings.Repeat("a.", 20000) + "=1", append(signedAs("iam"), "Content-Type", form), 400, []string{"<Code>MalformedInput</Code>"}},
		{"query index", "POST", "/", "Action=TagUser&UserName=u&Tags.member.99999999.Key=a&Version=2010-05-08", append(signedAs("iam"), "Content-Type", form), 400,
			[]string{"<Code>ValidationError</Code>", "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null"}},
		{"cbor operation", "POST", "/service/AmazonSQS/operation/Nonsense", "\xa0", []string{"Smithy-Protocol", "rpc-v2-cbor", "Content-Type", cbor}, 400,
			[]string{"UnknownOperationException", "Content-Type: " + cbor, "Smithy-Protocol: rpc-v2-cbor"}},
		{"cbor syntax", "POST", "/service/AmazonSQS/operation/CreateQueue", "\xff", []string{"Smithy-Protocol", "rpc-v2-cbor", "Content-Type", cbor}, 400, []string{"SerializationException"}},
		{"cbor service", "POST", "/service/Nobody/operation/CreateQueue", "\xa0", []string{"Smithy-Protocol", "rpc-v2-cbor", "Content-Type", cbor}, 501, []string{"NotImplemented"}},
		{"rest path", "GET", "/2015-03-31/nonsense", "", signedAs("lambda"), 403,
			[]string{"X-Amzn-Errortype: AccessDeniedException", "Unable to determine service/operation name to be authorized"}},
		{"rest method", "PATCH", "/2015-03-31/functions/f", "", signedAs("lambda"), 403, []string{"Unable to determine service/operation name to be authorized"}},
		{"rest unsigned", "GET", "/nonsense", "", nil, 403, []string{"Missing Authentication Token"}},
		{"rest service", "GET", "/nonsense", "", signedAs("glacier"), 501, []string{"X-Amzn-Errortype: NotImplemented", "service glacier"}},
		{"xml service", "GET", "/bucket", "", signedAs("s3"), 501, []string{"<Code>NotImplemented</Code>", "service s3"}},
		{"rest syntax", "POST", "/2015-03-31/functions", "<html>", signedAs("lambda"), 400, []string{"X-Amzn-Errortype: SerializationException"}},
		{"rest media", "POST", "/2015-03-31/functions", "<html/>", append(signedAs("lambda"), "Content-Type", "text/xml"), 415, []string{"X-Amzn-Errortype: UnsupportedMediaTypeException"}},
		{"rest escape", "GET", "/2015-03-31/functions/a%zz", "", signedAs("lambda"), 400, nil},
		{"rest label", "GET", "/2018-10-31/layers/l/versions/x", "", signedAs("lambda"), 400, []string{"X-Amzn-Errortype: SerializationException"}},
		{"rest unimplemented", "GET", "/2015-03-31/functions", "", signedAs("lambda"), 501, []string{"Cirro does not implement lambda.ListFunctions"}},
		{"rest trailing slash", "GET", "/2015-03-31/functions/", "", signedAs("lambda"), 501, []string{"lambda.ListFunctions"}},
		{"host", "POST", "/", "Action=ListUsers", []string{"Host", "iam.amazonaws.localhost", "Content-Type", form}, 501, []string{"iam.ListUsers"}},
		{"get query", "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", "", nil, 501, []string{"sts.GetCallerIdentity"}},
		{"json gzip", "POST", "/", "no gzip", []string{"X-Amz-Target", "Logs_20140328.CreateLogGroup", "Content-Type", json11, "Content-Encoding", "gzip"}, 400, []string{"SerializationException"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := raw(t, s, c.method, c.path, c.body, c.header...)
			if resp.StatusCode != c.status {
				t.Errorf("%d %s", resp.StatusCode, body)
			}
			for _, want := range c.want {
				name, value, isHeader := strings.Cut(want, ": ")
				if isHeader && !strings.Contains(name, " ") && resp.Header.Get(name) == value {
					continue
				}
				if !strings.Contains(body, want) {
					t.Errorf("%s lacks in\n%s %v", want, body, resp.Header)
				}
			}
			if c.status != 400 && resp.Header.Get("x-amzn-RequestId") == "" {
				t.Error("no request id")
			}
		})
	}
}

// raw sends a request whose path is as it is.
func raw(t *testing.T, s *httptest.Server, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	host := "localhost"
	var lines strings.Builder
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			host = header[i+1]
			continue
		}
		fmt.Fprintf(&lines, "%s: %s\r\n", header[i], header[i+1])
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n%s", method, path, host, len(body), lines.String(), body)
	b, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(newReader(b), nil)
	if err != nil {
		t.Fatalf("%v: %q", err, b)
	}
	text, _ := io.ReadAll(resp.Body)
	return resp, string(text)
}

func TestCompressedBody(t *testing.T) {
	s := serve(t)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprint(z, `{"logGroupName":"g"}`)
	z.Close()
	_, body := do(t, request(t, "POST", s.URL, b.String(), "X-Amz-Target", "Logs_20140328.CreateLogGroup",
		"Content-Type", "application/x-amz-json-1.1", "Content-Encoding", "gzip"))
	if !strings.Contains(body, "logs.CreateLogGroup") {
		t.Error(body)
	}
	b.Reset()
	z = gzip.NewWriter(&b)
	_, _ = z.Write(make([]byte, 64<<20))
	z.Close()
	resp, body := do(t, request(t, "POST", s.URL, b.String(), "X-Amz-Target", "Logs_20140328.CreateLogGroup",
		"Content-Type", "application/x-amz-json-1.1", "Content-Encoding", "gzip"))
	if resp.StatusCode != 413 || !strings.Contains(body, "RequestEntityTooLargeException") {
		t.Error(resp.StatusCode, body)
	}
}

func TestTooLarge(t *testing.T) {
	s := serve(t)
	for _, length := range []int64{-1, 0} {
		r := request(t, "POST", s.URL+"/2015-03-31/functions/echo/invocations", strings.Repeat(" ", 6<<20+1))
		if length < 0 {
			r.ContentLength = -1
		}
		resp, body := do(t, r)
		if resp.StatusCode != 413 || resp.Header.Get("x-amzn-ErrorType") != "RequestEntityTooLargeException" ||
			!strings.Contains(body, "Request must be smaller than 6291456 bytes for the InvokeFunction operation") {
			t.Error(resp.StatusCode, body)
		}
	}
	resp, _ := do(t, request(t, "POST", s.URL+"/2015-03-31/functions/echo/invocations", strings.Repeat(" ", 6<<20)))
	if resp.StatusCode != 200 {
		t.Error("6 MB are refused:", resp.StatusCode)
	}
}

func TestExpectContinue(t *testing.T) {
	s := serve(t)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /2015-03-31/functions/echo/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
	head := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(conn, head); err != nil || !strings.HasPrefix(string(head), "HTTP/1.1 100") {
		t.Fatal(string(head), err)
	}
	fmt.Fprint(conn, "{}")
	rest, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(rest), "HTTP/1.1 200 OK") || !strings.HasSuffix(string(rest), "{}") {
		t.Error(string(rest), err)
	}
}

// TestExpectContinueWithoutABody has the leave come before the answer where there is nothing to send, too.
func TestExpectContinueWithoutABody(t *testing.T) {
	s := serve(t)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /2015-03-31/functions/echo/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(all), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n") {
		t.Errorf("%.200q", all)
	}
}

func TestCutBody(t *testing.T) {
	s := serve(t)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "POST /2015-03-31/functions/echo/invocations HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{}")
	_ = conn.(*net.TCPConn).CloseWrite()
	b, _ := io.ReadAll(conn)
	if len(b) > 0 && !bytes.Contains(b, []byte("IncompleteBody")) && !bytes.HasPrefix(b, []byte("HTTP/1.1 400")) {
		t.Error(string(b))
	}
	conn.Close()
}

func TestEventStream(t *testing.T) {
	s := serve(t)
	resp, err := http.DefaultClient.Do(request(t, "POST", s.URL+"/2021-11-15/functions/echo/response-streaming-invocations", "one two three"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if ct := resp.Header.Get("Content-Type"); ct != "application/vnd.amazon.eventstream" || resp.Header.Get("X-Amz-Executed-Version") != "$LATEST" {
		t.Error(resp.Header)
	}
	d := eventstream.NewDecoder()
	var got []string
	for {
		m, err := d.Decode(resp.Body, nil)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Headers.Get(":event-type").String()+"="+string(m.Payload)+" "+m.Headers.Get(":content-type").String())
	}
	want := "PayloadChunk=one application/octet-stream,PayloadChunk=two application/octet-stream,PayloadChunk=three application/octet-stream,InvokeComplete={} application/json"
	if strings.Join(got, ",") != want {
		t.Error(got)
	}
}

// TestEventsArriveAtOnce waits for an event before the service sends the next.
func TestEventsArriveAtOnce(t *testing.T) {
	arrived := make(chan bool)
	e := endpoint.New(endpoint.Options{Logger: quiet})
	e.Register(&logs.Service, tail{events: func(send func(any) error) error {
		if err := send(&logs.StartLiveTailResponseStream{SessionStart: &logs.LiveTailSessionStart{SessionId: new("s1")}}); err != nil {
			return err
		}
		<-arrived
		return logs.SessionTimeoutException.New("over")
	}})
	s := httptest.NewServer(e)
	defer s.Close()
	resp, err := http.DefaultClient.Do(request(t, "POST", s.URL, `{"logGroupIdentifiers":["g"]}`, "X-Amz-Target", "Logs_20140328.StartLiveTail", "Content-Type", "application/x-amz-json-1.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	d := eventstream.NewDecoder()
	next := func() eventstream.Message {
		m, err := d.Decode(resp.Body, nil)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if m := next(); m.Headers.Get(":event-type").String() != "initial-response" || string(m.Payload) != "{}" {
		t.Error(m)
	}
	if m := next(); m.Headers.Get(":event-type").String() != "sessionStart" || string(m.Payload) != `{"sessionId":"s1"}` {
		t.Error(m, string(m.Payload))
	}
	close(arrived)
	if m := next(); m.Headers.Get(":message-type").String() != "exception" || m.Headers.Get(":exception-type").String() != "SessionTimeoutException" || !strings.Contains(string(m.Payload), "over") {
		t.Error(m, string(m.Payload))
	}
}

type tail struct {
	logs.Unimplemented
	events awsapi.EventStream
}

func (s tail) StartLiveTail(context.Context, *logs.StartLiveTailRequest) (*logs.StartLiveTailResponse, error) {
	return &logs.StartLiveTailResponse{ResponseStream: s.events}, nil
}

// TestBodiesStream sends the second half of a body after the service has answered the first.
func TestBodiesStream(t *testing.T) {
	e := newPutEndpoint(t, endpoint.Options{Logger: quiet}, func(_ context.Context, in *PutInput) (*PutOutput, error) {
		return &PutOutput{Body: in.Body}, nil
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		e.ServeHTTP(w, r)
	}))
	defer s.Close()
	in, send := io.Pipe()
	r, err := http.NewRequest("PUT", s.URL+"/a/b%20c", in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", fmt.Sprintf(scope, "s3"))
	go func() { _, _ = send.Write([]byte("first")) }()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "first" {
		t.Fatal(string(b), err)
	}
	go func() { _, _ = send.Write([]byte("second")); send.Close() }()
	if rest, err := io.ReadAll(resp.Body); err != nil || string(rest) != "second" {
		t.Error(string(rest), err)
	}
}

func TestStreamedBodiesAreChecked(t *testing.T) {
	var key, encoding string
	s := httptest.NewServer(newPutEndpoint(t, endpoint.Options{Logger: quiet}, func(ctx context.Context, in *PutInput) (*PutOutput, error) {
		key, encoding = *in.Key, awsapi.Val(in.Encoding)
		return countBody(ctx, in)
	}))
	defer s.Close()
	put := func(body string, header ...string) (*http.Response, string) {
		return do(t, request(t, "PUT", s.URL+"/a/b%2Fc%20d/", body, append(signedAs("s3"), header...)...))
	}
	resp, _ := put("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
		"X-Amz-Decoded-Content-Length", "5", "X-Amz-Trailer", "x-amz-checksum-crc32", "Content-Encoding", "aws-chunked,gzip")
	if resp.StatusCode != 200 || resp.Header.Get("x-amz-object-size") != "5" || key != "a/b/c d/" || encoding != "gzip" {
		t.Error(resp.StatusCode, resp.Header, key, encoding)
	}
	for name, header := range map[string][]string{
		"<Code>BadDigest</Code>":                 {"Content-MD5", "XUFAKrxLKna5cZ2REBfFkw=="},
		"<Code>InvalidDigest</Code>":             {"Content-MD5", "x"},
		"<Code>XAmzContentSHA256Mismatch</Code>": {"X-Amz-Content-Sha256", strings.Repeat("0", 64)},
	} {
		if resp, body := put("hello", header...); resp.StatusCode != 400 || !strings.Contains(body, name) || !strings.HasPrefix(body, "<?xml") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	if _, body := put("5\r\nhellO\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
		"X-Amz-Trailer", "x-amz-checksum-crc32"); !strings.Contains(body, "<Code>BadDigest</Code>") {
		t.Error(body)
	}
}

func TestOrigins(t *testing.T) {
	s := serve(t)
	for origin, ok := range map[string]bool{"http://localhost:3000": true, "http://127.0.0.1": true, "https://app.localhost": true,
		"https://evil.example": false, "null": false, "http://localhost.evil.example": false} {
		resp, _ := do(t, request(t, "OPTIONS", s.URL+"/2015-03-31/functions/echo/invocations", "", "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,x-amz-date"))
		if allowed := resp.Header.Get("Access-Control-Allow-Origin") == origin; allowed != ok || (resp.StatusCode == 204) != ok {
			t.Errorf("%s: %d %v", origin, resp.StatusCode, resp.Header)
		}
		resp, body := do(t, request(t, "POST", s.URL+"/2015-03-31/functions/echo/invocations", "{}", "Origin", origin))
		if (resp.StatusCode == 200) != ok || (body == "{}") != ok {
			t.Errorf("%s: %d %s", origin, resp.StatusCode, body)
		}
	}
}

// TestForeignNames is a name that someone points at this machine, opened in a browser.
func TestForeignNames(t *testing.T) {
	s := serve(t)
	for _, c := range []struct {
		host, agent string
		status      int
	}{
		{"evil.example:4566", "Mozilla/5.0", 403},
		{"localhost:4566", "Mozilla/5.0", 200},
		{"lambda.us-east-1.localhost", "Mozilla/5.0", 200},
		{"cirro.example", "Boto3/1.44.5", 200},
	} {
		r := request(t, "POST", s.URL+"/2015-03-31/functions/echo/invocations", "{}", "User-Agent", c.agent)
		r.Host = c.host
		if resp, body := do(t, r); resp.StatusCode != c.status {
			t.Errorf("%s %s: %d %s", c.host, c.agent, resp.StatusCode, body)
		}
	}
}

func TestMount(t *testing.T) {
	e := newEndpoint(t, endpoint.Options{})
	e.Mount(func(r *http.Request) bool { return r.URL.Path == "/_cirro/health" }, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "well")
	}))
	s := httptest.NewServer(e)
	defer s.Close()
	if resp, body := do(t, request(t, "GET", s.URL+"/_cirro/health", "")); resp.StatusCode != 200 || body != "well" || resp.Header.Get("Date") == "" {
		t.Error(resp.StatusCode, body)
	}
}

func TestPanicIsLogged(t *testing.T) {
	var log bytes.Buffer
	s := httptest.NewServer(newEndpoint(t, endpoint.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}))
	defer s.Close()
	for range 2 { // the process survives
		resp, _ := do(t, request(t, "POST", s.URL+"/2015-03-31/functions/panics/invocations", "{}"))
		if resp.StatusCode != 500 || !strings.Contains(log.String(), resp.Header.Get("x-amzn-RequestId")) || !strings.Contains(log.String(), "endpoint_test.go") {
			t.Error(resp.StatusCode, log.String())
		}
	}
}

// TestVerify has AWS's signer sign requests in each protocol, and spoils them.
func TestVerify(t *testing.T) {
	const secret = "secret"
	who := awsapi.Principal{Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/u", UserID: "AIDA"}
	identify := func(_ context.Context, key, token string) (awsapi.Principal, string, error) {
		switch {
		case key == "EXPIRED":
			return awsapi.Principal{}, "", sigv4.Expired.New("The security token included in the request is expired")
		case key != "KEY" || token != "" && token != "token":
			return awsapi.Principal{}, "", errors.New("who is that?")
		}
		return who, secret, nil
	}
	s := httptest.NewServer(newEndpoint(t, endpoint.Options{Verify: true, Identify: identify, Logger: quiet}))
	defer s.Close()
	invoke := func() *http.Request {
		return request(t, "POST", s.URL+"/2015-03-31/functions/a%3Ab/invocations?Qualifier=a%24b", `{"a":1}`)
	}
	whoami := func() *http.Request {
		return request(t, "POST", s.URL, "Action=GetCallerIdentity&Version=2011-06-15", "Content-Type", "application/x-www-form-urlencoded")
	}
	create := func() *http.Request {
		return request(t, "POST", s.URL, `{"logGroupName":"g"}`, "X-Amz-Target", "Logs_20140328.CreateLogGroup", "Content-Type", "application/x-amz-json-1.1")
	}
	now := time.Now()
	for _, c := range []struct {
		name        string
		make        func() *http.Request
		service     string
		credentials aws.Credentials
		at          time.Time
		spoil       func(r *http.Request)
		status      int
		code        string
	}{
		{"invoke", invoke, "lambda", aws.Credentials{}, now, nil, 200, ""},
		{"invoke with a hash", invoke, "lambda", aws.Credentials{}, now, func(r *http.Request) {}, 200, ""},
		{"identity", whoami, "sts", aws.Credentials{SessionToken: "token"}, now, nil, 200, "<Arn>arn:aws:iam::111122223333:user/u</Arn>"},
		{"json", create, "logs", aws.Credentials{}, now, nil, 501, "NotImplemented"},
		{"unsigned", invoke, "", aws.Credentials{}, now, nil, 403, "MissingAuthenticationTokenException"},
		{"unknown key", invoke, "lambda", aws.Credentials{AccessKeyID: "WHO"}, now, nil, 403, "UnrecognizedClientException"},
		{"unknown key in query", whoami, "sts", aws.Credentials{AccessKeyID: "WHO"}, now, nil, 403, "<Code>InvalidClientTokenId</Code>"},
		{"expired token", invoke, "lambda", aws.Credentials{AccessKeyID: "EXPIRED"}, now, nil, 403, "ExpiredTokenException"},
		{"wrong secret", invoke, "lambda", aws.Credentials{SecretAccessKey: "x"}, now, nil, 403, "InvalidSignatureException"},
		{"wrong secret in query", whoami, "sts", aws.Credentials{SecretAccessKey: "x"}, now, nil, 403, "<Code>SignatureDoesNotMatch</Code>"},
		{"wrong token", invoke, "lambda", aws.Credentials{SessionToken: "x"}, now, nil, 403, "UnrecognizedClientException"},
		{"late", invoke, "lambda", aws.Credentials{}, now.Add(-16 * time.Minute), nil, 403, "Signature expired"},
		{"early", invoke, "lambda", aws.Credentials{}, now.Add(16 * time.Minute), nil, 403, "Signature not yet current"},
		{"other body", invoke, "lambda", aws.Credentials{}, now, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"a":2}`)) }, 403, "InvalidSignatureException"},
		{"other body than its hash", invoke, "lambda", aws.Credentials{}, now, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"a":2}`)) }, 403, "InvalidSignatureException"},
		{"other form than its hash", whoami, "sts", aws.Credentials{}, now, func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader("Action=GetCallerIdentity&Version=2011-06-16"))
		}, 403, "SignatureDoesNotMatch"},
		{"other query", invoke, "lambda", aws.Credentials{}, now, func(r *http.Request) { r.URL.RawQuery = "Qualifier=c" }, 403, "InvalidSignatureException"},
		{"other form", whoami, "sts", aws.Credentials{}, now, func(r *http.Request) { r.URL.RawQuery = "a=b" }, 403, "SignatureDoesNotMatch"},
		{"other service", create, "lambda", aws.Credentials{}, now, nil, 403, "Credential should be scoped to correct service: 'logs'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.make()
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			cred := aws.Credentials{AccessKeyID: "KEY", SecretAccessKey: secret, SessionToken: c.credentials.SessionToken}
			if c.credentials.AccessKeyID != "" {
				cred.AccessKeyID = c.credentials.AccessKeyID
			}
			if c.credentials.SecretAccessKey != "" {
				cred.SecretAccessKey = c.credentials.SecretAccessKey
			}
			if strings.HasSuffix(c.name, "hash") {
				r.Header.Set("X-Amz-Content-Sha256", sigv4.HexSHA256(body))
			}
			if c.service != "" {
				if err := v4.NewSigner().SignHTTP(context.Background(), cred, r, sigv4.HexSHA256(body), c.service, "us-east-1", c.at); err != nil {
					t.Fatal(err)
				}
			}
			if c.spoil != nil {
				c.spoil(r)
			}
			resp, text := do(t, r)
			if text += resp.Header.Get("x-amzn-ErrorType"); resp.StatusCode != c.status || !strings.Contains(text, c.code) {
				t.Errorf("%d %s", resp.StatusCode, text)
			}
		})
	}
}

// TestAuthenticate is for handlers that are mounted.
func TestAuthenticate(t *testing.T) {
	identify := func(_ context.Context, key, _ string) (awsapi.Principal, string, error) {
		return awsapi.Principal{Account: key}, "secret", nil
	}
	signed := func(secret string) *http.Request {
		r := httptest.NewRequest("POST", "http://abc.lambda-url.us-east-1.localhost/x", nil)
		err := v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: "111122223333", SecretAccessKey: secret}, r,
			sigv4.HexSHA256([]byte("body")), "lambda", "us-east-1", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	unsigned := httptest.NewRequest("POST", "http://abc.lambda-url.us-east-1.localhost/x", nil)
	for _, c := range []struct {
		name   string
		verify bool
		r      *http.Request
		body   string
		want   error
	}{
		{"right", true, signed("secret"), "body", nil},
		{"wrong secret", true, signed("x"), "body", sigv4.Invalid},
		{"wrong body", true, signed("secret"), "x", sigv4.Invalid},
		{"unsigned", true, unsigned, "body", sigv4.MissingToken},
		{"taken at its word", false, signed("x"), "x", nil},
		{"unsigned, unverified", false, unsigned, "x", sigv4.MissingToken},
	} {
		e := endpoint.New(endpoint.Options{Verify: c.verify, Identify: identify})
		p, err := e.Authenticate(c.r, "lambda", []byte(c.body))
		if !errors.Is(err, c.want) || err == nil && p.Account != "111122223333" {
			t.Errorf("%s: %v %v", c.name, p, err)
		}
	}
}

func TestCall(t *testing.T) {
	e := newEndpoint(t, endpoint.Options{Logger: quiet})
	p := awsapi.Principal{Account: "123456789012", ARN: "arn:aws:iam::123456789012:root", Service: "apigateway.amazonaws.com"}
	ctx := awsapi.WithRequest(context.Background(), &awsapi.Request{ID: "outer", Region: "eu-west-1"})
	out, err := e.Call(ctx, p, "sts", "GetCallerIdentity", nil)
	if id, ok := out.(*sts.GetCallerIdentityResponse); err != nil || !ok || *id.Account != "123456789012" || *id.UserId != "eu-west-1" {
		t.Errorf("%v %v", out, err)
	}
	for _, c := range []struct {
		service, operation string
		in                 any
		want               error
	}{
		{"lambda", "Invoke", &lambda.InvocationRequest{FunctionName: new("missing")}, lambda.ResourceNotFoundException},
		{"lambda", "Invoke", &lambda.InvocationRequest{}, awsapi.ValidationException},
		{"lambda", "Invoke", &lambda.InvocationRequest{FunctionName: new("panics")}, awsapi.InternalFailure},
		{"lambda", "Nonsense", nil, endpoint.UnknownOperation},
		{"nobody", "Nonsense", nil, awsapi.NotImplemented},
		{"iam", "ListUsers", nil, awsapi.NotImplemented},
	} {
		if _, err := e.Call(ctx, p, c.service, c.operation, c.in); !errors.Is(err, c.want) {
			t.Errorf("%s.%s: %v", c.service, c.operation, err)
		}
	}
	if _, err := e.Call(ctx, p, "iam", "ListUsers", &iam.GetUserRequest{}); err == nil {
		t.Error("an input of another operation is taken")
	}
	if _, err := e.Call(context.Background(), p, "sts", "GetCallerIdentity", nil); err != nil {
		t.Error("without a request:", err)
	}
}
