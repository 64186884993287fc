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

var (
	errNoMethod  = api.NotFoundException.New("Invalid Method identifier specified")
	httpMethods  = []string{"GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY"}
	requestParam = regexp.MustCompile(`^method\.request\.(querystring|header|path|multivalueheader|multivaluequerystring)\.[a-zA-Z0-9._$-]+$`)
)

// Values of a method's authorizationType. The model knows it as a string alone.
const (
	authNone    = "NONE"
	authIAM     = "AWS_IAM"
	authCustom  = "CUSTOM"
	authCognito = "COGNITO_USER_POOLS"
)

// models are those that every API has.
var models = []string{"Empty", "Error"}

// PutMethod adds a method to a resource.
// https://docs.aws.amazon.com/apigateway/latest/api/API_PutMethod.html
func (s *Service) PutMethod(ctx context.Context, in *api.PutMethodRequest) (*api.Method, error) {
	m := api.Method{
		HttpMethod:        in.HttpMethod,
		AuthorizationType: new(strings.ToUpper(awsapi.Val(in.AuthorizationType))),
		ApiKeyRequired:    or(in.ApiKeyRequired, false),
		OperationName:     in.OperationName,
		RequestParameters: in.RequestParameters,
		RequestModels:     in.RequestModels,
	}
	err := s.changeResource(ctx, in.RestApiId, func(a *restAPI) error {
		r, err := a.resource(in.ResourceId)
		if err != nil {
			return err
		}
		name := awsapi.Val(in.HttpMethod)
		if err := checkMethod(name, in); err != nil {
			return err
		}
		if _, exists := r.ResourceMethods[name]; exists {
			return api.ConflictException.New("Method already exists for this resource")
		}
		if r.ResourceMethods == nil {
			r.ResourceMethods = map[string]api.Method{}
		}
		r.ResourceMethods[name] = m
		a.Resources[*r.Id] = r
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &m, nil
}

func checkMethod(name string, in *api.PutMethodRequest) error {
	if !slices.Contains(httpMethods, name) {
		return badRequest("Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY")
	}
	if err := checkRequestParameters(in.RequestParameters); err != nil {
		return err
	}
	if err := checkAuthorization(strings.ToUpper(awsapi.Val(in.AuthorizationType))); err != nil {
		return err
	}
	if awsapi.Val(in.RequestValidatorId) != "" {
		return errNoValidator
	}
	return checkModels(in.RequestModels)
}

var errNoValidator = badRequest("Invalid Request Validator identifier specified")

// checkAuthorization takes what needs no authorizer: there is none that one could name.
func checkAuthorization(kind string) error {
	switch kind {
	case authNone, authIAM:
		return nil
	case authCustom, authCognito:
		return badRequest("Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.")
	}
	return badRequest("Invalid authorization type specified. Valid options are NONE,CUSTOM,AWS_IAM,COGNITO_USER_POOLS")
}

func checkRequestParameters(parameters map[string]bool) error {
	seen := map[string]bool{}
	for _, p := range slices.Sorted(maps.Keys(parameters)) {
		if !requestParam.MatchString(p) {
			return badMapping(p)
		}
		name := strings.SplitN(p, ".", 4)[3]
		if seen[name] {
			return badRequest("Parameter names must be unique across querystring, header and path")
		}
		seen[name] = true
	}
	return nil
}

func badMapping(expression string) error {
	return badRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %s]", expression)
}

func checkModels(byType map[string]string) error {
	for _, contentType := range slices.Sorted(maps.Keys(byType)) {
		if model := byType[contentType]; !slices.Contains(models, model) {
			return badRequest("Invalid model identifier specified: %s", model)
		}
	}
	return nil
}

// method returns a method of a resource, both of which must be there.
func (a *restAPI) method(resourceID, name *string) (api.Method, error) {
	r, err := a.resource(resourceID)
	if err != nil {
		return api.Method{}, err
	}
	m, ok := r.ResourceMethods[awsapi.Val(name)]
	if !ok {
		return m, errNoMethod
	}
	return m, nil
}

// changeMethod changes a method in its API.
func (s *Service) changeMethod(ctx context.Context, apiID, resourceID, name *string, f func(*api.Method) error) error {
	return s.changeResource(ctx, apiID, func(a *restAPI) error {
		m, err := a.method(resourceID, name)
		if err != nil {
			return err
		}
		if err := f(&m); err != nil {
			return err
		}
		a.Resources[awsapi.Val(resourceID)].ResourceMethods[*name] = m
		return nil
	})
}

// viewMethod reads a method in its API.
func (s *Service) viewMethod(ctx context.Context, apiID, resourceID, name *string, f func(*api.Method) error) error {
	return s.viewResource(ctx, apiID, func(a *restAPI) error {
		m, err := a.method(resourceID, name)
		if err != nil {
			return err
		}
		return f(&m)
	})
}

// GetMethod describes a method with its integration and responses.
func (s *Service) GetMethod(ctx context.Context, in *api.GetMethodRequest) (*api.Method, error) {
	var out api.Method
	err := s.viewMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *api.Method) error {
		out = *m
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// UpdateMethod changes a method by patch operations.
// https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateMethod-Patch
func (s *Service) UpdateMethod(ctx context.Context, in *api.UpdateMethodRequest) (*api.Method, error) {
	var out api.Method
	err := s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *api.Method) error {
		if err := apply(&methodPatches, m, in.PatchOperations); err != nil {
			return err
		}
		out = *m
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

var methodPatches = patch.Table[api.Method]{Paths: []patch.Path[api.Method]{
	{Pattern: "/apiKeyRequired", Ops: replace, Apply: func(m *api.Method, o patch.Operation, _ []string) error {
		m.ApiKeyRequired = new(truth(o.Value))
		return nil
	}},
	{Pattern: "/authorizationType", Ops: replace, Apply: func(m *api.Method, o patch.Operation, _ []string) error {
		m.AuthorizationType = o.Value
		return checkAuthorization(awsapi.Val(o.Value))
	}},
	// A method whose type takes no authorizer keeps none, without an error.
	{Pattern: "/authorizerId", Ops: replace, Apply: func(*api.Method, patch.Operation, []string) error { return nil }},
	{Pattern: "/operationName", Ops: replace, Apply: func(m *api.Method, o patch.Operation, _ []string) error {
		m.OperationName = optional(o)
		return nil
	}},
	{Pattern: "/requestValidatorId", Ops: replace, Apply: func(_ *api.Method, o patch.Operation, _ []string) error {
		if awsapi.Val(o.Value) != "" {
			return errNoValidator
		}
		return nil
	}},
	{Pattern: "/requestModels/{type}", Ops: addRemoveReplace, Apply: func(m *api.Method, o patch.Operation, keys []string) error {
		if o.Op == api.OpRemove {
			return removeKey(&m.RequestModels, keys[0], errNoContentType)
		}
		setKey(&m.RequestModels, keys[0], awsapi.Val(o.Value))
		return checkModels(m.RequestModels)
	}},
	{Pattern: "/requestParameters/{name}", Ops: addRemoveReplace, Apply: func(m *api.Method, o patch.Operation, keys []string) error {
		if o.Op == api.OpRemove {
			return removeKey(&m.RequestParameters, keys[0], errNoParameter)
		}
		setKey(&m.RequestParameters, keys[0], truth(o.Value))
		return checkRequestParameters(m.RequestParameters)
	}},
}}

var (
	errNoParameter   = api.NotFoundException.New("Invalid parameter name specified")
	errNoContentType = api.NotFoundException.New("Content-Type specified was not found")
)

// setKey sets a key of a map that may not be there yet.
func setKey[V any](m *map[string]V, key string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = value
}

// removeKey removes a key of a map, and the map with its last; missing is the error for a key that is
// not there.
func removeKey[V any](m *map[string]V, key string, missing error) error {
	if _, ok := (*m)[key]; !ok {
		return missing
	}
	delete(*m, key)
	if len(*m) == 0 {
		*m = nil
	}
	return nil
}

// DeleteMethod deletes a method with its integration and responses.
func (s *Service) DeleteMethod(ctx context.Context, in *api.DeleteMethodRequest) (*api.DeleteMethodOutput, error) {
	err := s.changeResource(ctx, in.RestApiId, func(a *restAPI) error {
		if _, err := a.method(in.ResourceId, in.HttpMethod); err != nil {
			return err
		}
		delete(a.Resources[*in.ResourceId].ResourceMethods, *in.HttpMethod)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteMethodOutput{}, nil
}
