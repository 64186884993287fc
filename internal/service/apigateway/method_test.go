package apigateway

import (
	"encoding/json"
	"testing"

	api "cirro/internal/awsapi/apigateway"
)

func TestPutMethod(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	put := func(apiID, resource, method string, in api.PutMethodRequest) (*api.Method, error) {
		in.RestApiId, in.ResourceId, in.HttpMethod = &apiID, &resource, &method
		if in.AuthorizationType == nil {
			in.AuthorizationType = new("none")
		}
		return r.PutMethod(r.ctx, &in)
	}
	m := must[*api.Method](t)(put(id, root, "ANY", api.PutMethodRequest{OperationName: new("op"),
		RequestParameters: map[string]bool{"method.request.header.h": true}, RequestModels: map[string]string{"application/json": "Empty"}}))
	if *m.AuthorizationType != "NONE" || *m.ApiKeyRequired || *m.HttpMethod != "ANY" || *m.OperationName != "op" {
		t.Errorf("got %+v", m)
	}
	for _, c := range []struct {
		api, resource, method string
		in                    api.PutMethodRequest
		want                  string
	}{
		{"nope", root, "GET", api.PutMethodRequest{}, "NotFoundException: Invalid Resource identifier specified"},
		{id, "nope", "GET", api.PutMethodRequest{}, "NotFoundException: Invalid Resource identifier specified"},
		{id, root, "TEST", api.PutMethodRequest{}, "BadRequestException: Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY"},
		{id, root, "ANY", api.PutMethodRequest{}, "ConflictException: Method already exists for this resource"},
		{id, root, "GET", api.PutMethodRequest{AuthorizationType: new("CUSTOM")}, "BadRequestException: Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer."},
		{id, root, "GET", api.PutMethodRequest{RequestValidatorId: new("v")}, "BadRequestException: Invalid Request Validator identifier specified"},
		{id, root, "GET", api.PutMethodRequest{RequestModels: map[string]string{"a/b": "petModel"}}, "BadRequestException: Invalid model identifier specified: petModel"},
		{id, root, "GET", api.PutMethodRequest{RequestParameters: map[string]bool{"method.request.header.a": true, "method.request.querystring.a": true}},
			"BadRequestException: Parameter names must be unique across querystring, header and path"},
	} {
		out, err := put(c.api, c.resource, c.method, c.in)
		fails(t, c.want, out, err)
	}
	must[*api.DeleteMethodOutput](t)(r.DeleteMethod(r.ctx, &api.DeleteMethodRequest{RestApiId: &id, ResourceId: &root, HttpMethod: new("ANY")}))
	out, err := r.GetMethod(r.ctx, &api.GetMethodRequest{RestApiId: &id, ResourceId: &root, HttpMethod: new("ANY")})
	fails(t, "NotFoundException: Invalid Method identifier specified", out, err)
}

func TestUpdateMethod(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	r.proxied(id, root, "ANY", fnARN)
	update := func(ops ...api.PatchOperation) (*api.Method, error) {
		return r.UpdateMethod(r.ctx, &api.UpdateMethodRequest{RestApiId: &id, ResourceId: &root, HttpMethod: new("ANY"), PatchOperations: ops})
	}
	m := must[*api.Method](t)(update(value("add", "/requestParameters/method.request.querystring.q", "true"),
		value("add", "/requestModels/application~1json", "Empty"), value("replace", "/apiKeyRequired", "true"),
		value("replace", "/authorizationType", "AWS_IAM"), value("replace", "/operationName", "Op"), value("replace", "/authorizerId", "ignored")))
	if !m.RequestParameters["method.request.querystring.q"] || m.RequestModels["application/json"] != "Empty" || !*m.ApiKeyRequired ||
		*m.AuthorizationType != "AWS_IAM" || *m.OperationName != "Op" || m.AuthorizerId != nil || m.MethodIntegration == nil {
		t.Errorf("got %+v", m)
	}
	m = must[*api.Method](t)(update(bare("remove", "/requestParameters/method.request.querystring.q"), bare("remove", "/requestModels/application~1json"),
		value("replace", "/apiKeyRequired", "whatever")))
	if m.RequestParameters != nil || m.RequestModels != nil || *m.ApiKeyRequired {
		t.Errorf("got %+v", m)
	}
	for want, op := range map[string]api.PatchOperation{
		"BadRequestException: Invalid patch operation specified. Must be one of: [replace]":                                                                 value("add", "/operationName", "x"),
		"BadRequestException: Invalid patch path /httpMethod":                                                                                               value("replace", "/httpMethod", "GET"),
		"BadRequestException: Invalid patch path /requestParameters":                                                                                        value("replace", "/requestParameters", "x"),
		"BadRequestException: Invalid patch path /requestModels/application/json":                                                                           value("replace", "/requestModels/application/json", "x"),
		"BadRequestException: Invalid Request Validator identifier specified":                                                                               value("replace", "/requestValidatorId", "x"),
		"BadRequestException: Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.": value("replace", "/authorizationType", "CUSTOM"),
	} {
		out, err := update(op)
		fails(t, want, out, err)
	}
}

