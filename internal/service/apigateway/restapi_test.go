package apigateway

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
)

func TestCreateRestApi(t *testing.T) {
	r := newRig(t)
	a := must[*api.RestApi](t)(r.CreateRestApi(r.ctx, &api.CreateRestApiRequest{Name: new("n")}))
	if len(*a.Id) != 10 || len(*a.RootResourceId) != 6 || *a.ApiKeySource != "HEADER" || *a.DisableExecuteApiEndpoint ||
		!slices.Equal(a.EndpointConfiguration.Types, []string{"EDGE"}) || a.Tags != nil || a.BinaryMediaTypes != nil || a.CreatedDate == nil {
		b, _ := json.Marshal(a)
		t.Errorf("got %s", b)
	}
	got := must[*api.RestApi](t)(r.GetRestApi(r.ctx, &api.GetRestApiRequest{RestApiId: a.Id}))
	if got.Tags == nil || *got.Name != "n" {
		t.Errorf("got %+v", got)
	}
	for want, in := range map[string]api.CreateRestApiRequest{
		"BadRequestException: Description cannot be an empty string":                                    {Description: new("")},
		"BadRequestException: Invalid minimum compression size, must be between 0 and 10485760":         {MinimumCompressionSize: new(int32(-1))},
		"BadRequestException: Cannot create an api with multiple Endpoint Types.":                       {EndpointConfiguration: &api.EndpointConfiguration{Types: []string{"EDGE", "REGIONAL"}}},
		"BadRequestException: REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.":   {EndpointConfiguration: &api.EndpointConfiguration{Types: []string{}}},
		"NotImplemented: Cirro does not implement apigateway.CreateRestApi with cloneFrom":              {CloneFrom: new("x")},
		"BadRequestException: Tag keys cannot start with aws:":                                          {Tags: map[string]string{"aws:x": "1"}},
		"NotImplemented: Cirro does not implement apigateway.CreateRestApi with a policy":               {Policy: new("{}")},
		"BadRequestException: Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE": {EndpointConfiguration: &api.EndpointConfiguration{Types: []string{"X"}}},
	} {
		in.Name = new("n")
		out, err := r.CreateRestApi(r.ctx, &in)
		fails(t, want, out, err)
	}
	for kind, want := range map[string]string{"EDGE": "ipv4", "REGIONAL": "ipv4", "PRIVATE": "dualstack"} {
		a := must[*api.RestApi](t)(r.CreateRestApi(r.ctx, &api.CreateRestApiRequest{Name: new("n"), EndpointConfiguration: &api.EndpointConfiguration{Types: []string{kind}}}))
		if got := *a.EndpointConfiguration.IpAddressType; got != want {
			t.Errorf("%s: got %s", kind, got)
		}
	}
	private, err := r.CreateRestApi(r.ctx, &api.CreateRestApiRequest{Name: new("n"), EndpointConfiguration: &api.EndpointConfiguration{Types: []string{"PRIVATE"}, IpAddressType: new("ipv4")}})
	fails(t, "BadRequestException: Only dualstack ipAddressType is supported for Private APIs.", private, err)
	out, err := r.GetRestApi(r.ctx, &api.GetRestApiRequest{RestApiId: new("nope")})
	fails(t, "NotFoundException: Invalid API identifier specified 000000000000:nope", out, err)
	upper, err := r.GetRestApi(r.ctx, &api.GetRestApiRequest{RestApiId: new(strings.ToUpper(*a.Id) + "A")})
	fails(t, "NotFoundException: Invalid API identifier specified 000000000000:"+strings.ToUpper(*a.Id)+"A", upper, err)
}

func TestUpdateRestApi(t *testing.T) {
	r := newRig(t)
	id, _ := r.newAPI(api.CreateRestApiRequest{Description: new("d")})
	update := func(ops ...api.PatchOperation) (*api.RestApi, error) {
		return r.UpdateRestApi(r.ctx, &api.UpdateRestApiRequest{RestApiId: &id, PatchOperations: ops})
	}
	a := must[*api.RestApi](t)(update(bare("add", "/binaryMediaTypes/image~1png"), bare("add", "/binaryMediaTypes/image~1jpeg"),
		value("replace", "/name", "m"), value("replace", "/minimumCompressionSize", "0")))
	if !slices.Equal(a.BinaryMediaTypes, []string{"image/png", "image/jpeg"}) || *a.Name != "m" || *a.MinimumCompressionSize != 0 || a.Tags == nil {
		t.Errorf("got %+v", a)
	}
	a = must[*api.RestApi](t)(update(value("replace", "/binaryMediaTypes/image~1png", "image/gif"), bare("remove", "/description"),
		value("replace", "/minimumCompressionSize", ""), value("replace", "/endpointConfiguration/types/EDGE", "REGIONAL")))
	if !slices.Equal(a.BinaryMediaTypes, []string{"image/jpeg", "image/gif"}) || a.Description != nil || a.MinimumCompressionSize != nil ||
		a.EndpointConfiguration.Types[0] != "REGIONAL" || *a.EndpointConfiguration.IpAddressType != "ipv4" {
		t.Errorf("got %+v", a)
	}
	for want, op := range map[string]api.PatchOperation{
		"BadRequestException: ipAddressType must be either ipv4 or dualstack.":                          value("replace", "/endpointConfiguration/ipAddressType", "x"),
		"BadRequestException: Invalid patch path /binaryMediaTypes":                                     value("add", "/binaryMediaTypes", "image/gif"),
		"BadRequestException: Invalid patch operation specified. Must be one of: [replace]":             value("add", "/minimumCompressionSize", "1"),
		"BadRequestException: Invalid minimum compression size, must be between 0 and 10485760":         value("replace", "/minimumCompressionSize", "x"),
		"BadRequestException: Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE": value("replace", "/endpointConfiguration/types/REGIONAL", "x"),
		"BadRequestException: Invalid patch operation specified. Must be 'add'|'remove'|'replace'":      value("copy", "/endpointConfiguration/types/REGIONAL", "x"),
		"NotImplemented: Cirro does not implement apigateway.UpdateRestApi of /policy":                  value("replace", "/policy", "{}"),
	} {
		out, err := update(op)
		fails(t, want, out, err)
	}
	// A patch applies whole or not at all.
	_, _ = update(value("replace", "/name", "lost"), bare("replace", "/nope"))
	if got := must[*api.RestApi](t)(r.GetRestApi(r.ctx, &api.GetRestApiRequest{RestApiId: &id})); *got.Name != "m" {
		t.Errorf("got the name %s", *got.Name)
	}
}

