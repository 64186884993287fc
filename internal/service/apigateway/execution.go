package apigateway

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/apigateway/proxy"
)

// execution is one execution of a method: for a request to a stage, or for a test.
type execution struct {
	service   *Service
	home      home
	api       *restAPI
	method    *api.Method
	request   *proxy.Request
	path      map[string]string // variables of the resource's path
	context   proxy.Context
	variables map[string]string // of the stage
	trace     string            // X-Amzn-Trace-Id
	log       *executionLog     // nil where nobody reads it
}

// result is what the client gets.
type result struct {
	status  int
	headers []proxy.Pair
	body    []byte
}

// run executes the method. A failure becomes the gateway response of its type.
func (x *execution) run(ctx context.Context) *result {
	r, f := x.integrate(ctx)
	if f != nil {
		x.log.line("%s", f.reason)
		if x.log == nil {
			// Clients learn no more than the message; who runs the platform may.
			x.service.log.InfoContext(ctx, "a method failed", "api", x.context.APIID, "stage", x.context.Stage,
				"resource", x.context.ResourcePath, "method", x.request.Method, "status", f.status, "reason", f.reason)
		}
		r = x.gatewayResult(f)
	} else {
		x.log.line("Method response body after transformations: %s", r.body)
		x.log.line("Method response headers: %s", braces(r.headers))
		x.log.line("Successfully completed execution")
	}
	x.log.line("Method completed with status: %d", r.status)
	return r
}

func (x *execution) integrate(ctx context.Context) (*result, *failure) {
	i := x.method.MethodIntegration
	switch *i.Type {
	case api.IntegrationTypeMock:
		return x.mock(i)
	case api.IntegrationTypeAwsProxy:
		return x.function(ctx, i)
	}
	return nil, misconfigured.because("Execution failed due to configuration error: integrations of type %s are not implemented", *i.Type)
}

func (x *execution) scope(f *failure) *scope {
	return &scope{request: x.request, path: x.path, context: &x.context, variables: x.variables, failure: f}
}

// gatewayResult is the gateway response that a failure becomes.
func (x *execution) gatewayResult(f *failure) *result {
	response := x.api.gatewayResponse(f.kind)
	s := x.scope(f)
	r := &result{status: f.status}
	if x.api.customStatus(f.kind) {
		r.status = statusCode(response.StatusCode)
	}
	contentType, template := choose(response.ResponseTemplates, x.request.Header("Accept"))
	r.body = []byte(s.fill(template))
	r.headers = []proxy.Pair{{Name: "x-amzn-ErrorType", Value: f.errorType}, {Name: "Content-Type", Value: contentType}}
	for _, name := range slices.Sorted(maps.Keys(response.ResponseParameters)) {
		if value, ok := s.value(response.ResponseParameters[name]); ok {
			r.set(strings.TrimPrefix(name, "gatewayresponse.header."), value)
		}
	}
	return r
}

// customStatus reports whether the API says what status a type of gateway response has.
func (a *restAPI) customStatus(kind string) bool {
	if _, ok := a.Responses[kind]; ok {
		return a.Responses[kind].StatusCode != nil
	}
	class := api.GatewayResponseTypeDefault4xx
	if strings.HasPrefix(gatewayStatus[kind], "5") {
		class = api.GatewayResponseTypeDefault5xx
	}
	return a.Responses[class].StatusCode != nil
}

// choose chooses a template by what the client accepts: else the one for JSON, else the first.
func choose(templates map[string]string, accept string) (contentType, template string) {
	for part := range strings.SplitSeq(accept, ",") {
		t, _, _ := strings.Cut(part, ";")
		if t = strings.TrimSpace(t); templates[t] != "" {
			return t, templates[t]
		}
	}
	if t, ok := templates["application/json"]; ok {
		return "application/json", t
	}
	for _, t := range slices.Sorted(maps.Keys(templates)) {
		return t, templates[t]
	}
	return "application/json", ""
}

// set replaces a header of a result; the name's case does not count.
func (r *result) set(name, value string) {
	r.headers = slices.DeleteFunc(r.headers, func(h proxy.Pair) bool { return strings.EqualFold(h.Name, name) })
	r.headers = append(r.headers, proxy.Pair{Name: name, Value: value})
}

func (r *result) header(name string) string {
	for _, h := range r.headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// statusCode is a status code as responses keep it, a string that the model checked. 500 stands in for
// one that no response may have.
func statusCode(s *string) int {
	var n int
	if s != nil {
		for _, c := range *s {
			n = n*10 + int(c-'0')
		}
	}
	if n < 200 || n > 599 {
		return http.StatusInternalServerError
	}
	return n
}
