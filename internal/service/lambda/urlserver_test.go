package lambda

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/sandbox"
)

// served is a function with a URL.
type served struct {
	*stage
	server *httptest.Server
	id     string
}

func serve(t *testing.T, p play, change func(*api.CreateFunctionUrlConfigRequest)) *served {
	t.Helper()
	s := &served{stage: newStage(t, p, func(d *Deps) {
		d.Authenticate = func(r *http.Request) (awsapi.Principal, error) {
			if r.Header.Get("Authorization") == "" {
				return awsapi.Principal{}, errors.New("unsigned")
			}
			return awsapi.Principal{Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/u", UserID: "AIDA", AccessKey: "AKIA"}, nil
		}
	})}
	s.function("f")
	in := &api.CreateFunctionUrlConfigRequest{FunctionName: new("f"), AuthType: new("NONE")}
	if change != nil {
		change(in)
	}
	if _, err := s.CreateFunctionUrlConfig(s.ctx, in); err != nil {
		t.Fatal(err)
	}
	s.id = urlLabel(scope{"000000000000", "us-east-1"}, "f", "")
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

func (s *served) do(method, path, body string, header ...string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.server.URL+urlPath+s.id+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, string(b)
}

func answering(payload string) play {
	return func(context.Context, *sandbox.Spec, *sandbox.Invocation) (*sandbox.Result, error) {
		return &sandbox.Result{Payload: []byte(payload)}, nil
	}
}

func TestURLMatch(t *testing.T) {
	for _, c := range []struct{ host, uri, id, path string }{
		{"abc.lambda-url.us-east-1.localhost:4566", "/x%2Fy/z?q=1", "abc", "/x%2Fy/z"},
		{"ABC.lambda-url.eu-west-1.on.aws", "/", "abc", "/"},
		{"localhost:4566", "/_aws/lambda-url/abc/a//b?", "abc", "/a//b"},
		{"localhost:4566", "/_aws/lambda-url/abc", "abc", "/"},
		{"localhost:4566", "/_aws/lambda-url/", "", "/"},
		{"localhost:4566", "/2015-03-31/functions", "", ""},
		{"abc.execute-api.us-east-1.localhost", "/", "", ""},
	} {
		r := httptest.NewRequest("GET", c.uri, nil)
		r.Host = c.host
		id, path := urlOfRequest(r)
		if id != c.id || path != c.path || (*Service)(nil).Match(r) != (c.id != "") {
			t.Errorf("%s%s: %q %q", c.host, c.uri, id, path)
		}
	}
}

func TestURLEvent(t *testing.T) {
	s := serve(t, echo, nil)
	_, body := s.do("POST", "/a%20b/c?x=1&y=%26%2f&x=2&z", `{"b":1}`, "Content-Type", "application/json", "X-Two", "1", "X-Two", "2",
		"Cookie", "a=1; b=2", "User-Agent", "test", "Accept-Encoding", "identity", "Connection", "close")
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err, body)
	}
	request := got["requestContext"].(map[string]any)
	if when, _ := request["time"].(string); len(when) != len("12/Mar/2020:19:03:58 +0000") || request["timeEpoch"].(float64) < 1.7e12 {
		t.Errorf("time: %v %v", request["time"], request["timeEpoch"])
	}
	headers := got["headers"].(map[string]any)
	host, _, _ := strings.Cut(headers["host"].(string), ":")
	if !strings.HasPrefix(headers["x-amzn-trace-id"].(string), "Root=1-") {
		t.Errorf("trace: %v", headers["x-amzn-trace-id"])
	}
	port := headers["x-forwarded-port"]
	for _, varying := range []string{"x-amzn-trace-id", "x-forwarded-port", "host"} {
		delete(headers, varying)
	}
	delete(request, "time")
	delete(request, "timeEpoch")
	if len(request["requestId"].(string)) != 36 || port == "" {
		t.Error(request["requestId"], port)
	}
	delete(request, "requestId")
	var want map[string]any
	if err := json.Unmarshal([]byte(`{"version":"2.0","routeKey":"$default","rawPath":"/a%20b/c","rawQueryString":"x=1&y=%26%2f&x=2&z",
		"cookies":["a=1","b=2"],"headers":{"content-type":"application/json","content-length":"7","x-two":"1,2","cookie":"a=1; b=2",
		"user-agent":"test","accept-encoding":"identity","x-forwarded-for":"127.0.0.1","x-forwarded-proto":"http"},
		"queryStringParameters":{"x":"1,2","y":"&/","z":""},"requestContext":{"accountId":"anonymous","apiId":"`+s.id+`",
		"domainName":"`+host+`","domainPrefix":"`+s.id+`","http":{"method":"POST","path":"/a%20b/c","protocol":"HTTP/1.1",
		"sourceIp":"127.0.0.1","userAgent":"test"},"routeKey":"$default","stage":"$default"},"body":"{\"b\":1}","isBase64Encoded":false}`), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestURLBody(t *testing.T) {
	s := serve(t, echo, nil)
	for _, c := range []struct {
		kind, body string
		base64     bool
		want       any
	}{
		{"text/plain; charset=utf-8", "text <>", false, "text <>"},
		{"application/vnd.x+json", `{}`, false, `{}`},
		{"application/x-www-form-urlencoded", "a=b", true, "YT1i"},
		{"multipart/form-data; boundary=x", "--x", true, "LS14"},
		{"text/plain", "\xff", true, "/w=="},
		{"", "x", true, "eA=="},
		{"text/plain", "", false, nil},
	} {
		header := []string{"Content-Type", c.kind}
		if c.kind == "" {
			header = nil
		}
		_, body := s.do("POST", "/", c.body, header...)
		var got map[string]any
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err, body)
		}
		if got["isBase64Encoded"] != c.base64 || got["body"] != c.want {
			t.Errorf("%s %q: %v %v", c.kind, c.body, got["isBase64Encoded"], got["body"])
		}
	}
}

