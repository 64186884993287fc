package lambda

import (
	"context"

	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

// The bounds of an account. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxCodeStorage = 75 << 30

// GetAccountSettings returns an account's limits in a region and what it uses of them.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetAccountSettings.html
func (s *Service) GetAccountSettings(ctx context.Context, _ *api.GetAccountSettingsRequest) (*api.GetAccountSettingsResponse, error) {
	in := scopeOf(ctx)
	var use concurrencyUse
	var functions, size int64
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		if use, err = concurrencyOf(r, in); err != nil {
			return err
		}
		for v, err := range store.Records[version](r, store.Prefix("lambda", "version", in.Account, in.Region)) {
			if err != nil {
				return err
			}
			size += v.Code.Size
			if v.Number == latest {
				functions++
			}
		}
		for l, err := range store.Records[layerVersion](r, store.Prefix("lambda", "layer-version", in.Account, in.Region)) {
			if err != nil {
				return err
			}
			size += l.Code.Size
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.GetAccountSettingsResponse{
		AccountLimit: &api.AccountLimit{
			TotalCodeSize: new(int64(maxCodeStorage)), CodeSizeUnzipped: new(int64(maxUnpacked)), CodeSizeZipped: new(int64(maxZipped)),
			ConcurrentExecutions:           new(int32(s.Concurrency)),
			UnreservedConcurrentExecutions: new(int32(s.Concurrency - use.reserved)),
		},
		AccountUsage: &api.AccountUsage{TotalCodeSize: &size, FunctionCount: &functions},
	}, nil
}
