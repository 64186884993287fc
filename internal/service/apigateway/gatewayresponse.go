package apigateway

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/apigateway/patch"
)

// gatewayStatus is the status code of each type of gateway response by default. The two defaults for
// all others have none.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
var gatewayStatus = map[string]string{
	api.GatewayResponseTypeAccessDenied:                 "403",
	api.GatewayResponseTypeApiConfigurationError:        "500",
	api.GatewayResponseTypeAuthorizerConfigurationError: "500",
	api.GatewayResponseTypeAuthorizerFailure:            "500",
	api.GatewayResponseTypeBadRequestBody:               "400",
	api.GatewayResponseTypeBadRequestParameters:         "400",
	api.GatewayResponseTypeDefault4xx:                   "",
	api.GatewayResponseTypeDefault5xx:                   "",
	api.GatewayResponseTypeExpiredToken:                 "403",
	api.GatewayResponseTypeIntegrationFailure:           "504",
	api.GatewayResponseTypeIntegrationTimeout:           "504",
	api.GatewayResponseTypeInvalidApiKey:                "403",
	api.GatewayResponseTypeInvalidSignature:             "403",
	api.GatewayResponseTypeMissingAuthenticationToken:   "403",
	api.GatewayResponseTypeQuotaExceeded:                "429",
	api.GatewayResponseTypeRequestTooLarge:              "413",
	api.GatewayResponseTypeResourceNotFound:             "404",
	api.GatewayResponseTypeThrottled:                    "429",
	api.GatewayResponseTypeUnauthorized:                 "401",
	api.GatewayResponseTypeUnsupportedMediaType:         "415",
	api.GatewayResponseTypeWafFiltered:                  "403",
}

// defaultTemplates are the templates of a gateway response that says nothing of them.
func defaultTemplates() map[string]string {
	return map[string]string{"application/json": `{"message":$context.error.messageString}`}
}

// gatewayResponse is the response of a type: as it was set, or as the default for its class was, or as
// AWS has it.
func (a *restAPI) gatewayResponse(kind string) api.GatewayResponse {
	if r, ok := a.Responses[kind]; ok {
		return r
	}
	r := api.GatewayResponse{ResponseType: &kind, DefaultResponse: new(true),
		ResponseParameters: map[string]string{}, ResponseTemplates: defaultTemplates()}
	status := gatewayStatus[kind]
	if status != "" {
		r.StatusCode = &status
	}
	class := api.GatewayResponseTypeDefault4xx
	if strings.HasPrefix(status, "5") {
		class = api.GatewayResponseTypeDefault5xx
	}
	if d, ok := a.Responses[class]; ok && status != "" {
		r.ResponseParameters, r.ResponseTemplates = d.ResponseParameters, d.ResponseTemplates
		if d.StatusCode != nil {
			r.StatusCode = d.StatusCode
		}
	}
	return r
}

