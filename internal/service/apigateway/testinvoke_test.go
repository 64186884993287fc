package apigateway

import (
	"strings"
	"testing"

	api "cirro/internal/awsapi/apigateway"
	lambda "cirro/internal/awsapi/lambda"
	"cirro/internal/service/apigateway/proxy"
)

type proxyRequest = proxy.Request

func TestTestInvokeMethod(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	pet := r.resource(id, r.resource(id, root, "pets"), "{petId}")
	r.proxied(id, pet, "GET", fnARN)
	r.preflight(id, pet)
	invoke := func(in api.TestInvokeMethodRequest) (*api.TestInvokeMethodResponse, error) {
		in.RestApiId, in.ResourceId = &id, &pet
		if in.HttpMethod == nil {
			in.HttpMethod = new("GET")
		}
		return r.TestInvokeMethod(r.ctx, &in)
	}
	out := must[*api.TestInvokeMethodResponse](t)(invoke(api.TestInvokeMethodRequest{PathWithQueryString: new("/pets/123?foo=bar"), Body: new("b"),
		Headers: map[string]string{"H": "1"}, StageVariables: map[string]string{"v": "w"}}))
	if *out.Status != 200 || *out.Body != "ok" || out.Headers["Content-Type"] != "application/json" || out.MultiValueHeaders["X-Amzn-Trace-Id"][0] == "" || *out.Latency < 0 {
		t.Errorf("got %+v", out)
	}
	e := r.calls.event()
	context := e["requestContext"].(map[string]any)
	if e["path"] != "/pets/123" || e["pathParameters"].(map[string]any)["petId"] != "123" || e["body"] != "b" || e["headers"].(map[string]any)["H"] != "1" ||
		context["stage"] != "test-invoke-stage" || context["domainName"] != "testPrefix.testDomainName" ||
		context["identity"].(map[string]any)["sourceIp"] != "test-invoke-source-ip" || e["stageVariables"].(map[string]any)["v"] != "w" {
		t.Errorf("got %v", e)
	}
	for _, line := range []string{"Execution log for request ", " : Starting execution for request: ", " : HTTP Method: GET, Resource Path: /pets/123\n",
		" : Method request path: {petId=123}\n", " : Method request query string: {foo=bar}\n", " : Method request headers: {H=1}\n",
		" : Method request body before transformations: b\n", " : Sending request to https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/" + fnARN + "/invocations\n",
		" : Method response body after transformations: ok\n", " : Successfully completed execution\n", " : Method completed with status: 200\n"} {
		if !strings.Contains(*out.Log, line) {
			t.Errorf("%q is not in the log:\n%s", line, *out.Log)
		}
	}

	// The path need not be the resource's. Without one, the resource's own stands in.
	must[*api.TestInvokeMethodResponse](t)(invoke(api.TestInvokeMethodRequest{PathWithQueryString: new("/random/test")}))
	if e := r.calls.event(); e["pathParameters"] != nil || e["path"] != "/random/test" || e["headers"] != nil || e["body"] != nil {
		t.Errorf("got %v", e)
	}
	must[*api.TestInvokeMethodResponse](t)(invoke(api.TestInvokeMethodRequest{}))
	if e := r.calls.event(); e["pathParameters"].(map[string]any)["petId"] != "{petId}" {
		t.Errorf("got %v", e)
	}

	mock := must[*api.TestInvokeMethodResponse](t)(invoke(api.TestInvokeMethodRequest{HttpMethod: new("OPTIONS")}))
	if *mock.Status != 200 || *mock.Body != `{"price": "$5"}` || len(mock.Headers) != 3 || strings.Contains(*mock.Log, "Sending request") {
		t.Errorf("got %+v", mock)
	}

	r.calls.invoke = func(*lambda.InvocationRequest) (*lambda.InvocationResponse, error) {
		return &lambda.InvocationResponse{FunctionError: new("Unhandled"), Payload: []byte(`{"errorMessage":"boom"}`)}, nil
	}
	failed := must[*api.TestInvokeMethodResponse](t)(invoke(api.TestInvokeMethodRequest{}))
	if *failed.Status != 502 || len(failed.Headers) != 1 || failed.Headers["x-amzn-ErrorType"] != "InternalServerErrorException" ||
		!strings.Contains(*failed.Log, "due to customer function error: boom.") || strings.Contains(*failed.Log, "Successfully") {
		t.Errorf("got %+v\n%s", failed, *failed.Log)
	}
	gone, err := invoke(api.TestInvokeMethodRequest{HttpMethod: new("PUT")})
	fails(t, "NotFoundException: Invalid Method identifier specified", gone, err)
}