func TestMethodResponse(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	r.proxied(id, root, "GET", fnARN)
	put := func(status string, parameters map[string]bool) (*api.MethodResponse, error) {
		return r.PutMethodResponse(r.ctx, &api.PutMethodResponseRequest{RestApiId: &id, ResourceId: &root, HttpMethod: new("GET"), StatusCode: &status, ResponseParameters: parameters})
	}
	must[*api.MethodResponse](t)(put("200", map[string]bool{"method.response.header.X-A": true}))
	out, err := put("200", nil)
	fails(t, "ConflictException: Response already exists for this resource", out, err)
	out, err = put("201", map[string]bool{"true": true})
	fails(t, "BadRequestException: Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: true]", out, err)
	update := func(status string, op api.PatchOperation) (*api.MethodResponse, error) {
		return r.UpdateMethodResponse(r.ctx, &api.UpdateMethodResponseRequest{RestApiId: &id, ResourceId: &root, HttpMethod: new("GET"), StatusCode: &status, PatchOperations: []api.PatchOperation{op}})
	}
	if m := must[*api.MethodResponse](t)(update("200", value("add", "/responseModels/application~1json", "Empty"))); m.ResponseModels["application/json"] != "Empty" {
		t.Errorf("got %+v", m)
	}
	for want, op := range map[string]api.PatchOperation{
		"NotFoundException: Invalid parameter name specified":                      bare("remove", "/responseParameters/method.response.header.no"),
		"NotFoundException: Content-Type specified was not found":                  bare("remove", "/responseModels/text~1plain"),
		"BadRequestException: Invalid patch path /wrong/method.response.header.my": bare("add", "/wrong/method.response.header.my"),
	} {
		out, err := update("200", op)
		fails(t, want, out, err)
	}
	out, err = update("404", bare("remove", "/responseModels/a~1b"))
	fails(t, "NotFoundException: Invalid Response status code specified", out, err)
	must[*api.DeleteMethodResponseOutput](t)(r.DeleteMethodResponse(r.ctx, &api.DeleteMethodResponseRequest{RestApiId: &id, ResourceId: &root, HttpMethod: new("GET"), StatusCode: new("200")}))
	out, err = r.GetMethodResponse(r.ctx, &api.GetMethodResponseRequest{RestApiId: &id, ResourceId: &root, HttpMethod: new("GET"), StatusCode: new("200")})
	fails(t, "NotFoundException: Invalid Response status code specified", out, err)
}

func TestPutIntegration(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	r.proxied(id, root, "GET", fnARN)
	put := func(method string, in api.PutIntegrationRequest) (*api.Integration, error) {
		in.RestApiId, in.ResourceId, in.HttpMethod = &id, &root, &method
		return r.PutIntegration(r.ctx, &in)
	}
	i := must[*api.Integration](t)(put("GET", api.PutIntegrationRequest{Type: new("AWS_PROXY"), IntegrationHttpMethod: new("POST"), Uri: functionAt(fnARN)}))
	if *i.PassthroughBehavior != "WHEN_NO_MATCH" || *i.TimeoutInMillis != 29000 || *i.CacheNamespace != root || i.CacheKeyParameters == nil || *i.HttpMethod != "POST" {
		b, _ := json.Marshal(i)
		t.Errorf("got %s", b)
	}
	for _, c := range []struct {
		in   api.PutIntegrationRequest
		want string
	}{
		{api.PutIntegrationRequest{Type: new("AWS_PROXY"), Uri: functionAt(fnARN)}, "BadRequestException: Enumeration value for HttpMethod must be non-empty"},
		{api.PutIntegrationRequest{Type: new("AWS_PROXY"), IntegrationHttpMethod: new("POST"), Uri: new("http://x")}, "BadRequestException: Invalid ARN specified in the request"},
		{api.PutIntegrationRequest{Type: new("AWS_PROXY"), IntegrationHttpMethod: new("POST"), Uri: new(fnARN)}, "BadRequestException: AWS ARN for integration must contain path or action"},
		{api.PutIntegrationRequest{Type: new("AWS_PROXY"), IntegrationHttpMethod: new("POST"), Uri: new("arn:aws:apigateway:eu-west-1:s3:path/b/k")},
			"BadRequestException: Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations."},
		{api.PutIntegrationRequest{Type: new("MOCK"), TimeoutInMillis: new(int32(49))}, "BadRequestException: Timeout should be between 50 ms and 29000 ms"},
		{api.PutIntegrationRequest{Type: new("HTTP"), IntegrationHttpMethod: new("GET"), Uri: new("http://x")}, "NotImplemented: Cirro does not implement apigateway.integrations of type HTTP"},
		{api.PutIntegrationRequest{Type: new("MOCK"), RequestTemplates: map[string]string{"a/b": "#set($x = 1)"}}, "NotImplemented: Cirro does not implement apigateway.mapping templates in Velocity (requestTemplates of a/b)"},
	} {
		out, err := put("GET", c.in)
		fails(t, c.want, out, err)
	}
	out, err := put("POST", api.PutIntegrationRequest{Type: new("MOCK")})
	fails(t, "NotFoundException: Invalid Method identifier specified", out, err)

	update := func(ops ...api.PatchOperation) (*api.Integration, error) {
		return r.UpdateIntegration(r.ctx, &api.UpdateIntegrationRequest{RestApiId: &id, ResourceId: &root, HttpMethod: new("GET"), PatchOperations: ops})
	}
	i = must[*api.Integration](t)(update(value("replace", "/timeoutInMillis", "1000"), value("add", "/requestTemplates/application~1json", "{}"),
		value("replace", "/uri", *functionAt("g")), bare("add", "/cacheKeyParameters/p")))
	if *i.TimeoutInMillis != 1000 || i.RequestTemplates["application/json"] != "{}" || *i.Uri != *functionAt("g") || len(i.CacheKeyParameters) != 1 {
		t.Errorf("got %+v", i)
	}
	out, err = update(value("replace", "/uri", "x"))
	fails(t, "BadRequestException: Invalid ARN specified in the request", out, err)
	must[*api.DeleteIntegrationOutput](t)(r.DeleteIntegration(r.ctx, &api.DeleteIntegrationRequest{RestApiId: &id, ResourceId: &root, HttpMethod: new("GET")}))
	out, err = r.GetIntegration(r.ctx, &api.GetIntegrationRequest{RestApiId: &id, ResourceId: &root, HttpMethod: new("GET")})
	fails(t, "NotFoundException: Invalid Integration identifier specified", out, err)
}