// The first of these are as AWS answered: test_lambda_url_invocation in
// https://github.com/localstack/localstack/blob/main/tests/aws/services/lambda_/test_lambda.snapshot.json
func TestURLAnswers(t *testing.T) {
	for _, c := range []struct {
		payload string
		status  int
		kind    string
		body    string
		header  string // name: value
	}{
		{`{"hello":"world"}`, 200, "application/json", `{"hello":"world"}`, ""},
		{`["hello",3,true]`, 200, "application/json", `["hello",3,true]`, ""},
		{`"hello"`, 200, "application/json", "hello", ""},
		{`3.1`, 200, "application/json", "3.1", ""},
		{`true`, 200, "application/json", "true", ""},
		{`null`, 200, "application/json", "null", ""},
		{`{"statusCode":200,"body":"body123"}`, 200, "application/json", "body123", ""},
		{`{"statusCode":"418","body":"i'm a teapot"}`, 418, "application/json", "i'm a teapot", ""},
		{`{"statusCode":201,"headers":{"content-type":"text/html","X-Num":5},"body":"YQ==","isBase64Encoded":true}`, 201, "text/html", "a", "X-Num: 5"},
		{`{"statusCode":200,"cookies":["a=1; Secure","b=2"]}`, 200, "application/json", "", "Set-Cookie: a=1; Secure"},
		{`{"statusCode":200,"headers":{"Content-Length":"900"},"body":"x"}`, 200, "application/json", "x", "X-Amzn-Remapped-Content-Length: 900"},
		{`{"statusCode":204}`, 204, "application/json", "", ""},
		{`{"statusCode":"no"}`, 502, "application/json", "Internal Server Error", ""},
		{`{"statusCode":99}`, 502, "application/json", "Internal Server Error", ""},
		{`{"statusCode":200,"body":{"a":1}}`, 502, "application/json", "Internal Server Error", ""},
		{`{"statusCode":200,"body":"*","isBase64Encoded":true}`, 502, "application/json", "Internal Server Error", ""},
		{`{"statusCode":200,"headers":{"a b":"c"}}`, 502, "application/json", "Internal Server Error", ""},
		{`{"statusCode":200,"headers":{"a":"c\r\nd: e"}}`, 502, "application/json", "Internal Server Error", ""},
		{`{"statusCode":200,"headers":"none"}`, 502, "application/json", "Internal Server Error", ""},
	} {
		s := serve(t, answering(c.payload), nil)
		res, body := s.do("GET", "/", "")
		if res.StatusCode != c.status || body != c.body || res.Header.Get("Content-Type") != c.kind || len(res.Header.Get("X-Amzn-Requestid")) != 36 {
			t.Errorf("%s: %d %q %v", c.payload, res.StatusCode, body, res.Header)
		}
		if name, value, ok := strings.Cut(c.header, ": "); ok && res.Header.Get(name) != value {
			t.Errorf("%s: %v", c.payload, res.Header)
		}
	}
}

