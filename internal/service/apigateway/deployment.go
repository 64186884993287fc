package apigateway

import (
	"context"
	"errors"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/apigateway/patch"
	"cirro/internal/store"
)

// CreateDeployment takes a snapshot of an API, and lets a stage, made where there is none, answer with
// it.
// https://docs.aws.amazon.com/apigateway/latest/api/API_CreateDeployment.html
func (s *Service) CreateDeployment(ctx context.Context, in *api.CreateDeploymentRequest) (*api.Deployment, error) {
	if in.CanarySettings != nil {
		return nil, unimplemented("CreateDeployment with canarySettings")
	}
	d := api.Deployment{Id: new(newID(partIDLength)), Description: in.Description, CreatedDate: now()}
	err := s.store.Update(ctx, func(tx store.Tx) error {
		a, err := getAPI(ctx, tx, awsapi.Val(in.RestApiId))
		if err != nil {
			return err
		}
		if err := a.deployable(); err != nil {
			return err
		}
		if err := store.SetRecord(tx, deploymentKey(ctx, *a.API.Id, *d.Id), deployment{d, *a}); err != nil {
			return err
		}
		if awsapi.Val(in.StageName) == "" {
			return nil
		}
		return deployTo(ctx, tx, in, *d.Id)
	})
	if err != nil {
		return nil, err
	}
	return &d, nil
}

// deployable checks that the API has methods, and that each of them does something.
func (a *restAPI) deployable() error {
	methods := 0
	for _, r := range a.Resources {
		for _, m := range r.ResourceMethods {
			methods++
			if m.MethodIntegration == nil {
				return badRequest("No integration defined for method")
			}
		}
	}
	if methods == 0 {
		return badRequest("The REST API doesn't contain any methods")
	}
	return nil
}

// deployTo lets the stage that the request names answer with a deployment.
func deployTo(ctx context.Context, tx store.Tx, in *api.CreateDeploymentRequest, id string) error {
	st, err := getStage(ctx, tx, *in.RestApiId, *in.StageName)
	if errors.Is(err, api.NotFoundException) {
		return createStage(ctx, tx, *in.RestApiId, &api.Stage{
			StageName: in.StageName, DeploymentId: &id, Description: in.StageDescription, Variables: in.Variables,
			CacheClusterEnabled: in.CacheClusterEnabled, CacheClusterSize: in.CacheClusterSize, TracingEnabled: in.TracingEnabled,
		})
	}
	if err != nil {
		return err
	}
	st.DeploymentId = &id
	if in.StageDescription != nil {
		st.Description = in.StageDescription
	}
	if in.Variables != nil {
		st.Variables = in.Variables
	}
	if awsapi.Val(in.CacheClusterEnabled) {
		st.CacheClusterEnabled = in.CacheClusterEnabled
	}
	if in.TracingEnabled != nil {
		st.TracingEnabled = in.TracingEnabled
	}
	return putStage(ctx, tx, *in.RestApiId, st)
}

// getDeployment reads a deployment of an API of the caller's account and region.
func getDeployment(ctx context.Context, r store.Reader, apiID, id string) (*deployment, error) {
	d, found, err := store.GetRecord[deployment](r, deploymentKey(ctx, apiID, id))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, api.NotFoundException.New("Invalid Deployment identifier specified")
	}
	return &d, nil
}

// GetDeployment describes a deployment, with a summary of its methods where that is asked for.
func (s *Service) GetDeployment(ctx context.Context, in *api.GetDeploymentRequest) (*api.Deployment, error) {
	var out api.Deployment
	err := s.store.View(ctx, func(r store.Reader) error {
		if _, err := getAPI(ctx, r, awsapi.Val(in.RestApiId)); err != nil {
			return err
		}
		d, err := getDeployment(ctx, r, *in.RestApiId, awsapi.Val(in.DeploymentId))
		if err != nil {
			return err
		}
		out = d.Deployment
		if slices.Contains(in.Embed, "apisummary") {
			out.ApiSummary = d.Snapshot.summary()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// summary is how each method of the API is protected, by path and method.
func (a *restAPI) summary() map[string]map[string]api.MethodSnapshot {
	out := map[string]map[string]api.MethodSnapshot{}
	for _, r := range a.Resources {
		for name, m := range r.ResourceMethods {
			methods := out[*r.Path]
			setKey(&methods, name, api.MethodSnapshot{AuthorizationType: m.AuthorizationType, ApiKeyRequired: m.ApiKeyRequired})
			out[*r.Path] = methods
		}
	}
	return out
}

// GetDeployments lists the deployments of an API.
func (s *Service) GetDeployments(ctx context.Context, in *api.GetDeploymentsRequest) (*api.Deployments, error) {
	out := &api.Deployments{Items: []api.Deployment{}}
	err := s.store.View(ctx, func(r store.Reader) error {
		if _, err := getAPI(ctx, r, awsapi.Val(in.RestApiId)); err != nil {
			return err
		}
		var all []api.Deployment
		for d, err := range store.Records[struct{ Deployment api.Deployment }](r, prefixOf(ctx, "deployment", *in.RestApiId)) {
			if err != nil {
				return err
			}
			all = append(all, d.Deployment)
		}
		cut, next, err := page(all, func(d api.Deployment) string { return *d.Id }, in.Position, in.Limit)
		out.Items, out.Position = append(out.Items, cut...), next
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UpdateDeployment changes a deployment's description. Its snapshot never changes.
// https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateDeployment-Patch
func (s *Service) UpdateDeployment(ctx context.Context, in *api.UpdateDeploymentRequest) (*api.Deployment, error) {
	var out api.Deployment
	err := s.store.Update(ctx, func(tx store.Tx) error {
		if _, err := getAPI(ctx, tx, awsapi.Val(in.RestApiId)); err != nil {
			return err
		}
		d, err := getDeployment(ctx, tx, *in.RestApiId, awsapi.Val(in.DeploymentId))
		if err != nil {
			return err
		}
		if err := apply(&deploymentPatches, &d.Deployment, in.PatchOperations); err != nil {
			return err
		}
		out = d.Deployment
		return store.SetRecord(tx, deploymentKey(ctx, *in.RestApiId, *out.Id), d)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

var deploymentPatches = patch.Table[api.Deployment]{Style: patch.Listing, Paths: []patch.Path[api.Deployment]{
	{Pattern: "/description", Ops: replace, Apply: func(d *api.Deployment, o patch.Operation, _ []string) error {
		d.Description = optional(o)
		return nil
	}},
}}

// DeleteDeployment deletes a deployment that no stage answers with.
func (s *Service) DeleteDeployment(ctx context.Context, in *api.DeleteDeploymentRequest) (*api.DeleteDeploymentOutput, error) {
	err := s.store.Update(ctx, func(tx store.Tx) error {
		if _, err := getAPI(ctx, tx, awsapi.Val(in.RestApiId)); err != nil {
			return err
		}
		d, err := getDeployment(ctx, tx, *in.RestApiId, awsapi.Val(in.DeploymentId))
		if err != nil {
			return err
		}
		for st, err := range store.Records[api.Stage](tx, prefixOf(ctx, "stage", *in.RestApiId)) {
			if err != nil {
				return err
			}
			if *st.DeploymentId == *d.Deployment.Id {
				return badRequest("Active stages pointing to this deployment must be moved or deleted")
			}
		}
		return tx.Delete(deploymentKey(ctx, *in.RestApiId, *d.Deployment.Id))
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteDeploymentOutput{}, nil
}
