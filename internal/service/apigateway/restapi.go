package apigateway

import (
	"context"
	"slices"
	"strconv"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/apigateway/patch"
	"cirro/internal/store"
)

// maxCompressionSize bounds minimumCompressionSize, in bytes.
const maxCompressionSize = 10 << 20

// CreateRestApi makes an API with its root resource.
// https://docs.aws.amazon.com/apigateway/latest/api/API_CreateRestApi.html
func (s *Service) CreateRestApi(ctx context.Context, in *api.CreateRestApiRequest) (*api.RestApi, error) {
	if err := checkRestAPI(in); err != nil {
		return nil, err
	}
	id, root := newID(apiIDLength), newID(partIDLength)
	a := restAPI{
		API: api.RestApi{
			Id:                        &id,
			Name:                      in.Name,
			Description:               in.Description,
			CreatedDate:               now(),
			Version:                   in.Version,
			BinaryMediaTypes:          unique(in.BinaryMediaTypes),
			MinimumCompressionSize:    in.MinimumCompressionSize,
			ApiKeySource:              or(in.ApiKeySource, api.ApiKeySourceTypeHeader),
			EndpointConfiguration:     endpoint(in.EndpointConfiguration),
			Policy:                    in.Policy,
			Tags:                      in.Tags,
			DisableExecuteApiEndpoint: or(in.DisableExecuteApiEndpoint, false),
			RootResourceId:            &root,
		},
		Resources: map[string]api.Resource{root: {Id: &root, Path: new("/")}},
	}
	r := awsapi.RequestOf(ctx)
	err := s.store.Update(ctx, func(tx store.Tx) error {
		if err := store.SetRecord(tx, homeKey(id), home{r.Account(), r.Region}); err != nil {
			return err
		}
		return store.SetRecord(tx, apiKey(ctx, id), a)
	})
	if err != nil {
		return nil, err
	}
	return &a.API, nil
}

func checkRestAPI(in *api.CreateRestApiRequest) error {
	where := endpoint(in.EndpointConfiguration)
	switch {
	case awsapi.Val(in.Name) == "":
		return badRequest("Name cannot be empty")
	case in.Description != nil && *in.Description == "":
		return badRequest("Description cannot be an empty string")
	case in.CloneFrom != nil:
		return unimplemented("CreateRestApi with cloneFrom")
	case in.Policy != nil && *in.Policy != "":
		return unimplemented("CreateRestApi with a policy")
	case in.SecurityPolicy != nil || in.EndpointAccessMode != nil:
		return unimplemented("CreateRestApi with securityPolicy or endpointAccessMode")
	case in.MinimumCompressionSize != nil && !validCompressionSize(int(*in.MinimumCompressionSize)):
		return badRequest("Invalid minimum compression size, must be between 0 and 10485760")
	case in.EndpointConfiguration != nil && in.EndpointConfiguration.Types != nil && len(in.EndpointConfiguration.Types) == 0:
		return badRequest("REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")
	case len(where.Types) > 1:
		return badRequest("Cannot create an api with multiple Endpoint Types.")
	}
	if err := checkEndpoint(where); err != nil {
		return err
	}
	return checkTags(in.Tags)
}

// checkEndpoint checks an endpoint configuration that has one type.
func checkEndpoint(c *api.EndpointConfiguration) error {
	switch {
	case !slices.Contains(endpointTypes, c.Types[0]):
		return badRequest("Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE")
	case *c.IpAddressType != ipv4 && *c.IpAddressType != dualstack:
		return badRequest("ipAddressType must be either ipv4 or dualstack.")
	case c.Types[0] == api.EndpointTypePrivate && *c.IpAddressType == ipv4:
		return badRequest("Only dualstack ipAddressType is supported for Private APIs.")
	}
	return nil
}

// Values of ipAddressType.
const (
	ipv4      = "ipv4"
	dualstack = "dualstack"
)

var endpointTypes = []string{api.EndpointTypeRegional, api.EndpointTypeEdge, api.EndpointTypePrivate}