func TestURLErrors(t *testing.T) {
	s := serve(t, func(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		return &sandbox.Result{FunctionError: "Unhandled", Payload: []byte(`{}`)}, nil
	}, nil)
	check := func(what string, res *http.Response, body string, status int, kind, want string) {
		t.Helper()
		if res.StatusCode != status || strings.TrimSpace(body) != want || res.Header.Get("X-Amzn-Errortype") != kind ||
			res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %q %v", what, res.StatusCode, body, res.Header)
		}
	}
	res, body := s.do("GET", "/", "")
	check("function error", res, body, 502, "", "Internal Server Error")
	res, body = s.do("POST", "/", strings.Repeat("x", maxRequest), "Content-Type", "text/plain")
	check("large", res, body, 413, "RequestEntityTooLargeException", `{"Message":"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}`)
	s.reserve("f", 0)
	res, body = s.do("GET", "/", "")
	check("throttled", res, body, 429, "TooManyRequestsException",
		`{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}`)
	if _, err := s.UpdateFunctionUrlConfig(s.ctx, &api.UpdateFunctionUrlConfigRequest{FunctionName: new("f"), AuthType: new("AWS_IAM")}); err != nil {
		t.Fatal(err)
	}
	res, body = s.do("GET", "/", "")
	check("unsigned", res, body, 403, "AccessDeniedException", `{"Message":"Forbidden. For troubleshooting Function URL authorization issues, `+
		`see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}`)
	if _, err := s.DeleteFunctionUrlConfig(s.ctx, &api.DeleteFunctionUrlConfigRequest{FunctionName: new("f")}); err != nil {
		t.Fatal(err)
	}
	res, body = s.do("GET", "/", "")
	check("deleted", res, body, 403, "AccessDeniedException", `{"Message":null}`)
}

func TestURLOfPrincipal(t *testing.T) {
	s := serve(t, echo, func(in *api.CreateFunctionUrlConfigRequest) { in.AuthType = new("AWS_IAM") })
	_, body := s.do("GET", "/", "", "Authorization", "AWS4-HMAC-SHA256 …")
	if !strings.Contains(body, `"requestContext":{"accountId":"111122223333",`) || !strings.Contains(body, `"authorizer":{"iam":{"accessKey":"AKIA",`+
		`"accountId":"111122223333","callerId":"AIDA","cognitoIdentity":null,"principalOrgId":null,"userArn":"arn:aws:iam::111122223333:user/u","userId":"AIDA"}}`) {
		t.Error(body)
	}
}

func TestURLCors(t *testing.T) {
	s := serve(t, answering(`{"statusCode":200,"headers":{"Access-Control-Allow-Origin":"https://own"},"body":"x"}`), func(in *api.CreateFunctionUrlConfigRequest) {
		in.Cors = &api.Cors{AllowOrigins: []string{"https://a", "https://b"}, AllowMethods: []string{"GET", "PUT"}, AllowHeaders: []string{"X-One", "x-two"},
			ExposeHeaders: []string{"X-Out"}, MaxAge: new(int32(5)), AllowCredentials: new(true)}
	})
	cors := func(h http.Header) map[string]string {
		got := map[string]string{}
		for name, values := range h {
			if rest, ok := strings.CutPrefix(name, "Access-Control-"); ok {
				got[rest] = strings.Join(values, "|")
			}
		}
		return got
	}
	res, body := s.do("OPTIONS", "/", "", "Origin", "https://b", "Access-Control-Request-Method", "PUT")
	if want := map[string]string{"Allow-Origin": "https://b", "Allow-Methods": "GET,PUT", "Allow-Headers": "x-one,x-two", "Expose-Headers": "X-Out",
		"Max-Age": "5", "Allow-Credentials": "true"}; res.StatusCode != 200 || body != "" || !reflect.DeepEqual(cors(res.Header), want) {
		t.Errorf("preflight: %d %q %v", res.StatusCode, body, cors(res.Header))
	}
	res, _ = s.do("OPTIONS", "/", "", "Origin", "https://c", "Access-Control-Request-Method", "PUT")
	if res.StatusCode != 200 || len(cors(res.Header)) != 0 {
		t.Errorf("preflight of a stranger: %d %v", res.StatusCode, res.Header)
	}
	res, body = s.do("GET", "/", "", "Origin", "https://a")
	if want := map[string]string{"Allow-Origin": "https://a|https://own", "Expose-Headers": "X-Out", "Allow-Credentials": "true"}; body != "x" ||
		!reflect.DeepEqual(cors(res.Header), want) || res.Header.Get("Vary") != "Origin" {
		t.Errorf("request: %q %v", body, res.Header)
	}
	res, body = s.do("OPTIONS", "/", "", "Origin", "https://a") // no preflight: the function answers
	if body != "x" {
		t.Errorf("plain OPTIONS: %d %q", res.StatusCode, body)
	}
	if _, err := s.UpdateFunctionUrlConfig(s.ctx, &api.UpdateFunctionUrlConfigRequest{FunctionName: new("f"), Cors: &api.Cors{AllowOrigins: []string{"*"}}}); err != nil {
		t.Fatal(err)
	}
	if res, _ = s.do("GET", "/", "", "Origin", "https://z"); res.Header.Get("Access-Control-Allow-Origin") != "https://z" {
		t.Errorf("any origin: %v", res.Header)
	}
}

