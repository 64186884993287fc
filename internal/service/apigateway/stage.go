package apigateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/apigateway/patch"
	"cirro/internal/store"
)

var (
	stageName     = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)
	variableName  = regexp.MustCompile(`^[a-zA-Z0-9_]+$`)
	variableValue = regexp.MustCompile(`^[A-Za-z0-9._~:/?#&=,-]+$`)
	errNoStage    = api.NotFoundException.New("Invalid Stage identifier specified")
)

// CreateStage makes a stage that answers with a deployment.
// https://docs.aws.amazon.com/apigateway/latest/api/API_CreateStage.html
func (s *Service) CreateStage(ctx context.Context, in *api.CreateStageRequest) (*api.Stage, error) {
	if in.CanarySettings != nil {
		return nil, unimplemented("CreateStage with canarySettings")
	}
	st := &api.Stage{
		StageName: in.StageName, DeploymentId: in.DeploymentId, Description: in.Description, Variables: in.Variables,
		CacheClusterEnabled: in.CacheClusterEnabled, CacheClusterSize: in.CacheClusterSize, TracingEnabled: in.TracingEnabled,
		DocumentationVersion: in.DocumentationVersion, Tags: in.Tags,
	}
	err := s.store.Update(ctx, func(tx store.Tx) error {
		if _, err := getAPI(ctx, tx, awsapi.Val(in.RestApiId)); err != nil {
			return err
		}
		_, err := getStage(ctx, tx, *in.RestApiId, awsapi.Val(in.StageName))
		switch {
		case err == nil:
			return api.ConflictException.New("Stage already exists")
		case !errors.Is(err, api.NotFoundException):
			return err
		}
		return createStage(ctx, tx, *in.RestApiId, st)
	})
	if err != nil {
		return nil, err
	}
	return st, nil
}

// createStage fills in what a new stage has by default, and writes it.
func createStage(ctx context.Context, tx store.Tx, apiID string, st *api.Stage) error {
	st.CacheClusterEnabled = or(st.CacheClusterEnabled, false)
	st.CacheClusterStatus = new(api.CacheClusterStatusNotAvailable)
	st.TracingEnabled = or(st.TracingEnabled, false)
	st.MethodSettings = map[string]api.MethodSetting{}
	st.CreatedDate = now()
	return putStage(ctx, tx, apiID, st)
}

// putStage checks a stage and writes it.
func putStage(ctx context.Context, tx store.Tx, apiID string, st *api.Stage) error {
	if err := checkStage(st); err != nil {
		return err
	}
	if _, err := getDeployment(ctx, tx, apiID, *or(st.DeploymentId, "")); err != nil {
		if errors.Is(err, api.NotFoundException) {
			return badRequest("Deployment id does not exist")
		}
		return err
	}
	st.LastUpdatedDate = now()
	return store.SetRecord(tx, stageKey(ctx, apiID, *st.StageName), st)
}

func checkStage(st *api.Stage) error {
	switch {
	case !stageName.MatchString(awsapi.Val(st.StageName)):
		return badRequest("Stage name only allows a-zA-Z0-9_-")
	case *st.CacheClusterEnabled:
		return unimplemented("stages with a cache cluster")
	case *st.TracingEnabled:
		return unimplemented("stages with X-Ray tracing")
	}
	for _, name := range slices.Sorted(maps.Keys(st.Variables)) {
		if err := checkVariable(name, st.Variables[name]); err != nil {
			return err
		}
	}
	return checkTags(st.Tags)
}

// checkVariable checks a stage variable.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/aws-api-gateway-stage-variables-reference.html
func checkVariable(name, value string) error {
	if !variableName.MatchString(name) {
		return badRequest("Stage variable name '%s' is invalid. Please use alphanumeric characters and underscores for name and match [A-Za-z0-9-._~:/?#&=,]+ for value.", name)
	}
	if value != "" && !variableValue.MatchString(value) {
		return badRequest("Stage variable value is invalid: '%s'. Please use alphanumeric characters and underscores for name and match [A-Za-z0-9-._~:/?#&=,]+ for value.", value)
	}
	return nil
}

// getStage reads a stage of an API of the caller's account and region.
func getStage(ctx context.Context, r store.Reader, apiID, name string) (*api.Stage, error) {
	st, found, err := store.GetRecord[api.Stage](r, stageKey(ctx, apiID, name))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errNoStage
	}
	return &st, nil
}

