package apigateway

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	lambda "cirro/internal/awsapi/lambda"
)

func TestAddresses(t *testing.T) {
	r := newRig(t)
	id := r.catchAll(api.CreateRestApiRequest{})
	for _, c := range []struct{ path, host, wantPath, wantDomain string }{
		{"/_aws/execute-api/" + id + "/prod/a/b", "", "/a/b", id + ".execute-api.eu-west-1.localhost"},
		{"/_aws/execute-api/" + strings.ToUpper(id) + "/prod", "", "/", id + ".execute-api.eu-west-1.localhost"},
		{"/restapis/" + id + "/prod/_user_request_/a/b", "", "/a/b", id + ".execute-api.eu-west-1.localhost"},
		{"/restapis/" + id + "/prod/_user_request_", "", "/", id + ".execute-api.eu-west-1.localhost"},
		{"/prod/a", id + ".execute-api.eu-west-1.localhost:4566", "/a", id + ".execute-api.eu-west-1.localhost"},
		{"/prod//a", id + ".execute-api.eu-west-1.amazonaws.com", "/a", id + ".execute-api.eu-west-1.amazonaws.com"},
		{"/prod/prod/", id + ".execute-api.localhost.localstack.cloud:4566", "/prod/", id + ".execute-api.localhost.localstack.cloud"},
	} {
		res, body := r.do("GET", c.path, "", "Host", c.host)
		if res.StatusCode != 200 {
			t.Errorf("%+v: got %d %s", c, res.StatusCode, body)
			continue
		}
		e := r.calls.event()
		context := e["requestContext"].(map[string]any)
		if e["path"] != c.wantPath || context["domainName"] != c.wantDomain || context["apiId"] != id || context["stage"] != "prod" {
			t.Errorf("%+v: got %v %v", c, e["path"], context)
		}
	}
}