func streamed(in *api.CreateFunctionUrlConfigRequest) { in.InvokeMode = new("RESPONSE_STREAM") }

func TestURLStream(t *testing.T) {
	chunks := make(chan string)
	s := serve(t, telling("text/event-stream", chunks, &sandbox.Result{}), streamed)
	go func() { chunks <- "one\n" }()
	res, err := http.Get(s.server.URL + urlPath + s.id + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	if line, err := lines.ReadString('\n'); line != "one\n" || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(line, err, res.Header)
	}
	chunks <- "two\n" // made after the first arrived
	close(chunks)
	if rest, err := io.ReadAll(lines); string(rest) != "two\n" || err != nil {
		t.Error(string(rest), err)
	}
}

func TestURLStreamPrelude(t *testing.T) {
	end := strings.Repeat("\x00", 8)
	for _, c := range []struct {
		chunks []string
		status int
		body   string
		header string
	}{
		{[]string{`{"statusCode":201,"headers":{"X-A":"b","Content-Type":"text/x"},"cookies":["c=d"]}` + end + "body", " more"}, 201, "body more", "b text/x c=d"},
		{[]string{`{"statusCode"`, `:202}` + end[:3], end[3:], "body"}, 202, "body", " application/json "},
		{[]string{`{}` + end}, 200, "", " application/json "},
		{[]string{`{"statusCode":"x"}` + end}, 502, "Internal Server Error", " application/json "},
		{[]string{`{"statusCode":200}`}, 502, "Internal Server Error", " application/json "},
		{[]string{`no` + end}, 502, "Internal Server Error", " application/json "},
	} {
		chunks := make(chan string, len(c.chunks))
		for _, chunk := range c.chunks {
			chunks <- chunk
		}
		close(chunks)
		s := serve(t, telling(preludeType, chunks, &sandbox.Result{}), streamed)
		res, body := s.do("GET", "/", "")
		h := res.Header
		header := h.Get("X-A") + " " + h.Get("Content-Type") + " " + h.Get("Set-Cookie")
		if res.StatusCode != c.status || body != c.body || header != c.header {
			t.Errorf("%q: %d %q %q", c.chunks, res.StatusCode, body, header)
		}
	}
}

func TestURLStreamBreaks(t *testing.T) {
	s := serve(t, telling("", nil, &sandbox.Result{FunctionError: "Unhandled", StreamError: &sandbox.StreamError{}}), streamed)
	if res, body := s.do("GET", "/", ""); res.StatusCode != 502 || body != "Internal Server Error" {
		t.Errorf("before the first byte: %d %q", res.StatusCode, body)
	}
	chunks := make(chan string, 1)
	chunks <- "part"
	close(chunks)
	s = serve(t, telling("text/x", chunks, &sandbox.Result{StreamError: &sandbox.StreamError{}}), streamed)
	res, err := http.Get(s.server.URL + urlPath + s.id + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); string(body) != "part" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("after it: %q, %v", body, err)
	}
}

func FuzzParseAnswer(f *testing.F) {
	for _, seed := range []string{`{"statusCode":200,"headers":{"a":"b"},"cookies":["c"],"body":"eA==","isBase64Encoded":true}`, `"x"`, `null`, ` {"statusCode":"1"}`, ``, ` `, `[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if a, ok := parseAnswer(payload); ok {
			if a.Status < 100 || a.Status > 599 {
				t.Fatal(a.Status)
			}
			a.head(httptest.NewRecorder())
		}
	})
}
