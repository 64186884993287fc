package apigateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	lambda "cirro/internal/awsapi/lambda"
	"cirro/internal/service/apigateway/headercase"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

const (
	account = "000000000000"
	region  = "eu-west-1"
	fnARN   = "arn:aws:lambda:eu-west-1:000000000000:function:f"
)

// rig is a service on a real store, behind a real server, whose functions are Go.
type rig struct {
	*Service
	t      *testing.T
	ctx    context.Context
	server *httptest.Server
	calls  *functions
}

// functions stands for Lambda.
type functions struct {
	mu     sync.Mutex
	invoke func(in *lambda.InvocationRequest) (*lambda.InvocationResponse, error)
	last   struct {
		principal awsapi.Principal
		region    string
		in        *lambda.InvocationRequest
	}
}

func (f *functions) Call(ctx context.Context, p awsapi.Principal, service, operation string, in any) (any, error) {
	if service != "lambda" || operation != "Invoke" {
		return nil, errors.New("not lambda.Invoke")
	}
	f.mu.Lock()
	invoke := f.invoke
	f.last.principal, f.last.region, f.last.in = p, awsapi.RequestOf(ctx).Region, in.(*lambda.InvocationRequest)
	f.mu.Unlock()
	out, err := invoke(in.(*lambda.InvocationRequest))
	if err != nil {
		return nil, err
	}
	return out, nil
}

// answers lets functions answer with a payload.
func (f *functions) answers(payload string) {
	f.invoke = func(*lambda.InvocationRequest) (*lambda.InvocationResponse, error) {
		return &lambda.InvocationResponse{Payload: []byte(payload)}, nil
	}
}

// event is the last event.
func (f *functions) event() map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	var e map[string]any
	if err := json.Unmarshal(f.last.in.Payload, &e); err != nil {
		panic(err)
	}
	return e
}

func newRig(t *testing.T) *rig {
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return rigOn(t, st)
}

func rigOn(t *testing.T, st store.Store) *rig {
	calls := &functions{}
	calls.answers(`{"statusCode":200,"body":"ok"}`)
	s, err := New(Deps{Store: st, Caller: calls})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Service: s, t: t, calls: calls, server: httptest.NewUnstartedServer(s)}
	r.server.Listener = headercase.Listener(r.server.Listener)
	r.server.Config.ConnContext = headercase.ConnContext
	r.server.Start()
	t.Cleanup(r.server.Close)
	r.ctx = awsapi.WithRequest(context.Background(), &awsapi.Request{ID: "id", Region: region, UserAgent: "sdk",
		Principal: awsapi.Principal{Account: account, ARN: "arn:aws:iam::000000000000:root", UserID: account, AccessKey: "test"}})
	return r
}

// must returns what an operation answers, and ends the test where it fails.
func must[T any](t *testing.T) func(out T, err error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// fails checks the error of an operation: its code and its message.
func fails[T any](t *testing.T, want string, out *T, err error) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("got %+v, %v\nwant %s", out, err, want)
	}
}

// newAPI makes an API and returns its id and that of its root.
func (r *rig) newAPI(in api.CreateRestApiRequest) (id, root string) {
	r.t.Helper()
	if in.Name == nil {
		in.Name = new("n")
	}
	a := must[*api.RestApi](r.t)(r.CreateRestApi(r.ctx, &in))
	return *a.Id, *a.RootResourceId
}

func (r *rig) resource(apiID, parent, part string) string {
	r.t.Helper()
	return *must[*api.Resource](r.t)(r.CreateResource(r.ctx, &api.CreateResourceRequest{RestApiId: &apiID, ParentId: &parent, PathPart: &part})).Id
}

func functionAt(arn string) *string {
	return new("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/" + arn + "/invocations")
}

// proxied puts a method with a Lambda proxy integration.
func (r *rig) proxied(apiID, resource, method, arn string) {
	r.t.Helper()
	must[*api.Method](r.t)(r.PutMethod(r.ctx, &api.PutMethodRequest{RestApiId: &apiID, ResourceId: &resource, HttpMethod: &method, AuthorizationType: new("NONE")}))
	must[*api.Integration](r.t)(r.PutIntegration(r.ctx, &api.PutIntegrationRequest{RestApiId: &apiID, ResourceId: &resource, HttpMethod: &method,
		Type: new("AWS_PROXY"), IntegrationHttpMethod: new("POST"), Uri: functionAt(arn)}))
}

func (r *rig) deploy(apiID, stage string) string {
	r.t.Helper()
	return *must[*api.Deployment](r.t)(r.CreateDeployment(r.ctx, &api.CreateDeploymentRequest{RestApiId: &apiID, StageName: &stage})).Id
}

// catchAll is a deployed API whose every path calls a function.
func (r *rig) catchAll(in api.CreateRestApiRequest) (id string) {
	r.t.Helper()
	id, root := r.newAPI(in)
	r.proxied(id, root, "ANY", fnARN)
	r.proxied(id, r.resource(id, root, "{proxy+}"), "ANY", fnARN)
	r.deploy(id, "prod")
	return id
}

// do makes a request and returns the response with its body.
func (r *rig) do(method, path string, body string, headers ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.server.URL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header[headers[i]] = append(req.Header[headers[i]], headers[i+1])
	}
	tr := &http.Transport{DisableCompression: true}
	defer tr.CloseIdleConnections()
	res, err := tr.RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	if _, err := copyBody(&b, res); err != nil {
		r.t.Fatal(err)
	}
	return res, b.String()
}

func value(o, p, v string) api.PatchOperation { return api.PatchOperation{Op: &o, Path: &p, Value: &v} }
func bare(o, p string) api.PatchOperation     { return api.PatchOperation{Op: &o, Path: &p} }

func TestIDs(t *testing.T) {
	for range 50 {
		if id := newID(apiIDLength); !regexp.MustCompile(`^[a-z0-9]{10}$`).MatchString(id) {
			t.Fatalf("got %q", id)
		}
	}
}

func copyBody(b *strings.Builder, res *http.Response) (int64, error) { return io.Copy(b, res.Body) }
