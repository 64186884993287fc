package apigateway

import (
	"strings"
	"testing"

	api "cirro/internal/awsapi/apigateway"
)

func TestDeployments(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	deploy := func() (*api.Deployment, error) {
		return r.CreateDeployment(r.ctx, &api.CreateDeploymentRequest{RestApiId: &id, StageName: new("s1"), StageDescription: new("sd"), Description: new("d")})
	}
	out, err := deploy()
	fails(t, "BadRequestException: The REST API doesn't contain any methods", out, err)
	must[*api.Method](t)(r.PutMethod(r.ctx, &api.PutMethodRequest{RestApiId: &id, ResourceId: &root, HttpMethod: new("GET"), AuthorizationType: new("NONE")}))
	out, err = deploy()
	fails(t, "BadRequestException: No integration defined for method", out, err)
	r.DeleteMethod(r.ctx, &api.DeleteMethodRequest{RestApiId: &id, ResourceId: &root, HttpMethod: new("GET")})
	r.proxied(id, root, "GET", fnARN)

	d := must[*api.Deployment](t)(deploy())
	st := must[*api.Stage](t)(r.GetStage(r.ctx, &api.GetStageRequest{RestApiId: &id, StageName: new("s1")}))
	if *st.DeploymentId != *d.Id || *st.Description != "sd" || *st.CacheClusterStatus != "NOT_AVAILABLE" || *st.CacheClusterEnabled ||
		*st.TracingEnabled || st.MethodSettings == nil || st.Variables != nil || st.CreatedDate == nil || st.LastUpdatedDate == nil {
		t.Errorf("got %+v", st)
	}
	del := func(deployment string) (*api.DeleteDeploymentOutput, error) {
		return r.DeleteDeployment(r.ctx, &api.DeleteDeploymentRequest{RestApiId: &id, DeploymentId: &deployment})
	}
	gone, err := del(*d.Id)
	fails(t, "BadRequestException: Active stages pointing to this deployment must be moved or deleted", gone, err)
	second := r.deploy(id, "s1")
	must[*api.DeleteDeploymentOutput](t)(del(*d.Id))
	gone, err = del(*d.Id)
	fails(t, "NotFoundException: Invalid Deployment identifier specified", gone, err)

	got := must[*api.Deployment](t)(r.GetDeployment(r.ctx, &api.GetDeploymentRequest{RestApiId: &id, DeploymentId: &second, Embed: []string{"apisummary"}}))
	if *got.ApiSummary["/"]["GET"].AuthorizationType != "NONE" {
		t.Errorf("got %+v", got)
	}
	updated := must[*api.Deployment](t)(r.UpdateDeployment(r.ctx, &api.UpdateDeploymentRequest{RestApiId: &id, DeploymentId: &second,
		PatchOperations: []api.PatchOperation{value("replace", "/description", "new")}}))
	if *updated.Description != "new" {
		t.Errorf("got %+v", updated)
	}
	if all := must[*api.Deployments](t)(r.GetDeployments(r.ctx, &api.GetDeploymentsRequest{RestApiId: &id})); len(all.Items) != 1 || *all.Items[0].Id != second {
		t.Errorf("got %+v", all)
	}
}

func TestStages(t *testing.T) {
	r := newRig(t)
	id := r.catchAll(api.CreateRestApiRequest{})
	deployment := r.deploy(id, "prod")
	create := func(name, deployment string, in api.CreateStageRequest) (*api.Stage, error) {
		in.RestApiId, in.StageName, in.DeploymentId = &id, &name, &deployment
		return r.CreateStage(r.ctx, &in)
	}
	must[*api.Stage](t)(create("dev", deployment, api.CreateStageRequest{Variables: map[string]string{"v": "1"}, Tags: map[string]string{"a": "b"}}))
	for _, c := range []struct {
		name, deployment string
		in               api.CreateStageRequest
		want             string
	}{
		{"dev", deployment, api.CreateStageRequest{}, "ConflictException: Stage already exists"},
		{"x", "nope", api.CreateStageRequest{}, "BadRequestException: Deployment id does not exist"},
		{"a b", deployment, api.CreateStageRequest{}, "BadRequestException: Stage name only allows a-zA-Z0-9_-"},
		{"x", deployment, api.CreateStageRequest{CanarySettings: &api.CanarySettings{}}, "NotImplemented: Cirro does not implement apigateway.CreateStage with canarySettings"},
		{"x", deployment, api.CreateStageRequest{CacheClusterEnabled: new(true)}, "NotImplemented: Cirro does not implement apigateway.stages with a cache cluster"},
	} {
		out, err := create(c.name, c.deployment, c.in)
		fails(t, c.want, out, err)
	}
	update := func(ops ...api.PatchOperation) (*api.Stage, error) {
		return r.UpdateStage(r.ctx, &api.UpdateStageRequest{RestApiId: &id, StageName: new("dev"), PatchOperations: ops})
	}
	st := must[*api.Stage](t)(update(value("replace", "/description", "d"), value("replace", "/variables/w", "2"), bare("remove", "/variables/v"),
		value("replace", "/*/*/logging/loglevel", "OFF")))
	if *st.Description != "d" || st.Variables["w"] != "2" || len(st.Variables) != 1 || st.Tags["a"] != "b" {
		t.Errorf("got %+v", st)
	}
	for want, op := range map[string]api.PatchOperation{
		"NotImplemented: Cirro does not implement apigateway.UpdateStage of /*/*/logging/loglevel":                                                                            value("replace", "/*/*/logging/loglevel", "INFO"),
		"NotImplemented: Cirro does not implement apigateway.UpdateStage of /~1pets~1{id}/GET/throttling/rateLimit":                                                           value("replace", "/~1pets~1{id}/GET/throttling/rateLimit", "10"),
		"NotImplemented: Cirro does not implement apigateway.UpdateStage of /canarySettings/percentTraffic":                                                                   value("replace", "/canarySettings/percentTraffic", "10"),
		"BadRequestException: Cannot remove method setting */* because there is no method setting for this method ":                                                           bare("remove", "/*/*"),
		"BadRequestException: Promotion not available. Canary does not exist.":                                                                                                value("copy", "/variables", ""),
		"BadRequestException: Deployment id does not exist":                                                                                                                   value("replace", "/deploymentId", "nope"),
		"BadRequestException: Stage variable name 'a-b' is invalid. Please use alphanumeric characters and underscores for name and match [A-Za-z0-9-._~:/?#&=,]+ for value.": value("replace", "/variables/a-b", "x"),
	} {
		out, err := update(op)
		fails(t, want, out, err)
	}
	for _, path := range []string{"/documentation_version", "/tags/tag1"} {
		_, err := update(value("replace", path, "x"))
		if err == nil || !strings.HasPrefix(err.Error(), "BadRequestException: Invalid method setting path: "+path+". Must be one of: [/deploymentId, /description, ") {
			t.Errorf("%s: got %v", path, err)
		}
	}
	if all := must[*api.Stages](t)(r.GetStages(r.ctx, &api.GetStagesRequest{RestApiId: &id, DeploymentId: &deployment})); len(all.Item) != 2 {
		t.Errorf("got %+v", all)
	}
	must[*api.DeleteStageOutput](t)(r.DeleteStage(r.ctx, &api.DeleteStageRequest{RestApiId: &id, StageName: new("dev")}))
	out, err := r.GetStage(r.ctx, &api.GetStageRequest{RestApiId: &id, StageName: new("dev")})
	fails(t, "NotFoundException: Invalid Stage identifier specified", out, err)
}

