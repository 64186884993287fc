package lambda

import (
	"context"

	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

// GetFunctionRecursionConfig says whether a function that calls itself in a circle is stopped.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionRecursionConfig.html
func (s *Service) GetFunctionRecursionConfig(ctx context.Context, in *api.GetFunctionRecursionConfigRequest) (
	out *api.GetFunctionRecursionConfigResponse, err error,
) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		f, err := functionOf(r, reference{scope: ref.scope, Name: ref.Name})
		if err == nil {
			out = &api.GetFunctionRecursionConfigResponse{RecursiveLoop: &f.Recursive}
		}
		return err
	})
	return out, err
}

// PutFunctionRecursionConfig says whether a function that calls itself in a circle is stopped.
// https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionRecursionConfig.html
func (s *Service) PutFunctionRecursionConfig(ctx context.Context, in *api.PutFunctionRecursionConfigRequest) (
	*api.PutFunctionRecursionConfigResponse, error,
) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		f, err := functionOf(tx, reference{scope: ref.scope, Name: ref.Name})
		if err != nil {
			return err
		}
		f.Recursive = *in.RecursiveLoop
		return store.SetRecord(tx, functionKey(ref.scope, ref.Name), *f)
	})
	if err != nil {
		return nil, err
	}
	return &api.PutFunctionRecursionConfigResponse{RecursiveLoop: in.RecursiveLoop}, nil
}
