package apigateway

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/apigateway/patch"
)

// The bounds of an integration's timeout, in milliseconds. The greatest is the default.
const (
	minTimeout = 50
	maxTimeout = 29_000
)

var (
	errNoIntegration = api.NotFoundException.New("Invalid Integration identifier specified")
	// functionURI is the uri of a Lambda proxy integration: the function's ARN stands in it, whole or
	// partly made of stage variables.
	functionURI = regexp.MustCompile(`^arn:[a-z0-9-]+:apigateway:([a-z0-9-]+):lambda:path/+2015-03-31/functions/(.+)/invocations$`)
)

// PutIntegration says what a method does. A Lambda proxy or a mock can be put; the other types are
// refused, for they would not work.
// https://docs.aws.amazon.com/apigateway/latest/api/API_PutIntegration.html
func (s *Service) PutIntegration(ctx context.Context, in *api.PutIntegrationRequest) (*api.Integration, error) {
	out := api.Integration{
		Type:                in.Type,
		HttpMethod:          in.IntegrationHttpMethod,
		Uri:                 in.Uri,
		Credentials:         in.Credentials,
		RequestParameters:   in.RequestParameters,
		RequestTemplates:    in.RequestTemplates,
		PassthroughBehavior: or(in.PassthroughBehavior, "WHEN_NO_MATCH"),
		ContentHandling:     in.ContentHandling,
		TimeoutInMillis:     or(in.TimeoutInMillis, maxTimeout),
		CacheNamespace:      or(in.CacheNamespace, awsapi.Val(in.ResourceId)),
		CacheKeyParameters:  in.CacheKeyParameters,
	}
	if out.CacheKeyParameters == nil {
		out.CacheKeyParameters = []string{}
	}
	err := s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *api.Method) error {
		if in.ConnectionType != nil && *in.ConnectionType != api.ConnectionTypeInternet || in.TlsConfig != nil {
			return unimplemented("PutIntegration with a VPC link or tlsConfig")
		}
		if in.IntegrationTarget != nil || in.ResponseTransferMode != nil && *in.ResponseTransferMode != "BUFFERED" {
			return unimplemented("PutIntegration with integrationTarget or a responseTransferMode of STREAM")
		}
		if err := checkIntegration(&out); err != nil {
			return err
		}
		m.MethodIntegration = &out
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func checkIntegration(i *api.Integration) error {
	kind := awsapi.Val(i.Type)
	if t := *i.TimeoutInMillis; t < minTimeout || t > maxTimeout {
		return badRequest("Timeout should be between 50 ms and 29000 ms")
	}
	if !slices.Contains([]string{"WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"}, *i.PassthroughBehavior) {
		return badRequest("Invalid passthrough behavior specified. Valid options are WHEN_NO_MATCH,WHEN_NO_TEMPLATES,NEVER")
	}
	if i.ContentHandling != nil {
		return unimplemented("integrations with contentHandling")
	}
	switch kind {
	case api.IntegrationTypeMock:
		return checkMock(i)
	case api.IntegrationTypeAwsProxy:
		return checkLambdaProxy(i)
	}
	return unimplemented("integrations of type " + kind)
}

// checkMock takes request templates that are constant: there is no template language yet.
func checkMock(i *api.Integration) error {
	if len(i.RequestParameters) > 0 {
		return unimplemented("requestParameters of a mock integration")
	}
	for contentType, template := range i.RequestTemplates {
		if !constant(template) {
			return unimplemented("mapping templates in Velocity (requestTemplates of " + contentType + ")")
		}
	}
	return nil
}

func checkLambdaProxy(i *api.Integration) error {
	uri := awsapi.Val(i.Uri)
	switch {
	case awsapi.Val(i.HttpMethod) == "":
		return badRequest("Enumeration value for HttpMethod must be non-empty")
	case uri == "":
		return badRequest("Uri must be specified for AWS_PROXY integrations")
	case !strings.HasPrefix(uri, "arn:"):
		return badRequest("Invalid ARN specified in the request")
	case !strings.Contains(uri, ":path/") && !strings.Contains(uri, ":action/"):
		return badRequest("AWS ARN for integration must contain path or action")
	case !functionURI.MatchString(uri):
		return badRequest("Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.")
	}
	return nil
}

// integration returns a method's integration.
func integration(m *api.Method) (*api.Integration, error) {
	if m.MethodIntegration == nil {
		return nil, errNoIntegration
	}
	return m.MethodIntegration, nil
}

// GetIntegration describes a method's integration.
func (s *Service) GetIntegration(ctx context.Context, in *api.GetIntegrationRequest) (out *api.Integration, err error) {
	err = s.viewMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *api.Method) error {
		out, err = integration(m)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UpdateIntegration changes an integration by patch operations.
// https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateIntegration-Patch
func (s *Service) UpdateIntegration(ctx context.Context, in *api.UpdateIntegrationRequest) (out *api.Integration, err error) {
	err = s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *api.Method) error {
		if out, err = integration(m); err != nil {
			return err
		}
		if err := apply(&integrationPatches, out, in.PatchOperations); err != nil {
			return err
		}
		return checkIntegration(out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

type integrationPath = patch.Path[api.Integration]

// replaceText is a path whose value is a member of the integration.
func replaceText(pattern string, member func(*api.Integration) **string) integrationPath {
	return integrationPath{Pattern: pattern, Ops: replace, Apply: func(i *api.Integration, o patch.Operation, _ []string) error {
		*member(i) = optional(o)
		return nil
	}}
}

// patchMap is a path whose last token is a key of one of the integration's maps.
func patchMap(pattern string, member func(*api.Integration) *map[string]string, missing error) integrationPath {
	return integrationPath{Pattern: pattern, Ops: addRemoveReplace, Apply: func(i *api.Integration, o patch.Operation, keys []string) error {
		if o.Op == api.OpRemove {
			return removeKey(member(i), keys[0], missing)
		}
		setKey(member(i), keys[0], awsapi.Val(o.Value))
		return nil
	}}
}

var integrationPatches = patch.Table[api.Integration]{Paths: []integrationPath{
	replaceText("/httpMethod", func(i *api.Integration) **string { return &i.HttpMethod }),
	replaceText("/uri", func(i *api.Integration) **string { return &i.Uri }),
	replaceText("/credentials", func(i *api.Integration) **string { return &i.Credentials }),
	replaceText("/cacheNamespace", func(i *api.Integration) **string { return &i.CacheNamespace }),
	replaceText("/contentHandling", func(i *api.Integration) **string { return &i.ContentHandling }),
	{Pattern: "/passthroughBehavior", Ops: replace, Apply: func(i *api.Integration, o patch.Operation, _ []string) error {
		i.PassthroughBehavior = new(awsapi.Val(o.Value))
		return nil
	}},
	{Pattern: "/timeoutInMillis", Ops: replace, Apply: func(i *api.Integration, o patch.Operation, _ []string) error {
		n, _ := strconv.ParseInt(awsapi.Val(o.Value), 10, 32)
		i.TimeoutInMillis = new(int32(n))
		return nil
	}},
	{Pattern: "/cacheKeyParameters/{name}", Ops: addRemove, Apply: func(i *api.Integration, o patch.Operation, keys []string) error {
		at := slices.Index(i.CacheKeyParameters, keys[0])
		switch {
		case o.Op == api.OpAdd && at < 0:
			i.CacheKeyParameters = append(i.CacheKeyParameters, keys[0])
		case o.Op == api.OpRemove && at < 0:
			return errNoParameter
		case o.Op == api.OpRemove:
			i.CacheKeyParameters = slices.Delete(i.CacheKeyParameters, at, at+1)
		}
		return nil
	}},
	patchMap("/requestParameters/{name}", func(i *api.Integration) *map[string]string { return &i.RequestParameters }, errNoParameter),
	patchMap("/requestTemplates/{type}", func(i *api.Integration) *map[string]string { return &i.RequestTemplates }, errNoContentType),
}}

// DeleteIntegration takes a method's integration away.
func (s *Service) DeleteIntegration(ctx context.Context, in *api.DeleteIntegrationRequest) (*api.DeleteIntegrationOutput, error) {
	err := s.changeMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *api.Method) error {
		if _, err := integration(m); err != nil {
			return err
		}
		m.MethodIntegration = nil
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteIntegrationOutput{}, nil
}