func TestMatch(t *testing.T) {
	s := &Service{}
	for target, want := range map[string]bool{
		"http://x/_aws/execute-api/a/b": true, "http://x/_aws/execute-apis": false, "http://x/restapis/a/b/_user_request_/c": true,
		"http://x/restapis/a/resources/b": false, "http://x/restapis": false, "http://a.execute-api.us-east-1.localhost/": true,
		"http://a.execute-api.us-east-1.amazonaws.com/": true, "http://a.execute-api.evil.com/": false, "http://execute-api.us-east-1.localhost/": false,
		"http://a.b.execute-api.us-east-1.localhost/": false, "http://a.execute-api.xlocalhost/": false, "http://a.execute-api.x.y.localhost/": false,
	} {
		req, err := http.NewRequest("GET", target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Match(req); got != want {
			t.Errorf("%s: got %v", target, got)
		}
	}
}

func TestUnknown(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	r.proxied(id, r.resource(id, root, "x"), "GET", fnARN)
	r.deploy(id, "prod")
	for _, c := range []struct {
		method, path, message, errorType string
	}{
		{"GET", "/_aws/execute-api/nope/prod/x", "Forbidden", "ForbiddenException"},
		{"GET", "/_aws/execute-api/" + id + "/nope/x", "Forbidden", "ForbiddenException"},
		{"GET", "/_aws/execute-api/" + id, "Forbidden", "ForbiddenException"},
		{"GET", "/_aws/execute-api/" + id + "/prod/y", "Missing Authentication Token", "MissingAuthenticationTokenException"},
		{"GET", "/_aws/execute-api/" + id + "/prod", "Missing Authentication Token", "MissingAuthenticationTokenException"},
		{"POST", "/_aws/execute-api/" + id + "/prod/x", "Missing Authentication Token", "MissingAuthenticationTokenException"},
		{"PROPFIND", "/_aws/execute-api/" + id + "/prod/x", "Missing Authentication Token", "MissingAuthenticationTokenException"},
	} {
		res, body := r.do(c.method, c.path, "")
		if res.StatusCode != 403 || body != `{"message":"`+c.message+`"}` || res.Header.Get("x-amzn-ErrorType") != c.errorType ||
			res.Header.Get("Content-Type") != "application/json" || res.Header.Get("x-amz-apigw-id") == "" {
			t.Errorf("%+v: got %d %s %v", c, res.StatusCode, body, res.Header)
		}
	}
}

func TestEvent(t *testing.T) {
	r := newRig(t)
	id := r.catchAll(api.CreateRestApiRequest{})
	res, _ := r.do("POST", "/_aws/execute-api/"+id+"/prod/user/test%2Balias@x.y/a+b/?p=1&p=2&e=%2B", "hi",
		"tEsT-HEADeR", "aValUE", "authorization", "secret", "X-Multi", "1", "X-Multi", "2", "User-Agent", "test", "X-Forwarded-For", "203.0.113.9")
	e := r.calls.event()
	host := strings.TrimPrefix(r.server.URL, "http://")
	_, port, _ := strings.Cut(host, ":")
	headers := e["headers"].(map[string]any)
	trace, _ := headers["X-Amzn-Trace-Id"].(string)
	if !regexp.MustCompile(`^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$`).MatchString(trace) || res.Header.Get("X-Amzn-Trace-Id") != trace {
		t.Errorf("the trace id %q, %q", trace, res.Header.Get("X-Amzn-Trace-Id"))
	}
	delete(headers, "X-Amzn-Trace-Id")
	delete(headers, "Accept-Encoding")
	if want := map[string]any{"Host": host, "tEsT-HEADeR": "aValUE", "Authorization": "secret", "X-Multi": "2", "User-Agent": "test",
		"X-Forwarded-For": "203.0.113.9, 127.0.0.1", "X-Forwarded-Port": port, "X-Forwarded-Proto": "http"}; !reflect.DeepEqual(headers, want) {
		t.Errorf("got the headers %v", headers)
	}
	if got := e["multiValueHeaders"].(map[string]any)["X-Multi"]; !reflect.DeepEqual(got, []any{"1", "2"}) {
		t.Errorf("got %v", got)
	}
	context := e["requestContext"].(map[string]any)
	for name, want := range map[string]any{"path": "/prod/user/test%2Balias@x.y/a+b/", "resourcePath": "/{proxy+}", "httpMethod": "POST",
		"accountId": account, "protocol": "HTTP/1.1", "stage": "prod", "domainPrefix": id, "apiId": id, "requestId": res.Header.Get("x-amzn-RequestId"),
		"extendedRequestId": res.Header.Get("x-amz-apigw-id")} {
		if context[name] != want {
			t.Errorf("%s: got %v, want %v", name, context[name], want)
		}
	}
	if id := context["identity"].(map[string]any); id["sourceIp"] != "127.0.0.1" || id["userAgent"] != "test" {
		t.Errorf("got %v", id)
	}
	if e["path"] != "/user/test%2Balias@x.y/a+b/" || e["body"] != "hi" || e["isBase64Encoded"] != false || e["stageVariables"] != nil ||
		!reflect.DeepEqual(e["pathParameters"], map[string]any{"proxy": "user/test%2Balias@x.y/a+b"}) ||
		!reflect.DeepEqual(e["queryStringParameters"], map[string]any{"p": "2", "e": "+"}) {
		t.Errorf("got %v", e)
	}
	last := r.calls.last
	if *last.in.FunctionName != fnARN || last.principal.Service != "apigateway.amazonaws.com" || last.region != "eu-west-1" ||
		last.principal.SourceARN != "arn:aws:execute-api:eu-west-1:000000000000:"+id+"/prod/POST/{proxy+}" {
		t.Errorf("got %+v", last.principal)
	}
}

func TestReply(t *testing.T) {
	r := newRig(t)
	id := r.catchAll(api.CreateRestApiRequest{BinaryMediaTypes: []string{"image/png"}})
	url := "/_aws/execute-api/" + id + "/prod/x"
	for _, c := range []struct {
		name, payload string
		accept        string
		status        int
		body          string
		headers       map[string]string
	}{
		{"whole", `{"statusCode":"201","headers":{"X-A":"b"},"body":"text"}`, "", 201, "text", map[string]string{"X-A": "b", "Content-Type": "application/json"}},
		{"empty", `{}`, "", 200, "", map[string]string{"Content-Type": "application/json", "Content-Length": "0"}},
		{"content type", `{"headers":{"content-type":"text/html"},"body":"<"}`, "", 200, "<", map[string]string{"Content-Type": "text/html"}},
		{"remapped", `{"headers":{"Connection":"close","Content-Length":"1","transfer-encoding":"chunked"},"body":"four"}`, "", 200, "four",
			map[string]string{"X-Amzn-Remapped-Connection": "close", "X-Amzn-Remapped-Content-Length": "1", "Content-Length": "4"}},
		{"binary", `{"body":"aGk=","isBase64Encoded":true}`, "image/png", 200, "hi", nil},
		{"not accepted", `{"body":"aGk=","isBase64Encoded":true}`, "*/*", 200, "aGk=", nil},
		{"malformed", `"text"`, "", 502, `{"message":"Internal server error"}`, map[string]string{"X-Amzn-Errortype": "InternalServerErrorException"}},
		{"a member too many", `{"statusCode":200,"wrongValue":"v"}`, "", 502, `{"message":"Internal server error"}`, nil},
		{"no base64", `{"body":"%","isBase64Encoded":true}`, "image/png", 500, `{"message":"Internal server error"}`, nil},
		{"no content", `{"statusCode":204}`, "", 204, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.calls.answers(c.payload)
			res, body := r.do("GET", url, "", "Accept", c.accept)
			if res.StatusCode != c.status || body != c.body {
				t.Errorf("got %d %q", res.StatusCode, body)
			}
			for name, want := range c.headers {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s: got %q", name, got)
				}
			}
		})
	}
	r.calls.answers(`{"multiValueHeaders":{"Set-Cookie":["a=1","b=2"]},"body":"x"}`)
	res, body := r.do("HEAD", url, "")
	if got := res.Header["Set-Cookie"]; !reflect.DeepEqual(got, []string{"a=1", "b=2"}) || body != "" || res.ContentLength != 1 {
		t.Errorf("got %v %q %d", got, body, res.ContentLength)
	}
}

