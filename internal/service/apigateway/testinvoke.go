package apigateway

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/apigateway/proxy"
	"cirro/internal/service/apigateway/route"
)

// testStage is the stage that a test says it runs in.
const testStage = "test-invoke-stage"

// TestInvokeMethod executes a method as it is, deployed or not, and tells what happened. It calls the
// function for real. Authorisation is skipped, as on AWS.
// https://docs.aws.amazon.com/apigateway/latest/api/API_TestInvokeMethod.html
func (s *Service) TestInvokeMethod(ctx context.Context, in *api.TestInvokeMethodRequest) (*api.TestInvokeMethodResponse, error) {
	x := &execution{service: s, variables: in.StageVariables, request: testRequest(in)}
	var resource api.Resource
	err := s.viewResource(ctx, in.RestApiId, func(a *restAPI) (err error) {
		m, err := a.method(in.ResourceId, in.HttpMethod)
		if err != nil {
			return err
		}
		if _, err := integration(&m); err != nil {
			return err
		}
		x.api, x.method, resource = a, &m, a.Resources[*in.ResourceId]
		return nil
	})
	if err != nil {
		return nil, err
	}
	x.prepareTest(ctx, &resource, awsapi.Val(in.PathWithQueryString) == "")
	started := time.Now()
	r := x.run(ctx)
	out := &api.TestInvokeMethodResponse{Status: new(int32(r.status)), Body: new(string(r.body)), Log: new(x.log.String()),
		Latency: new(time.Since(started).Milliseconds()), Headers: map[string]string{}, MultiValueHeaders: map[string][]string{}}
	failed := r.header("x-amzn-ErrorType") != ""
	for _, h := range r.headers {
		if failed && h.Name == "Content-Type" {
			continue // a test shows that a gateway response has it, but not here
		}
		out.Headers[h.Name] = h.Value
		out.MultiValueHeaders[h.Name] = append(out.MultiValueHeaders[h.Name], h.Value)
	}
	return out, nil
}

func testRequest(in *api.TestInvokeMethodRequest) *proxy.Request {
	path, query, _ := strings.Cut(awsapi.Val(in.PathWithQueryString), "?")
	r := &proxy.Request{Method: awsapi.Val(in.HttpMethod), Path: path, Query: proxy.ParseQuery(query), Body: []byte(awsapi.Val(in.Body))}
	for _, name := range slices.Sorted(maps.Keys(in.MultiValueHeaders)) {
		for _, v := range in.MultiValueHeaders[name] {
			r.Headers = append(r.Headers, proxy.Pair{Name: name, Value: v})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.Headers)) {
		if _, both := in.MultiValueHeaders[name]; !both {
			r.Headers = append(r.Headers, proxy.Pair{Name: name, Value: in.Headers[name]})
		}
	}
	return r
}

// prepareTest fills in what a test's event says of itself. A path that the resource does not match has
// no variables; without a path the resource's own stands in.
func (x *execution) prepareTest(ctx context.Context, resource *api.Resource, noPath bool) {
	if noPath {
		x.request.Path = *resource.Path
	}
	var t route.Tree[struct{}]
	t.Add(*resource.Path, struct{}{})
	_, x.path, _ = t.Find(x.request.Path)
	r := awsapi.RequestOf(ctx)
	x.home = home{r.Account(), r.Region}
	x.trace = traceID(x.request)
	x.context = proxy.Context{
		ResourceID: *resource.Id, ResourcePath: *resource.Path, OperationName: awsapi.Val(x.method.OperationName),
		HTTPMethod: x.request.Method, ExtendedRequestID: newExtendedID(), Path: x.request.Path, AccountID: r.Account(),
		Protocol: "HTTP/1.1", Stage: testStage, DomainPrefix: "testPrefix", DomainName: "testPrefix.testDomainName",
		RequestID: uuid.NewString(), APIID: *x.api.API.Id,
		Identity: proxy.Identity{AccountID: &r.Principal.Account, Caller: &r.Principal.UserID, SourceIP: "test-invoke-source-ip",
			AccessKey: &r.Principal.AccessKey, UserARN: &r.Principal.ARN, UserAgent: &r.UserAgent, User: &r.Principal.UserID,
			APIKey: "test-invoke-api-key", APIKeyID: "test-invoke-api-key-id"},
	}
	x.context.SetTime(time.Now())
	x.log = newExecutionLog(x.context.RequestID)
	x.log.requested(x.request, x.path)
}
