package dynamodb

import (
	"context"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
)

// DescribeLimits tells AWS's default quotas; Cirro has none of its own.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
func (s *Service) DescribeLimits(context.Context, *api.DescribeLimitsInput) (*api.DescribeLimitsOutput, error) {
	return &api.DescribeLimitsOutput{
		AccountMaxReadCapacityUnits:  new(int64(80_000)),
		AccountMaxWriteCapacityUnits: new(int64(80_000)),
		TableMaxReadCapacityUnits:    new(int64(40_000)),
		TableMaxWriteCapacityUnits:   new(int64(40_000)),
	}, nil
}

// DescribeEndpoints names the one endpoint there is.
func (s *Service) DescribeEndpoints(ctx context.Context, _ *api.DescribeEndpointsRequest) (*api.DescribeEndpointsResponse, error) {
	_, host, _ := strings.Cut(awsapi.RequestOf(ctx).Endpoint, "://")
	return &api.DescribeEndpointsResponse{Endpoints: []api.Endpoint{{Address: &host, CachePeriodInMinutes: new(int64(1440))}}}, nil
}