func TestFunctionFailures(t *testing.T) {
	r := newRig(t)
	id := r.catchAll(api.CreateRestApiRequest{})
	for _, c := range []struct {
		out    *lambda.InvocationResponse
		err    error
		status int
		body   string
	}{
		{&lambda.InvocationResponse{FunctionError: new("Unhandled"), Payload: []byte(`{"errorMessage":"secret"}`)}, nil, 502, "Internal server error"},
		{nil, lambda.TooManyRequestsException.New("Rate Exceeded."), 500, "Internal server error"},
		{nil, lambda.ResourceNotFoundException.New("Function not found"), 500, "Internal server error"},
		{nil, awsapi.AccessDenied.New("no"), 500, "Internal server error"},
		{nil, errors.New("broken"), 500, "Internal server error"},
		{nil, lambda.RequestTooLargeException.New("large"), 413, "Request Too Long"},
	} {
		r.calls.invoke = func(*lambda.InvocationRequest) (*lambda.InvocationResponse, error) { return c.out, c.err }
		res, body := r.do("GET", "/_aws/execute-api/"+id+"/prod/x", "")
		if res.StatusCode != c.status || body != `{"message":"`+c.body+`"}` {
			t.Errorf("%v: got %d %s", c.err, res.StatusCode, body)
		}
	}
}