// GetStage describes a stage.
func (s *Service) GetStage(ctx context.Context, in *api.GetStageRequest) (out *api.Stage, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		if _, err := getAPI(ctx, r, awsapi.Val(in.RestApiId)); err != nil {
			return err
		}
		out, err = getStage(ctx, r, *in.RestApiId, awsapi.Val(in.StageName))
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// GetStages lists the stages of an API, or of one of its deployments.
func (s *Service) GetStages(ctx context.Context, in *api.GetStagesRequest) (*api.Stages, error) {
	out := &api.Stages{Item: []api.Stage{}}
	err := s.store.View(ctx, func(r store.Reader) error {
		if _, err := getAPI(ctx, r, awsapi.Val(in.RestApiId)); err != nil {
			return err
		}
		for st, err := range store.Records[api.Stage](r, prefixOf(ctx, "stage", *in.RestApiId)) {
			if err != nil {
				return err
			}
			if in.DeploymentId == nil || *in.DeploymentId == *st.DeploymentId {
				out.Item = append(out.Item, st)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UpdateStage changes a stage by patch operations: at once, without a deployment.
// https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateStage-Patch
func (s *Service) UpdateStage(ctx context.Context, in *api.UpdateStageRequest) (out *api.Stage, err error) {
	err = s.store.Update(ctx, func(tx store.Tx) error {
		if _, err := getAPI(ctx, tx, awsapi.Val(in.RestApiId)); err != nil {
			return err
		}
		if out, err = getStage(ctx, tx, *in.RestApiId, awsapi.Val(in.StageName)); err != nil {
			return err
		}
		if err := apply(&stagePatches, out, in.PatchOperations); err != nil {
			return err
		}
		return putStage(ctx, tx, *in.RestApiId, out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

type stagePath = patch.Path[api.Stage]

// idle is a path that may be set to what it is anyway: what else it says has no effect yet, so it is
// refused.
func idle(pattern string, values ...string) stagePath {
	return stagePath{Pattern: pattern, Ops: addRemoveReplace, Apply: func(_ *api.Stage, o patch.Operation, _ []string) error {
		if slices.Contains(values, awsapi.Val(o.Value)) {
			return nil
		}
		return unimplemented("UpdateStage of " + *o.Path)
	}}
}

var stagePatches = patch.Table[api.Stage]{
	Style: patch.PathOnly,
	Unknown: func(path string) string {
		return fmt.Sprintf("Invalid method setting path: %s. Must be one of: [%s]", path, stagePaths)
	},
	Paths: []stagePath{
		{Pattern: "/deploymentId", Ops: replace, Apply: func(st *api.Stage, o patch.Operation, _ []string) error {
			st.DeploymentId = o.Value
			return nil
		}},
		{Pattern: "/description", Ops: addRemoveReplace, Apply: func(st *api.Stage, o patch.Operation, _ []string) error {
			st.Description = optional(o)
			return nil
		}},
		{Pattern: "/variables/{name}", Ops: addRemoveReplace, Apply: func(st *api.Stage, o patch.Operation, keys []string) error {
			if o.Op == api.OpRemove {
				return removeKey(&st.Variables, keys[0], api.NotFoundException.New("Invalid stage variable specified"))
			}
			setKey(&st.Variables, keys[0], awsapi.Val(o.Value))
			return nil
		}},
		{Pattern: "/variables", Ops: []string{api.OpCopy}, Apply: func(*api.Stage, patch.Operation, []string) error {
			return badRequest("Promotion not available. Canary does not exist.")
		}},
		{Pattern: "/deploymentId", Ops: []string{api.OpCopy}, Apply: func(*api.Stage, patch.Operation, []string) error {
			return badRequest("Promotion not available. Canary does not exist.")
		}},
		idle("/tracingEnabled", "false"),
		idle("/cacheClusterEnabled", "false"),
		idle("/cacheClusterSize"),
		idle("/clientCertificateId"),
		idle("/accessLogSettings"),
		idle("/accessLogSettings/{member}"),
		idle("/canarySettings"),
		idle("/canarySettings/{member}"),
		idle("/canarySettings/{member}/{name}"),
		idle("/{resourcePath}/{httpMethod}/metrics/enabled", "false"),
		idle("/{resourcePath}/{httpMethod}/logging/dataTrace", "false"),
		idle("/{resourcePath}/{httpMethod}/logging/loglevel", "OFF"),
		idle("/{resourcePath}/{httpMethod}/throttling/burstLimit", "-1"),
		idle("/{resourcePath}/{httpMethod}/throttling/rateLimit", "-1"),
		idle("/{resourcePath}/{httpMethod}/caching/enabled", "false"),
		idle("/{resourcePath}/{httpMethod}/caching/ttlInSeconds"),
		idle("/{resourcePath}/{httpMethod}/caching/dataEncrypted", "false"),
		idle("/{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl"),
		idle("/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy"),
		// Last, for it matches paths that are others' too.
		{Pattern: "/{resourcePath}/{httpMethod}", Ops: []string{api.OpRemove}, Apply: func(_ *api.Stage, _ patch.Operation, keys []string) error {
			return badRequest("Cannot remove method setting %s/%s because there is no method setting for this method ", keys[0], keys[1])
		}},
	},
}

// stagePaths is the list in AWS's message, with its commas where AWS has them.
const stagePaths = "/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, " +
	"/accessLogSettings, /accessLogSettings/destinationArn, /accessLogSettings/format, " +
	"/{resourcePath}/{httpMethod}/metrics/enabled, /{resourcePath}/{httpMethod}/logging/dataTrace, " +
	"/{resourcePath}/{httpMethod}/logging/loglevel, /{resourcePath}/{httpMethod}/throttling/burstLimit" +
	"/{resourcePath}/{httpMethod}/throttling/rateLimit/{resourcePath}/{httpMethod}/caching/ttlInSeconds, " +
	"/{resourcePath}/{httpMethod}/caching/enabled, /{resourcePath}/{httpMethod}/caching/dataEncrypted, " +
	"/{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl, " +
	"/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, " +
	"/*/*/metrics/enabled, /*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit " +
	"/*/*/throttling/rateLimit /*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted, " +
	"/*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy, " +
	"/variables/{variable_name}, /tracingEnabled"

// DeleteStage deletes a stage. Its deployment stays.
func (s *Service) DeleteStage(ctx context.Context, in *api.DeleteStageRequest) (*api.DeleteStageOutput, error) {
	err := s.store.Update(ctx, func(tx store.Tx) error {
		if _, err := getAPI(ctx, tx, awsapi.Val(in.RestApiId)); err != nil {
			return err
		}
		if _, err := getStage(ctx, tx, *in.RestApiId, awsapi.Val(in.StageName)); err != nil {
			return err
		}
		return tx.Delete(stageKey(ctx, *in.RestApiId, *in.StageName))
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteStageOutput{}, nil
}
