package apigateway

import (
	"testing"

	api "cirro/internal/awsapi/apigateway"
)

// preflight makes a resource answer CORS preflights as the console does.
func (r *rig) preflight(apiID, resource string) {
	r.t.Helper()
	method := new("OPTIONS")
	must[*api.Method](r.t)(r.PutMethod(r.ctx, &api.PutMethodRequest{RestApiId: &apiID, ResourceId: &resource, HttpMethod: method, AuthorizationType: new("NONE")}))
	must[*api.MethodResponse](r.t)(r.PutMethodResponse(r.ctx, &api.PutMethodResponseRequest{RestApiId: &apiID, ResourceId: &resource, HttpMethod: method, StatusCode: new("200"),
		ResponseParameters: map[string]bool{"method.response.header.Access-Control-Allow-Origin": true, "method.response.header.X-Request": true}}))
	must[*api.Integration](r.t)(r.PutIntegration(r.ctx, &api.PutIntegrationRequest{RestApiId: &apiID, ResourceId: &resource, HttpMethod: method,
		Type: new("MOCK"), RequestTemplates: map[string]string{"application/json": `{"statusCode": 200}`}}))
	must[*api.IntegrationResponse](r.t)(r.PutIntegrationResponse(r.ctx, &api.PutIntegrationResponseRequest{RestApiId: &apiID, ResourceId: &resource, HttpMethod: method,
		StatusCode: new("200"), ResponseTemplates: map[string]string{"application/json": `{"price": "$5"}`}, ResponseParameters: map[string]string{
			"method.response.header.Access-Control-Allow-Origin": "'*'", "method.response.header.X-Request": "context.requestId"}}))
}

func TestMock(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	r.preflight(id, root)
	r.deploy(id, "prod")
	url := "/_aws/execute-api/" + id + "/prod"
	res, body := r.do("OPTIONS", url, "", "Origin", "http://example.com")
	if res.StatusCode != 200 || body != `{"price": "$5"}` || res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header.Get("Content-Type") != "application/json" ||
		res.Header.Get("X-Request") != res.Header.Get("x-amzn-RequestId") || res.Header.Get("X-Amzn-Trace-Id") != "" {
		t.Errorf("got %d %s %v", res.StatusCode, body, res.Header)
	}
	// Another content type passes the body through; a mock can make nothing of this one.
	if res, _ := r.do("OPTIONS", url, "text", "Content-Type", "text/plain"); res.StatusCode != 500 {
		t.Errorf("got %d", res.StatusCode)
	}
	if res, _ := r.do("OPTIONS", url, `{"statusCode": 200}`, "Content-Type", "text/plain"); res.StatusCode != 200 {
		t.Errorf("got %d", res.StatusCode)
	}
}

func TestMockSelection(t *testing.T) {
	i := &api.Integration{IntegrationResponses: map[string]api.IntegrationResponse{
		"200": {StatusCode: new("200")}, "400": {StatusCode: new("400"), SelectionPattern: new(`4\d\d`)}, "500": {StatusCode: new("500"), SelectionPattern: new("500|503")}}}
	for status, want := range map[int]string{200: "200", 404: "400", 503: "500", 502: "200", 4040: "200"} {
		if r, ok := selectResponse(i, status); !ok || *r.StatusCode != want {
			t.Errorf("%d: got %v %v", status, r.StatusCode, ok)
		}
	}
	delete(i.IntegrationResponses, "200")
	if _, ok := selectResponse(i, 200); ok {
		t.Error("a response that matches nothing was taken")
	}
}

func TestPassthrough(t *testing.T) {
	for _, c := range []struct {
		behavior  string
		templates map[string]string
		want      string
	}{
		{"NEVER", nil, ""}, {"WHEN_NO_TEMPLATES", map[string]string{"a/b": "x"}, ""}, {"WHEN_NO_TEMPLATES", nil, "body"},
		{"WHEN_NO_MATCH", map[string]string{"a/b": "x"}, "body"}, {"NEVER", map[string]string{"$default": "d"}, "d"}, {"NEVER", map[string]string{"application/json": "j"}, "j"},
	} {
		x := &execution{request: &proxyRequest{Body: []byte("body")}}
		got, f := x.requestTemplate(&api.Integration{PassthroughBehavior: &c.behavior, RequestTemplates: c.templates})
		if got != c.want || (f == nil) != (c.want != "") {
			t.Errorf("%+v: got %q, %v", c, got, f)
		}
	}
}

func TestConstant(t *testing.T) {
	for template, want := range map[string]bool{"": true, `{"statusCode": 200}`: true, "$5 # 1": true, "$input.body": false, "${x}": false, "$!x": false,
		"#set($x=1)": false, "## comment": false, "#*c*#": false} {
		if got := constant(template); got != want {
			t.Errorf("%q: got %v", template, got)
		}
	}
}