// PutGatewayResponse sets the response of a type.
// https://docs.aws.amazon.com/apigateway/latest/api/API_PutGatewayResponse.html
func (s *Service) PutGatewayResponse(ctx context.Context, in *api.PutGatewayResponseRequest) (*api.GatewayResponse, error) {
	out := api.GatewayResponse{ResponseType: in.ResponseType, StatusCode: in.StatusCode, DefaultResponse: new(false),
		ResponseParameters: in.ResponseParameters, ResponseTemplates: in.ResponseTemplates}
	err := s.change(ctx, in.RestApiId, func(a *restAPI) error {
		if status := gatewayStatus[awsapi.Val(in.ResponseType)]; out.StatusCode == nil && status != "" {
			out.StatusCode = &status
		}
		if out.ResponseParameters == nil {
			out.ResponseParameters = map[string]string{}
		}
		if len(out.ResponseTemplates) == 0 {
			out.ResponseTemplates = defaultTemplates()
		}
		setKey(&a.Responses, awsapi.Val(in.ResponseType), out)
		return checkGatewayResponse(&out)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

var (
	gatewayHeader     = regexp.MustCompile(`^gatewayresponse\.header\.[a-zA-Z0-9_-]+$`)
	gatewayExpression = regexp.MustCompile(`^('.*'|(context|stageVariables|method\.request\.(header|multivalueheader|path|querystring|multivaluequerystring))\.[a-zA-Z0-9._$-]+)$`)
)

func checkGatewayResponse(r *api.GatewayResponse) error {
	for _, name := range slices.Sorted(maps.Keys(r.ResponseParameters)) {
		if !gatewayHeader.MatchString(name) {
			return badMapping(name)
		}
		if e := r.ResponseParameters[name]; !gatewayExpression.MatchString(e) {
			return badMapping(e)
		}
	}
	return nil
}

// GetGatewayResponse describes the response of a type.
func (s *Service) GetGatewayResponse(ctx context.Context, in *api.GetGatewayResponseRequest) (*api.GatewayResponse, error) {
	var out api.GatewayResponse
	err := s.view(ctx, in.RestApiId, func(a *restAPI) error {
		out = a.gatewayResponse(awsapi.Val(in.ResponseType))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// GetGatewayResponses lists the responses of all types, those that were never set too.
func (s *Service) GetGatewayResponses(ctx context.Context, in *api.GetGatewayResponsesRequest) (*api.GatewayResponses, error) {
	out := &api.GatewayResponses{}
	err := s.view(ctx, in.RestApiId, func(a *restAPI) (err error) {
		var all []api.GatewayResponse
		for _, kind := range slices.Sorted(maps.Keys(gatewayStatus)) {
			all = append(all, a.gatewayResponse(kind))
		}
		out.Items, out.Position, err = page(all, func(r api.GatewayResponse) string { return *r.ResponseType }, in.Position, in.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UpdateGatewayResponse changes the response of a type by patch operations.
// https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateGatewayResponse-Patch
func (s *Service) UpdateGatewayResponse(ctx context.Context, in *api.UpdateGatewayResponseRequest) (*api.GatewayResponse, error) {
	var out api.GatewayResponse
	err := s.change(ctx, in.RestApiId, func(a *restAPI) error {
		out = a.gatewayResponse(awsapi.Val(in.ResponseType))
		out.DefaultResponse = new(false)
		out.ResponseParameters, out.ResponseTemplates = maps.Clone(out.ResponseParameters), maps.Clone(out.ResponseTemplates)
		if err := apply(&gatewayResponsePatches, &out, in.PatchOperations); err != nil {
			return err
		}
		setKey(&a.Responses, *in.ResponseType, out)
		return checkGatewayResponse(&out)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

var gatewayResponsePatches = patch.Table[api.GatewayResponse]{Style: patch.PathOnly, Paths: []patch.Path[api.GatewayResponse]{
	{Pattern: "/statusCode", Ops: replace, Apply: func(r *api.GatewayResponse, o patch.Operation, _ []string) error {
		r.StatusCode = optional(o)
		return nil
	}},
	{Pattern: "/responseParameters/{name}", Ops: addRemoveReplace, Apply: func(r *api.GatewayResponse, o patch.Operation, keys []string) error {
		return patchGatewayMap(r.ResponseParameters, "responseParameters", o, keys[0], errNoParameter)
	}},
	{Pattern: "/responseTemplates/{type}", Ops: addRemoveReplace, Apply: func(r *api.GatewayResponse, o patch.Operation, keys []string) error {
		return patchGatewayMap(r.ResponseTemplates, "responseTemplates", o, keys[0], errNoContentType)
	}},
}}

func patchGatewayMap(m map[string]string, member string, o patch.Operation, key string, missing error) error {
	_, exists := m[key]
	switch {
	case o.Op != api.OpAdd && !exists:
		return missing
	case o.Op == api.OpRemove:
		delete(m, key)
	case awsapi.Val(o.Value) == "":
		return badRequest("Invalid null or empty value in %s", member)
	default:
		m[key] = *o.Value
	}
	return nil
}

// DeleteGatewayResponse sets the response of a type back to its default.
func (s *Service) DeleteGatewayResponse(ctx context.Context, in *api.DeleteGatewayResponseRequest) (*api.DeleteGatewayResponseOutput, error) {
	err := s.change(ctx, in.RestApiId, func(a *restAPI) error {
		return removeKey(&a.Responses, awsapi.Val(in.ResponseType),
			api.NotFoundException.New("Gateway response type not defined on api"))
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteGatewayResponseOutput{}, nil
}
