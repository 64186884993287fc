package lambda

import (
	"context"

	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

// GetFunctionCodeSigningConfig answers that a function has none: there are no code signing
// configurations, which clients that read all of a function ask for nevertheless.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionCodeSigningConfig.html
func (s *Service) GetFunctionCodeSigningConfig(ctx context.Context, in *api.GetFunctionCodeSigningConfigRequest) (
	*api.GetFunctionCodeSigningConfigResponse, error,
) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		_, err := functionOf(r, reference{scope: ref.scope, Name: ref.Name})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.GetFunctionCodeSigningConfigResponse{}, nil
}