func TestGatewayResponses(t *testing.T) {
	r := newRig(t)
	id, _ := r.newAPI(api.CreateRestApiRequest{})
	get := func(kind string) *api.GatewayResponse {
		t.Helper()
		return must[*api.GatewayResponse](t)(r.GetGatewayResponse(r.ctx, &api.GetGatewayResponseRequest{RestApiId: &id, ResponseType: &kind}))
	}
	if d := get("MISSING_AUTHENTICATION_TOKEN"); !*d.DefaultResponse || *d.StatusCode != "403" || d.ResponseParameters == nil ||
		d.ResponseTemplates["application/json"] != `{"message":$context.error.messageString}` {
		t.Errorf("got %+v", d)
	}
	if d := get("DEFAULT_4XX"); d.StatusCode != nil {
		t.Errorf("got %+v", d)
	}
	put := must[*api.GatewayResponse](t)(r.PutGatewayResponse(r.ctx, &api.PutGatewayResponseRequest{RestApiId: &id, ResponseType: new("DEFAULT_5XX"),
		StatusCode: new("599"), ResponseParameters: map[string]string{"gatewayresponse.header.X": "'y'"}}))
	if *put.DefaultResponse || *put.StatusCode != "599" {
		t.Errorf("got %+v", put)
	}
	if d := get("INTEGRATION_TIMEOUT"); !*d.DefaultResponse || *d.StatusCode != "599" || d.ResponseParameters["gatewayresponse.header.X"] != "'y'" {
		t.Errorf("got %+v", d)
	}
	if d := get("THROTTLED"); *d.StatusCode != "429" || len(d.ResponseParameters) != 0 {
		t.Errorf("got %+v", d)
	}
	if all := must[*api.GatewayResponses](t)(r.GetGatewayResponses(r.ctx, &api.GetGatewayResponsesRequest{RestApiId: &id})); len(all.Items) != 21 || *all.Items[0].ResponseType != "ACCESS_DENIED" {
		t.Errorf("got %d", len(all.Items))
	}
	update := func(op api.PatchOperation) (*api.GatewayResponse, error) {
		return r.UpdateGatewayResponse(r.ctx, &api.UpdateGatewayResponseRequest{RestApiId: &id, ResponseType: new("DEFAULT_4XX"), PatchOperations: []api.PatchOperation{op}})
	}
	if u := must[*api.GatewayResponse](t)(update(value("replace", "/statusCode", "444"))); *u.DefaultResponse || *u.StatusCode != "444" {
		t.Errorf("got %+v", u)
	}
	for want, op := range map[string]api.PatchOperation{
		"BadRequestException: Invalid patch path /statusCode":                   value("add", "/statusCode", "400"),
		"NotFoundException: Invalid parameter name specified":                   value("replace", "/responseParameters/gatewayresponse.header.no", "'x'"),
		"BadRequestException: Invalid null or empty value in responseTemplates": bare("add", "/responseTemplates/application~1xml"),
		"BadRequestException: Invalid patch path null":                          {Op: new("add")},
		"BadRequestException: Invalid patch path /wrongPath":                    value("replace", "/wrongPath", "x"),
	} {
		out, err := update(op)
		fails(t, want, out, err)
	}
	del := func() (*api.DeleteGatewayResponseOutput, error) {
		return r.DeleteGatewayResponse(r.ctx, &api.DeleteGatewayResponseRequest{RestApiId: &id, ResponseType: new("DEFAULT_4XX")})
	}
	must[*api.DeleteGatewayResponseOutput](t)(del())
	out, err := del()
	fails(t, "NotFoundException: Gateway response type not defined on api", out, err)
}