func TestTimeout(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	r.proxied(id, root, "GET", fnARN)
	must[*api.Integration](t)(r.UpdateIntegration(r.ctx, &api.UpdateIntegrationRequest{RestApiId: &id, ResourceId: &root, HttpMethod: new("GET"),
		PatchOperations: []api.PatchOperation{value("replace", "/timeoutInMillis", "50")}}))
	r.deploy(id, "prod")
	end := make(chan struct{})
	defer close(end)
	r.calls.invoke = func(*lambda.InvocationRequest) (*lambda.InvocationResponse, error) {
		<-end
		return nil, errors.New("late")
	}
	if res, body := r.do("GET", "/_aws/execute-api/"+id+"/prod", ""); res.StatusCode != 504 || body != `{"message":"Endpoint request timed out"}` {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

func TestBinaryRequest(t *testing.T) {
	r := newRig(t)
	id := r.catchAll(api.CreateRestApiRequest{BinaryMediaTypes: []string{"image/*"}})
	r.do("POST", "/_aws/execute-api/"+id+"/prod/x", "\xff\xd8", "Content-Type", "image/jpeg")
	if e := r.calls.event(); e["body"] != "/9g=" || e["isBase64Encoded"] != true {
		t.Errorf("got %v", e["body"])
	}
	r.do("POST", "/_aws/execute-api/"+id+"/prod/x", "ü<&", "Content-Type", "text/plain")
	if e := r.calls.event(); e["body"] != "ü<&" || e["isBase64Encoded"] != false || !bytes.Contains(r.calls.last.in.Payload, []byte("ü<&")) {
		t.Errorf("got %v", e["body"])
	}
}

func TestTooLarge(t *testing.T) {
	r := newRig(t)
	id := r.catchAll(api.CreateRestApiRequest{})
	if res, body := r.do("POST", "/_aws/execute-api/"+id+"/prod/x", strings.Repeat("a", maxPayload+1)); res.StatusCode != 413 || body != `{"message":"Request Too Long"}` {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	if res, _ := r.do("POST", "/_aws/execute-api/"+id+"/prod/x", strings.Repeat("a", maxPayload)); res.StatusCode != 200 {
		t.Errorf("at the limit: got %d", res.StatusCode)
	}
}

func TestCompression(t *testing.T) {
	r := newRig(t)
	id := r.catchAll(api.CreateRestApiRequest{MinimumCompressionSize: new(int32(10))})
	url := "/_aws/execute-api/" + id + "/prod/x"
	long := strings.Repeat("a", 10)
	r.calls.answers(`{"body":"` + long + `"}`)
	res, body := r.do("GET", url, "", "Accept-Encoding", "br, gzip;q=1")
	if res.Header.Get("Content-Encoding") != "gzip" || gunzip(t, body) != long {
		t.Errorf("got %v %q", res.Header, body)
	}
	for _, accept := range []string{"identity", "br", "gzip;q=0"} {
		if res, body := r.do("GET", url, "", "Accept-Encoding", accept); res.Header.Get("Content-Encoding") != "" || body != long {
			t.Errorf("%s: got %v %q", accept, res.Header, body)
		}
	}
	r.calls.answers(`{"body":"short"}`)
	if res, body := r.do("GET", url, "", "Accept-Encoding", "gzip"); res.Header.Get("Content-Encoding") != "" || body != "short" {
		t.Errorf("got %v %q", res.Header, body)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	io.WriteString(w, "hello")
	w.Close()
	r.do("POST", url, packed.String(), "Content-Encoding", "gzip")
	if e := r.calls.event(); e["body"] != "hello" {
		t.Errorf("got %v", e["body"])
	}
	if res, _ := r.do("POST", url, "not packed", "Content-Encoding", "gzip"); res.StatusCode != 400 {
		t.Errorf("got %d", res.StatusCode)
	}
	packed.Reset()
	w = gzip.NewWriter(&packed)
	w.Write(make([]byte, maxPayload+1))
	w.Close()
	if res, _ := r.do("POST", url, packed.String(), "Content-Encoding", "gzip"); res.StatusCode != 413 {
		t.Errorf("a bomb: got %d", res.StatusCode)
	}
}

func gunzip(t *testing.T, s string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A deployment is a snapshot: what changes in the API shows only when it is deployed again, while a
// stage's own changes show at once. Two services over one store, as on two nodes, see the same.
func TestSnapshotsAndCoherence(t *testing.T) {
	r := newRig(t)
	other := rigOn(t, r.store)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	r.proxied(id, root, "GET", "arn:aws:lambda:eu-west-1:000000000000:function:${stageVariables.fn}:${stageVariables.alias}")
	first := r.deploy(id, "prod")
	url := "/_aws/execute-api/" + id + "/prod"
	if res, _ := r.do("GET", url, ""); res.StatusCode != 200 || *r.calls.last.in.FunctionName != "arn:aws:lambda:eu-west-1:000000000000:function::" {
		t.Errorf("without variables: got %d %s", res.StatusCode, *r.calls.last.in.FunctionName)
	}
	set := func(ops ...api.PatchOperation) {
		t.Helper()
		must[*api.Stage](t)(r.UpdateStage(r.ctx, &api.UpdateStageRequest{RestApiId: &id, StageName: new("prod"), PatchOperations: ops}))
	}
	set(value("replace", "/variables/fn", "g"), value("replace", "/variables/alias", "live"))
	for _, node := range []*rig{r, other} {
		node.do("GET", url, "")
		if got := *node.calls.last.in.FunctionName; got != "arn:aws:lambda:eu-west-1:000000000000:function:g:live" {
			t.Errorf("got %s", got)
		}
		if e := node.calls.event(); !reflect.DeepEqual(e["stageVariables"], map[string]any{"fn": "g", "alias": "live"}) {
			t.Errorf("got %v", e["stageVariables"])
		}
	}
	r.proxied(id, root, "POST", fnARN)
	both := func(method string, want int) {
		t.Helper()
		for _, node := range []*rig{r, other} {
			if res, body := node.do(method, url, ""); res.StatusCode != want {
				t.Errorf("got %d %s, want %d", res.StatusCode, body, want)
			}
		}
	}
	both("POST", 403)
	r.deploy(id, "prod")
	both("POST", 200)
	set(value("replace", "/deploymentId", first))
	both("POST", 403)
	must[*api.DeleteStageOutput](t)(r.DeleteStage(r.ctx, &api.DeleteStageRequest{RestApiId: &id, StageName: new("prod")}))
	both("GET", 403)
}

func TestAuthorization(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	r.proxied(id, root, "GET", fnARN)
	r.proxied(id, root, "POST", fnARN)
	patch := func(method string, op api.PatchOperation) {
		must[*api.Method](t)(r.UpdateMethod(r.ctx, &api.UpdateMethodRequest{RestApiId: &id, ResourceId: &root, HttpMethod: &method, PatchOperations: []api.PatchOperation{op}}))
	}
	patch("GET", value("replace", "/authorizationType", "AWS_IAM"))
	patch("POST", value("replace", "/apiKeyRequired", "true"))
	r.deploy(id, "prod")
	url := "/_aws/execute-api/" + id + "/prod"
	if res, body := r.do("POST", url, ""); res.StatusCode != 403 || body != `{"message":"Forbidden"}` {
		t.Errorf("without a key: got %d %s", res.StatusCode, body)
	}
	if res, body := r.do("GET", url, ""); res.StatusCode != 403 || body != `{"message":"Missing Authentication Token"}` {
		t.Errorf("unsigned: got %d %s", res.StatusCode, body)
	}
	if res, _ := r.do("GET", url, "", "Authorization", "AWS4-HMAC-SHA256 x"); res.StatusCode != 501 {
		t.Errorf("nobody to verify: got %d", res.StatusCode)
	}
	r.authenticate = func(req *http.Request) (awsapi.Principal, error) {
		if body, _ := io.ReadAll(req.Body); string(body) != "signed" {
			t.Errorf("got the body %q", body)
		}
		return awsapi.Principal{Account: account, ARN: "arn:u", UserID: "u", AccessKey: "k"}, nil
	}
	r.do("GET", url, "signed", "Authorization", "AWS4-HMAC-SHA256 x")
	if id := r.calls.event()["requestContext"].(map[string]any)["identity"].(map[string]any); id["userArn"] != "arn:u" || id["accessKey"] != "k" || id["caller"] != "u" {
		t.Errorf("got %v", id)
	}
	r.authenticate = func(*http.Request) (awsapi.Principal, error) {
		return awsapi.Principal{}, awsapi.AccessDenied.New("wrong")
	}
	if res, body := r.do("GET", url, "", "Authorization", "AWS4-HMAC-SHA256 x"); res.StatusCode != 403 || body != `{"message":"wrong"}` || res.Header.Get("x-amzn-ErrorType") != "AccessDeniedException" {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
}

func TestGatewayResponseAnswers(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	r.proxied(id, root, "GET", fnARN)
	put := func(kind, status string, parameters map[string]string, template string) {
		in := &api.PutGatewayResponseRequest{RestApiId: &id, ResponseType: &kind, ResponseParameters: parameters}
		if status != "" {
			in.StatusCode = &status
		}
		if template != "" {
			in.ResponseTemplates = map[string]string{"application/xml": template}
		}
		must[*api.GatewayResponse](t)(r.PutGatewayResponse(r.ctx, in))
	}
	put("MISSING_AUTHENTICATION_TOKEN", "404", map[string]string{"gatewayresponse.header.X-Path": "context.path", "gatewayresponse.header.X-Query": "method.request.querystring.q",
		"gatewayresponse.header.X-None": "method.request.header.None", "gatewayresponse.header.X-V": "stageVariables.v"},
		`<m>$context.error.messageString $context.error.responseType ${context.stage} $stageVariables.none</m>`)
	put("DEFAULT_5XX", "", map[string]string{"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}, "")
	must[*api.Deployment](t)(r.CreateDeployment(r.ctx, &api.CreateDeploymentRequest{RestApiId: &id, StageName: new("prod"), Variables: map[string]string{"v": "w"}}))
	res, body := r.do("GET", "/_aws/execute-api/"+id+"/prod/nope?q=1", "")
	if res.StatusCode != 404 || body != `<m>"Missing Authentication Token" MISSING_AUTHENTICATION_TOKEN prod </m>` || res.Header.Get("Content-Type") != "application/xml" ||
		res.Header.Get("X-Path") != "/prod/nope" || res.Header.Get("X-Query") != "1" || res.Header.Get("X-V") != "w" || res.Header["X-None"] != nil {
		t.Errorf("got %d %s %v", res.StatusCode, body, res.Header)
	}
	r.calls.answers("malformed")
	if res, _ := r.do("GET", "/_aws/execute-api/"+id+"/prod", ""); res.StatusCode != 502 || res.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("got %d %v", res.StatusCode, res.Header)
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"/_aws/execute-api/a/b/c", "/_aws/execute-api/", "/restapis/a/b/_user_request_//x", "/_aws/execute-api/a//", "/_aws/execute-api/%2F/%/x?q"} {
		f.Add(s, "h")
		f.Add(s, "a.execute-api.r.localhost:1")
	}
	f.Fuzz(func(t *testing.T, uri, host string) {
		req := &http.Request{Method: "GET", RequestURI: "/" + uri, Host: host}
		a := parseAddress(req)
		if strings.Contains(a.apiID, "/") || strings.Contains(a.stage, "/") || a.path != "" && a.path[0] != '/' || strings.Contains(a.path, "?") {
			t.Errorf("%q %q: %+v", uri, host, a)
		}
	})
}
