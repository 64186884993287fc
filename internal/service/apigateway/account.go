package apigateway

import (
	"context"

	api "cirro/internal/awsapi/apigateway"
)

// GetAccount describes the account's limits as AWS has them by default. They are not enforced.
// https://docs.aws.amazon.com/apigateway/latest/api/API_GetAccount.html
func (s *Service) GetAccount(context.Context, *api.GetAccountRequest) (*api.Account, error) {
	return &api.Account{
		ThrottleSettings: &api.ThrottleSettings{BurstLimit: new(int32(5000)), RateLimit: new(10000.0)},
		Features:         []string{"UsagePlans"},
		ApiKeyVersion:    new("4"),
	}, nil
}
