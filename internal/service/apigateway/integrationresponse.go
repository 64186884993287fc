package apigateway

import (
	"context"
	"errors"
	"maps"
	"mime"
	"regexp"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/apigateway/patch"
)

// PutIntegrationResponse says how what an integration answers becomes a response of the method.
// https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegrationResponse.html
func (s *Service) PutIntegrationResponse(ctx context.Context, in *api.PutIntegrationResponseRequest) (*api.IntegrationResponse, error) {
	out := api.IntegrationResponse{StatusCode: in.StatusCode, SelectionPattern: in.SelectionPattern,
		ResponseParameters: in.ResponseParameters, ResponseTemplates: in.ResponseTemplates, ContentHandling: in.ContentHandling}
	err := s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *api.Method) error {
		i, err := integration(m)
		if err != nil {
			return err
		}
		if err := checkIntegrationResponse(&out, m); err != nil {
			return err
		}
		setKey(&i.IntegrationResponses, awsapi.Val(in.StatusCode), out)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func checkIntegrationResponse(r *api.IntegrationResponse, m *api.Method) error {
	if r.ContentHandling != nil {
		return unimplemented("integration responses with contentHandling")
	}
	if _, err := regexp.Compile(awsapi.Val(r.SelectionPattern)); err != nil {
		return badRequest("Invalid selection pattern specified: %s", *r.SelectionPattern)
	}
	for _, t := range slices.Sorted(maps.Keys(r.ResponseTemplates)) {
		if kind, _, err := mime.ParseMediaType(t); err != nil || !strings.Contains(kind, "/") {
			return badRequest("Validation Result: warnings : [], errors : [Invalid content type specified: %s]", t)
		}
		if *m.MethodIntegration.Type == api.IntegrationTypeMock && !constant(r.ResponseTemplates[t]) {
			return unimplemented("mapping templates in Velocity (responseTemplates of " + t + ")")
		}
	}
	return checkResponseParameters(r, m)
}

func checkResponseParameters(r *api.IntegrationResponse, m *api.Method) error {
	declared := m.MethodResponses[awsapi.Val(r.StatusCode)].ResponseParameters
	for _, name := range slices.Sorted(maps.Keys(r.ResponseParameters)) {
		if _, ok := declared[name]; !responseParam.MatchString(name) || !ok {
			return badRequest("Invalid mapping expression parameter specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: %s]", name)
		}
		err := checkExpression(r.ResponseParameters[name])
		switch {
		case errors.Is(err, errBadExpression):
			return badMapping(r.ResponseParameters[name])
		case err != nil:
			return err
		}
	}
	return nil
}

// GetIntegrationResponse describes an integration's response.
func (s *Service) GetIntegrationResponse(ctx context.Context, in *api.GetIntegrationResponseRequest) (*api.IntegrationResponse, error) {
	var out api.IntegrationResponse
	err := s.viewMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *api.Method) error {
		i, err := integration(m)
		if err != nil {
			return err
		}
		out, err = response(i.IntegrationResponses, in.StatusCode)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// UpdateIntegrationResponse changes an integration's response by patch operations.
// https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateIntegrationResponse-Patch
func (s *Service) UpdateIntegrationResponse(ctx context.Context, in *api.UpdateIntegrationResponseRequest) (*api.IntegrationResponse, error) {
	var out api.IntegrationResponse
	err := s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *api.Method) error {
		i, err := integration(m)
		if err != nil {
			return err
		}
		if out, err = response(i.IntegrationResponses, in.StatusCode); err != nil {
			return err
		}
		if err := apply(&integrationResponsePatches, &out, in.PatchOperations); err != nil {
			return err
		}
		i.IntegrationResponses[*in.StatusCode] = out
		return checkIntegrationResponse(&out, m)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

var integrationResponsePatches = patch.Table[api.IntegrationResponse]{Paths: []patch.Path[api.IntegrationResponse]{
	{Pattern: "/selectionPattern", Ops: replace, Apply: func(r *api.IntegrationResponse, o patch.Operation, _ []string) error {
		r.SelectionPattern = o.Value
		return nil
	}},
	{Pattern: "/contentHandling", Ops: replace, Apply: func(r *api.IntegrationResponse, o patch.Operation, _ []string) error {
		r.ContentHandling = optional(o)
		return nil
	}},
	{Pattern: "/responseParameters/{name}", Ops: addRemoveReplace, Apply: func(r *api.IntegrationResponse, o patch.Operation, keys []string) error {
		if o.Op == api.OpRemove {
			return removeKey(&r.ResponseParameters, keys[0], errNoParameter)
		}
		setKey(&r.ResponseParameters, keys[0], awsapi.Val(o.Value))
		return nil
	}},
	{Pattern: "/responseTemplates/{type}", Ops: addRemoveReplace, Apply: func(r *api.IntegrationResponse, o patch.Operation, keys []string) error {
		if o.Op == api.OpRemove {
			return removeKey(&r.ResponseTemplates, keys[0], errNoContentType)
		}
		setKey(&r.ResponseTemplates, keys[0], awsapi.Val(o.Value))
		return nil
	}},
}}

// DeleteIntegrationResponse deletes an integration's response.
func (s *Service) DeleteIntegrationResponse(ctx context.Context, in *api.DeleteIntegrationResponseRequest) (*api.DeleteIntegrationResponseOutput, error) {
	err := s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *api.Method) error {
		i, err := integration(m)
		if err != nil {
			return err
		}
		return removeKey(&i.IntegrationResponses, awsapi.Val(in.StatusCode), errNoStatus)
	})
	if errors.Is(err, errNoMethod) {
		// This operation alone words it so, on AWS.
		err = errNoIntegration
	}
	if err != nil {
		return nil, err
	}
	return &api.DeleteIntegrationResponseOutput{}, nil
}