// endpoint is an API's endpoint configuration with what it does not say: an edge-optimised one for IPv4.
func endpoint(c *api.EndpointConfiguration) *api.EndpointConfiguration {
	out := api.EndpointConfiguration{}
	if c != nil {
		out = *c
	}
	if len(out.Types) == 0 {
		out.Types = []string{api.EndpointTypeEdge}
	}
	if out.IpAddressType == nil {
		out.IpAddressType = new(defaultAddresses(out.Types[0]))
	}
	return &out
}

// defaultAddresses is the ipAddressType of an endpoint type.
func defaultAddresses(kind string) string {
	if kind == api.EndpointTypePrivate {
		return dualstack
	}
	return ipv4
}

func validCompressionSize(n int) bool { return n >= 0 && n <= maxCompressionSize }

// or is p, or a pointer to the default where p is nil.
func or[T any](p *T, fallback T) *T {
	if p == nil {
		return &fallback
	}
	return p
}

// unique drops what comes again.
func unique(list []string) []string {
	var out []string
	for _, v := range list {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// GetRestApi describes an API.
func (s *Service) GetRestApi(ctx context.Context, in *api.GetRestApiRequest) (*api.RestApi, error) {
	var out api.RestApi
	err := s.view(ctx, in.RestApiId, func(a *restAPI) error {
		out = single(a.API)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// single is an API as the operations on one API show it: with its tags, be there none.
func single(a api.RestApi) api.RestApi {
	if a.Tags == nil {
		a.Tags = map[string]string{}
	}
	return a
}

// GetRestApis lists the APIs of the account and region.
func (s *Service) GetRestApis(ctx context.Context, in *api.GetRestApisRequest) (*api.RestApis, error) {
	out := &api.RestApis{Items: []api.RestApi{}}
	err := s.store.View(ctx, func(r store.Reader) error {
		var all []api.RestApi
		for a, err := range store.Records[restAPI](r, prefixOf(ctx, "api")) {
			if err != nil {
				return err
			}
			if len(a.API.Tags) == 0 {
				a.API.Tags = nil
			}
			all = append(all, a.API)
		}
		cut, next, err := page(all, func(a api.RestApi) string { return *a.Id }, in.Position, in.Limit)
		out.Items, out.Position = append(out.Items, cut...), next
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UpdateRestApi changes an API by patch operations.
// https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateRestApi-Patch
func (s *Service) UpdateRestApi(ctx context.Context, in *api.UpdateRestApiRequest) (*api.RestApi, error) {
	var out api.RestApi
	err := s.change(ctx, in.RestApiId, func(a *restAPI) error {
		if err := apply(&restAPIPatches, &a.API, in.PatchOperations); err != nil {
			return err
		}
		out = single(a.API)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// Operations that paths take.
var (
	replace          = []string{api.OpReplace}
	addRemoveReplace = []string{api.OpAdd, api.OpRemove, api.OpReplace}
	addRemove        = []string{api.OpAdd, api.OpRemove}
)

var restAPIPatches = patch.Table[api.RestApi]{Paths: []patch.Path[api.RestApi]{
	{Pattern: "/name", Ops: replace, Apply: func(a *api.RestApi, o patch.Operation, _ []string) error {
		if awsapi.Val(o.Value) == "" {
			return badRequest("Name cannot be empty")
		}
		a.Name = o.Value
		return nil
	}},
	{Pattern: "/description", Ops: addRemoveReplace, Apply: func(a *api.RestApi, o patch.Operation, _ []string) error {
		a.Description = optional(o)
		return nil
	}},
	{Pattern: "/version", Ops: replace, Apply: func(a *api.RestApi, o patch.Operation, _ []string) error {
		a.Version = optional(o)
		return nil
	}},
	{Pattern: "/apiKeySource", Ops: replace, Apply: func(a *api.RestApi, o patch.Operation, _ []string) error {
		if v := awsapi.Val(o.Value); v != api.ApiKeySourceTypeHeader && v != api.ApiKeySourceTypeAuthorizer {
			return badRequest("Invalid API key source specified. Valid options are HEADER,AUTHORIZER")
		}
		a.ApiKeySource = o.Value
		return nil
	}},
	{Pattern: "/disableExecuteApiEndpoint", Ops: replace, Apply: func(a *api.RestApi, o patch.Operation, _ []string) error {
		a.DisableExecuteApiEndpoint = new(truth(o.Value))
		return nil
	}},
	{Pattern: "/minimumCompressionSize", Ops: replace, Apply: replaceCompressionSize},
	{Pattern: "/policy", Ops: replace, Apply: func(a *api.RestApi, o patch.Operation, _ []string) error {
		if awsapi.Val(o.Value) != "" {
			return unimplemented("UpdateRestApi of /policy")
		}
		a.Policy = nil
		return nil
	}},
	{Pattern: "/binaryMediaTypes/{type}", Ops: addRemoveReplace, Apply: patchMediaType},
	{Pattern: "/endpointConfiguration/types/{type}", Ops: []string{api.OpAdd, api.OpRemove, api.OpReplace, api.OpCopy, api.OpMove, api.OpTest}, Apply: replaceEndpointType},
	{Pattern: "/endpointConfiguration/ipAddressType", Ops: replace, Apply: func(a *api.RestApi, o patch.Operation, _ []string) error {
		a.EndpointConfiguration.IpAddressType = new(awsapi.Val(o.Value))
		return checkEndpoint(a.EndpointConfiguration)
	}},
}}

// optional is a patch's value for a member that may be missing: "" and remove take it away.
func optional(o patch.Operation) *string {
	if o.Op == api.OpRemove || awsapi.Val(o.Value) == "" {
		return nil
	}
	return o.Value
}

// truth reads a flag as API Gateway does: whatever is not true is false.
func truth(value *string) bool {
	b, err := strconv.ParseBool(awsapi.Val(value))
	return err == nil && b
}

func replaceCompressionSize(a *api.RestApi, o patch.Operation, _ []string) error {
	if awsapi.Val(o.Value) == "" {
		a.MinimumCompressionSize = nil
		return nil
	}
	n, err := strconv.Atoi(*o.Value)
	if err != nil || !validCompressionSize(n) {
		return badRequest("Invalid minimum compression size, must be between 0 and 10485760")
	}
	a.MinimumCompressionSize = new(int32(n))
	return nil
}

// patchMediaType changes the binary media types. A replaced type goes to the end, as on AWS.
func patchMediaType(a *api.RestApi, o patch.Operation, keys []string) error {
	i := slices.Index(a.BinaryMediaTypes, keys[0])
	if o.Op == api.OpAdd {
		a.BinaryMediaTypes = unique(append(a.BinaryMediaTypes, keys[0]))
		return nil
	}
	if i < 0 {
		return api.NotFoundException.New("Invalid binary media type specified: %s", keys[0])
	}
	a.BinaryMediaTypes = slices.Delete(a.BinaryMediaTypes, i, i+1)
	if o.Op == api.OpReplace {
		a.BinaryMediaTypes = unique(append(a.BinaryMediaTypes, awsapi.Val(o.Value)))
	}
	return nil
}

func replaceEndpointType(a *api.RestApi, o patch.Operation, _ []string) error {
	switch {
	case !slices.Contains(addRemoveReplace, o.Op):
		return badRequest("Invalid patch operation specified. Must be 'add'|'remove'|'replace'")
	case o.Op != api.OpReplace:
		return badRequest("Cannot create an api with multiple Endpoint Types.")
	}
	kind := awsapi.Val(o.Value)
	a.EndpointConfiguration.Types = []string{kind}
	if kind == api.EndpointTypePrivate {
		a.EndpointConfiguration.IpAddressType = new(dualstack)
	}
	return checkEndpoint(a.EndpointConfiguration)
}

// DeleteRestApi deletes an API with its deployments and stages.
func (s *Service) DeleteRestApi(ctx context.Context, in *api.DeleteRestApiRequest) (*api.DeleteRestApiOutput, error) {
	id := awsapi.Val(in.RestApiId)
	err := s.store.Update(ctx, func(tx store.Tx) error {
		if _, err := getAPI(ctx, tx, id); err != nil {
			return err
		}
		for _, kind := range []string{"deployment", "stage"} {
			below := prefixOf(ctx, kind, id)
			if err := tx.DeleteRange(below.Start, below.End); err != nil {
				return err
			}
		}
		if err := tx.Delete(homeKey(id)); err != nil {
			return err
		}
		return tx.Delete(apiKey(ctx, id))
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteRestApiOutput{}, nil
}