func TestIntegrationResponse(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	r.proxied(id, root, "GET", fnARN)
	must[*api.MethodResponse](t)(r.PutMethodResponse(r.ctx, &api.PutMethodResponseRequest{RestApiId: &id, ResourceId: &root, HttpMethod: new("GET"),
		StatusCode: new("200"), ResponseParameters: map[string]bool{"method.response.header.X-A": false}}))
	put := func(in api.PutIntegrationResponseRequest) (*api.IntegrationResponse, error) {
		in.RestApiId, in.ResourceId, in.HttpMethod, in.StatusCode = &id, &root, new("GET"), new("200")
		return r.PutIntegrationResponse(r.ctx, &in)
	}
	must[*api.IntegrationResponse](t)(put(api.PutIntegrationResponseRequest{ResponseParameters: map[string]string{"method.response.header.X-A": "'x'"}}))
	for _, c := range []struct {
		in   api.PutIntegrationResponseRequest
		want string
	}{
		{api.PutIntegrationResponseRequest{ResponseTemplates: map[string]string{"123": "x"}}, "BadRequestException: Validation Result: warnings : [], errors : [Invalid content type specified: 123]"},
		{api.PutIntegrationResponseRequest{ResponseParameters: map[string]string{"method.response.header.X-B": "'x'"}},
			"BadRequestException: Invalid mapping expression parameter specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: method.response.header.X-B]"},
		{api.PutIntegrationResponseRequest{ResponseParameters: map[string]string{"method.response.header.X-A": "true"}},
			"BadRequestException: Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: true]"},
	} {
		out, err := put(c.in)
		fails(t, c.want, out, err)
	}
	updated := must[*api.IntegrationResponse](t)(r.UpdateIntegrationResponse(r.ctx, &api.UpdateIntegrationResponseRequest{RestApiId: &id, ResourceId: &root,
		HttpMethod: new("GET"), StatusCode: new("200"), PatchOperations: []api.PatchOperation{value("replace", "/selectionPattern", "5\\d\\d")}}))
	if *updated.SelectionPattern != "5\\d\\d" {
		t.Errorf("got %+v", updated)
	}
	del := func(resource, method, status string) (*api.DeleteIntegrationResponseOutput, error) {
		return r.DeleteIntegrationResponse(r.ctx, &api.DeleteIntegrationResponseRequest{RestApiId: &id, ResourceId: &resource, HttpMethod: &method, StatusCode: &status})
	}
	for _, c := range [][4]string{{"nope", "GET", "200", "Invalid Resource identifier specified"}, {root, "POST", "200", "Invalid Integration identifier specified"},
		{root, "GET", "201", "Invalid Response status code specified"}} {
		out, err := del(c[0], c[1], c[2])
		fails(t, "NotFoundException: "+c[3], out, err)
	}
	must[*api.DeleteIntegrationResponseOutput](t)(del(root, "GET", "200"))
}
