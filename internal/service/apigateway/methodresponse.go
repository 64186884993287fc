package apigateway

import (
	"context"
	"maps"
	"regexp"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/apigateway/patch"
)

var (
	errNoStatus   = api.NotFoundException.New("Invalid Response status code specified")
	responseParam = regexp.MustCompile(`^method\.response\.header\.[a-zA-Z0-9_-]+$`)
)

// PutMethodResponse declares a response of a method.
// https://docs.aws.amazon.com/apigateway/latest/api/API_PutMethodResponse.html
func (s *Service) PutMethodResponse(ctx context.Context, in *api.PutMethodResponseRequest) (*api.MethodResponse, error) {
	out := api.MethodResponse{StatusCode: in.StatusCode, ResponseParameters: in.ResponseParameters, ResponseModels: in.ResponseModels}
	err := s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *api.Method) error {
		if _, exists := m.MethodResponses[awsapi.Val(in.StatusCode)]; exists {
			return api.ConflictException.New("Response already exists for this resource")
		}
		if err := checkMethodResponse(&out); err != nil {
			return err
		}
		setKey(&m.MethodResponses, awsapi.Val(in.StatusCode), out)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func checkMethodResponse(r *api.MethodResponse) error {
	for _, name := range slices.Sorted(maps.Keys(r.ResponseParameters)) {
		if !responseParam.MatchString(name) {
			return badMapping(name)
		}
	}
	return checkModels(r.ResponseModels)
}

// GetMethodResponse describes a response of a method.
func (s *Service) GetMethodResponse(ctx context.Context, in *api.GetMethodResponseRequest) (*api.MethodResponse, error) {
	var out api.MethodResponse
	err := s.viewMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *api.Method) (err error) {
		out, err = response(m.MethodResponses, in.StatusCode)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// response returns the response, of a method or of an integration, for a status code.
func response[R any](responses map[string]R, status *string) (R, error) {
	r, ok := responses[awsapi.Val(status)]
	if !ok {
		return r, errNoStatus
	}
	return r, nil
}

// UpdateMethodResponse changes a response of a method by patch operations.
// https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateMethodResponse-Patch
func (s *Service) UpdateMethodResponse(ctx context.Context, in *api.UpdateMethodResponseRequest) (*api.MethodResponse, error) {
	var out api.MethodResponse
	err := s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *api.Method) (err error) {
		if out, err = response(m.MethodResponses, in.StatusCode); err != nil {
			return err
		}
		if err := apply(&methodResponsePatches, &out, in.PatchOperations); err != nil {
			return err
		}
		m.MethodResponses[*in.StatusCode] = out
		return checkMethodResponse(&out)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

var methodResponsePatches = patch.Table[api.MethodResponse]{Paths: []patch.Path[api.MethodResponse]{
	{Pattern: "/responseParameters/{name}", Ops: addRemoveReplace, Apply: func(r *api.MethodResponse, o patch.Operation, keys []string) error {
		if o.Op == api.OpRemove {
			return removeKey(&r.ResponseParameters, keys[0], errNoParameter)
		}
		setKey(&r.ResponseParameters, keys[0], truth(o.Value))
		return nil
	}},
	{Pattern: "/responseModels/{type}", Ops: addRemoveReplace, Apply: func(r *api.MethodResponse, o patch.Operation, keys []string) error {
		if o.Op == api.OpRemove {
			return removeKey(&r.ResponseModels, keys[0], errNoContentType)
		}
		setKey(&r.ResponseModels, keys[0], awsapi.Val(o.Value))
		return nil
	}},
}}

// DeleteMethodResponse deletes a response of a method.
func (s *Service) DeleteMethodResponse(ctx context.Context, in *api.DeleteMethodResponseRequest) (*api.DeleteMethodResponseOutput, error) {
	err := s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *api.Method) error {
		return removeKey(&m.MethodResponses, awsapi.Val(in.StatusCode), errNoStatus)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteMethodResponseOutput{}, nil
}
