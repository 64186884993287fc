package states

import (
	"fmt"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	gatewayapi "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/states/engine"
)

// Of API Gateway's integration: the methods that it calls, and those of them that have a body.
var (
	gatewayMethods = []string{"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"}
	withBody       = []string{"POST", "PUT", "PATCH"}
)

// callGateway calls an API of API Gateway: one that is here where its id is known, or else the one out there.
// https://docs.aws.amazon.com/step-functions/latest/dg/connect-api-gateway.html
func (c *call) callGateway() engine.Reply {
	o := c.object()
	if method := text(o, "Method"); !slices.Contains(gatewayMethods, method) {
		return failed(asl.Runtime, fmt.Sprintf("The value %q of the field 'Method' is not valid", method))
	}
	if !slices.Contains(withBody, text(o, "Method")) {
		o.Set("RequestBody", nil)
	}
	if allow, _ := member(o, "AllowNullValues").(bool); !allow {
		o.Set("RequestBody", withoutNulls(member(o, "RequestBody")))
	}
	endpoint, err := c.gatewayEndpoint(text(o, "ApiEndpoint"), text(o, "AuthType") == "IAM_ROLE")
	if err != nil {
		return failed(asl.Runtime, err.Error())
	}
	for _, part := range []string{text(o, "Stage"), text(o, "Path")} {
		if part = strings.Trim(part, "/"); part != "" {
			endpoint += "/" + (&url.URL{Path: part}).EscapedPath()
		}
	}
	r, err := c.httpRequest(o, endpoint)
	if err != nil {
		return failed(asl.Runtime, err.Error())
	}
	if len(r.Header.Values("Content-Type")) == 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.service.http.Do(r)
	if err != nil {
		return c.unheard("ApiGateway.SdkClientException", err)
	}
	return c.httpAnswer(answer, "ApiGateway.SdkClientException", "ApiGateway.", textproto.CanonicalMIMEHeaderKey)
}

// gatewayEndpoint is where an API answers.
func (c *call) gatewayEndpoint(host string, signed bool) (string, error) {
	id, _, ok := strings.Cut(host, ".execute-api.")
	if !ok || strings.ContainsAny(host, "/@") {
		return "", fmt.Errorf("the value of the field 'ApiEndpoint' is not the host of an API")
	}
	if c.service.Stages != "" {
		if _, err := c.service.Caller.Call(c.ctx, c.principal, "apigateway", "GetRestApi", &gatewayapi.GetRestApiRequest{RestApiId: &id}); err == nil {
			return c.service.Stages + id, nil
		}
	}
	if signed {
		return "", fmt.Errorf("the API %s is not here, and Cirro does not sign requests to another cloud", id)
	}
	return "https://" + host, nil
}

// withoutNulls leaves out the members that are null.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case *document.Object:
		o := document.NewObject()
		for name, value := range v.All() {
			if value != nil {
				o.Set(name, withoutNulls(value))
			}
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = withoutNulls(v[i])
		}
		return list
	}
	return v
}