func TestGetRestApisPages(t *testing.T) {
	r := newRig(t)
	var made []string
	for range 7 {
		id, _ := r.newAPI(api.CreateRestApiRequest{})
		made = append(made, id)
	}
	slices.Sort(made)
	var got []string
	var position *string
	for {
		out := must[*api.RestApis](t)(r.GetRestApis(r.ctx, &api.GetRestApisRequest{Limit: new(int32(3)), Position: position}))
		for _, a := range out.Items {
			got = append(got, *a.Id)
			// What was given out does not come again when it has gone.
			must[*api.DeleteRestApiOutput](t)(r.DeleteRestApi(r.ctx, &api.DeleteRestApiRequest{RestApiId: a.Id}))
		}
		if position = out.Position; position == nil {
			break
		}
	}
	if !slices.Equal(got, made) {
		t.Errorf("got %v, want %v", got, made)
	}
	out, err := r.GetRestApis(r.ctx, &api.GetRestApisRequest{Position: new("%")})
	fails(t, "BadRequestException: Invalid position parameter specified", out, err)
}

func TestDeleteRestApi(t *testing.T) {
	r := newRig(t)
	id := r.catchAll(api.CreateRestApiRequest{})
	if res, _ := r.do("GET", "/_aws/execute-api/"+id+"/prod/x", ""); res.StatusCode != 200 {
		t.Fatalf("got %d", res.StatusCode)
	}
	must[*api.DeleteRestApiOutput](t)(r.DeleteRestApi(r.ctx, &api.DeleteRestApiRequest{RestApiId: &id}))
	if res, body := r.do("GET", "/_aws/execute-api/"+id+"/prod/x", ""); res.StatusCode != 403 || body != `{"message":"Forbidden"}` {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	out, err := r.DeleteRestApi(r.ctx, &api.DeleteRestApiRequest{RestApiId: &id})
	fails(t, "NotFoundException: Invalid API identifier specified 000000000000:"+id, out, err)
}

func TestOtherAccountsAndRegions(t *testing.T) {
	r := newRig(t)
	id, _ := r.newAPI(api.CreateRestApiRequest{})
	for _, other := range []awsapi.Request{{Region: "us-east-1", Principal: awsapi.Principal{Account: account}},
		{Region: region, Principal: awsapi.Principal{Account: "111111111111"}}} {
		if _, err := r.GetRestApi(awsapi.WithRequest(t.Context(), &other), &api.GetRestApiRequest{RestApiId: &id}); err == nil {
			t.Errorf("%+v sees it", other)
		}
	}
}

func TestTags(t *testing.T) {
	r := newRig(t)
	id := r.catchAll(api.CreateRestApiRequest{Tags: map[string]string{"a": "1"}})
	for arn, want := range map[string]int{"arn:aws:apigateway:eu-west-1::/restapis/" + id: 2, "arn:aws:apigateway:eu-west-1::/restapis/" + id + "/stages/prod": 1} {
		must[*api.TagResourceOutput](t)(r.TagResource(r.ctx, &api.TagResourceRequest{ResourceArn: &arn, Tags: map[string]string{"b": "2", "c": "3"}}))
		must[*api.UntagResourceOutput](t)(r.UntagResource(r.ctx, &api.UntagResourceRequest{ResourceArn: &arn, TagKeys: []string{"c"}}))
		if got := must[*api.Tags](t)(r.GetTags(r.ctx, &api.GetTagsRequest{ResourceArn: &arn})).Tags; len(got) != want || got["b"] != "2" {
			t.Errorf("%s: got %v", arn, got)
		}
	}
	out, err := r.GetTags(r.ctx, &api.GetTagsRequest{ResourceArn: new("arn:x")})
	fails(t, "BadRequestException: Invalid ARN specified in the request", out, err)
}
