package endpoint_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/iam"
	"cirro/internal/awsapi/lambda"
	"cirro/internal/awsapi/logs"
	"cirro/internal/awsapi/sts"
	"cirro/internal/endpoint"
)

// echo is a Lambda that knows one function.
type echo struct{ lambda.Unimplemented }

func (echo) Invoke(ctx context.Context, in *lambda.InvocationRequest) (*lambda.InvocationResponse, error) {
	switch *in.FunctionName {
	case "panics":
		panic("the function is not well")
	case "missing":
		return nil, lambda.ResourceNotFoundException.New("Function not found: %s", *in.FunctionName).With("Type", "User")
	}
	return &lambda.InvocationResponse{StatusCode: new(int32(200)), Payload: in.Payload, ExecutedVersion: new("$LATEST")}, nil
}

func (echo) InvokeWithResponseStream(ctx context.Context, in *lambda.InvokeWithResponseStreamRequest) (*lambda.InvokeWithResponseStreamResponse, error) {
	return &lambda.InvokeWithResponseStreamResponse{StatusCode: new(int32(200)), ExecutedVersion: new("$LATEST"),
		EventStream: func(send func(any) error) error {
			for _, chunk := range strings.Fields(string(in.Payload)) {
				err := send(&lambda.InvokeWithResponseStreamResponseEvent{PayloadChunk: &lambda.InvokeResponseStreamUpdate{Payload: []byte(chunk)}})
				if err != nil {
					return err
				}
			}
			return send(&lambda.InvokeWithResponseStreamResponseEvent{InvokeComplete: &lambda.InvokeWithResponseStreamCompleteEvent{}})
		}}, nil
}

type identity struct{ sts.Unimplemented }

func (identity) GetCallerIdentity(ctx context.Context, in *sts.GetCallerIdentityRequest) (*sts.GetCallerIdentityResponse, error) {
	r := awsapi.RequestOf(ctx)
	return &sts.GetCallerIdentityResponse{Account: new(r.Account()), Arn: new(r.Principal.ARN), UserId: new(r.Region)}, nil
}

func newEndpoint(t testing.TB, o endpoint.Options) *endpoint.Endpoint {
	t.Helper()
	e := endpoint.New(o)
	e.Register(&lambda.Service, echo{})
	e.Register(&sts.Service, identity{})
	e.Register(&logs.Service, logs.Unimplemented{})
	e.Register(&iam.Service, iam.Unimplemented{})
	return e
}

func serve(t testing.TB) *httptest.Server {
	s := httptest.NewServer(newEndpoint(t, endpoint.Options{}))
	t.Cleanup(s.Close)
	return s
}

func do(t testing.TB, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func request(t testing.TB, method, url, body string, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func TestInvoke(t *testing.T) {
	s := serve(t)
	resp, body := do(t, request(t, "POST", s.URL+"/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Aecho/invocations", `{"a":1}`))
	if resp.StatusCode != 200 || body != `{"a":1}` || resp.Header.Get("X-Amz-Executed-Version") != "$LATEST" ||
		resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("x-amzn-RequestId") == "" {
		t.Errorf("%d %s %v", resp.StatusCode, body, resp.Header)
	}
	resp, body = do(t, request(t, "POST", s.URL+"/2015-03-31/functions/missing/invocations", `{"a":1}`))
	if resp.StatusCode != 404 || resp.Header.Get("x-amzn-ErrorType") != "ResourceNotFoundException" || body != `{"Type":"User","Message":"Function not found: missing"}` {
		t.Errorf("%d %s %v", resp.StatusCode, body, resp.Header)
	}
	resp, body = do(t, request(t, "POST", s.URL+"/2015-03-31/functions/panics/invocations", `{"a":1}`))
	if resp.StatusCode != 500 || resp.Header.Get("x-amzn-ErrorType") != "InternalFailure" || strings.Contains(body, "well") {
		t.Errorf("%d %s %v", resp.StatusCode, body, resp.Header)
	}
}

func TestQueryAccount(t *testing.T) {
	s := serve(t)
	resp, body := do(t, request(t, "POST", s.URL, "Action=GetCallerIdentity&Version=2011-06-15",
		"Content-Type", "application/x-www-form-urlencoded",
		"Authorization", "AWS4-HMAC-SHA256 Credential=123456789012/20260101/eu-west-3/sts/aws4_request, SignedHeaders=host, Signature=0"))
	if resp.StatusCode != 200 || !strings.Contains(body, "<Arn>arn:aws:iam::123456789012:root</Arn>") || !strings.Contains(body, "<UserId>eu-west-3</UserId>") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body = do(t, request(t, "POST", s.URL, "Action=Nonsense&Version=2010-05-08",
		"Content-Type", "application/x-www-form-urlencoded",
		"Authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0"))
	if resp.StatusCode != 400 || !strings.Contains(body, "<Code>InvalidAction</Code><Message>Could not find operation Nonsense for version 2010-05-08</Message>") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestUnimplemented(t *testing.T) {
	s := serve(t)
	resp, body := do(t, request(t, "POST", s.URL, `{"logGroupName":"a"}`, "X-Amz-Target", "Logs_20140328.CreateLogGroup", "Content-Type", "application/x-amz-json-1.1"))
	var got struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || resp.StatusCode != 501 || got.Type != "NotImplemented" || got.Message != "Cirro does not implement logs.CreateLogGroup" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
