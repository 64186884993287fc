package lambda

import (
	"context"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

// GetRuntimeManagementConfig says when the version of a function's runtime changes.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetRuntimeManagementConfig.html
func (s *Service) GetRuntimeManagementConfig(ctx context.Context, in *api.GetRuntimeManagementConfigRequest) (
	out *api.GetRuntimeManagementConfigResponse, err error,
) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		t, err := lookup(ctx, r, *in.FunctionName, awsapi.Val(in.Qualifier))
		if err != nil {
			return err
		}
		out = &api.GetRuntimeManagementConfigResponse{UpdateRuntimeOn: &t.UpdateRuntime, FunctionArn: new(t.ARN())}
		if t.UpdateRuntime == api.UpdateRuntimeOnManual {
			out.RuntimeVersionArn = &t.RuntimeVersion
		}
		return nil
	})
	return out, err
}

// PutRuntimeManagementConfig says when the version of a function's runtime may change. A runtime has
// one version here, the host's: that alone can be pinned.
// https://docs.aws.amazon.com/lambda/latest/api/API_PutRuntimeManagementConfig.html
func (s *Service) PutRuntimeManagementConfig(ctx context.Context, in *api.PutRuntimeManagementConfigRequest) (
	out *api.PutRuntimeManagementConfigResponse, err error,
) {
	manual := *in.UpdateRuntimeOn == api.UpdateRuntimeOnManual
	if manual != (in.RuntimeVersionArn != nil) {
		return nil, invalid("RuntimeVersionArn must be given where UpdateRuntimeOn is Manual, and only then.")
	}
	ref, err := own(ctx, *in.FunctionName, awsapi.Val(in.Qualifier))
	if err != nil {
		return nil, err
	}
	number := ref.Qualifier
	if number == "" {
		number = latest
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := functionOf(tx, ref); err != nil {
			return err
		}
		v, err := versionOf(tx, ref, number)
		if err != nil {
			return err
		}
		if manual && *in.RuntimeVersionArn != v.RuntimeVersion {
			return invalid("Runtime version %s is not available for this function: its runtime has the version %s.",
				*in.RuntimeVersionArn, v.RuntimeVersion)
		}
		v.UpdateRuntime = *in.UpdateRuntimeOn
		out = &api.PutRuntimeManagementConfigResponse{UpdateRuntimeOn: in.UpdateRuntimeOn, FunctionArn: new(v.ARN()),
			RuntimeVersionArn: in.RuntimeVersionArn}
		return store.SetRecord(tx, versionKey(ref.scope, ref.Name, number), *v)
	})
	return out, err
}
