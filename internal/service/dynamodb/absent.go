package dynamodb

import (
	"context"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
)

// What Cirro does not have is refused with what it lacks. That there is none of it can be asked, for tools ask it of
// every table.

// refusal names an operation and what it would need.
func refusal(operation, needs string) error {
	return awsapi.NotImplemented.New("Cirro does not implement dynamodb.%s: it needs %s", operation, needs)
}

// EnableKinesisStreamingDestination is refused.
func (s *Service) EnableKinesisStreamingDestination(context.Context, *api.KinesisStreamingDestinationInput) (*api.KinesisStreamingDestinationOutput, error) {
	return nil, refusal("EnableKinesisStreamingDestination", "Kinesis Data Streams")
}

// DisableKinesisStreamingDestination finds nothing to disable.
func (s *Service) DisableKinesisStreamingDestination(ctx context.Context, in *api.KinesisStreamingDestinationInput) (*api.KinesisStreamingDestinationOutput, error) {
	if _, err := s.describe(ctx, in.TableName); err != nil {
		return nil, err
	}
	return nil, invalid("Table is not in a valid state to enable Kinesis Streaming Destination: KinesisStreamingDestination must be ACTIVE to perform DISABLE operation.")
}

// DescribeKinesisStreamingDestination knows no destination.
func (s *Service) DescribeKinesisStreamingDestination(ctx context.Context, in *api.DescribeKinesisStreamingDestinationInput) (*api.DescribeKinesisStreamingDestinationOutput, error) {
	t, err := s.describe(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	return &api.DescribeKinesisStreamingDestinationOutput{TableName: t.API.TableName, KinesisDataStreamDestinations: []api.KinesisDataStreamDestination{}}, nil
}

// UpdateContributorInsights is refused where it is to enable something.
func (s *Service) UpdateContributorInsights(ctx context.Context, in *api.UpdateContributorInsightsInput) (*api.UpdateContributorInsightsOutput, error) {
	t, err := s.describe(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	if *in.ContributorInsightsAction == api.ContributorInsightsActionEnable {
		return nil, refusal("UpdateContributorInsights", "CloudWatch Contributor Insights")
	}
	return &api.UpdateContributorInsightsOutput{TableName: t.API.TableName, IndexName: in.IndexName, ContributorInsightsStatus: new(api.ContributorInsightsStatusDisabled)}, nil
}

// DescribeContributorInsights says that it is disabled.
func (s *Service) DescribeContributorInsights(ctx context.Context, in *api.DescribeContributorInsightsInput) (*api.DescribeContributorInsightsOutput, error) {
	t, err := s.describe(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	return &api.DescribeContributorInsightsOutput{TableName: t.API.TableName, IndexName: in.IndexName, ContributorInsightsStatus: new(api.ContributorInsightsStatusDisabled)}, nil
}

// ListContributorInsights knows of none.
func (s *Service) ListContributorInsights(context.Context, *api.ListContributorInsightsInput) (*api.ListContributorInsightsOutput, error) {
	return &api.ListContributorInsightsOutput{ContributorInsightsSummaries: []api.ContributorInsightsSummary{}}, nil
}

// noLegacyGlobalTables is AWS's own answer.
func noLegacyGlobalTables() error {
	return wrong("DynamoDB global tables version 2017.11.29 is not supported. We recommend using DynamoDB global tables version 2019.11.21, " +
		"instead of version 2017.11.29 (Legacy).")
}

// CreateGlobalTable is refused, as on AWS.
func (s *Service) CreateGlobalTable(context.Context, *api.CreateGlobalTableInput) (*api.CreateGlobalTableOutput, error) {
	return nil, noLegacyGlobalTables()
}

// UpdateGlobalTable is refused, as on AWS.
func (s *Service) UpdateGlobalTable(context.Context, *api.UpdateGlobalTableInput) (*api.UpdateGlobalTableOutput, error) {
	return nil, noLegacyGlobalTables()
}

// DescribeGlobalTable knows no global table.
func (s *Service) DescribeGlobalTable(_ context.Context, in *api.DescribeGlobalTableInput) (*api.DescribeGlobalTableOutput, error) {
	return nil, noGlobalTable(in.GlobalTableName)
}

// DescribeGlobalTableSettings knows no global table.
func (s *Service) DescribeGlobalTableSettings(_ context.Context, in *api.DescribeGlobalTableSettingsInput) (*api.DescribeGlobalTableSettingsOutput, error) {
	return nil, noGlobalTable(in.GlobalTableName)
}

// UpdateGlobalTableSettings knows no global table.
func (s *Service) UpdateGlobalTableSettings(_ context.Context, in *api.UpdateGlobalTableSettingsInput) (*api.UpdateGlobalTableSettingsOutput, error) {
	return nil, noGlobalTable(in.GlobalTableName)
}

func noGlobalTable(name *string) error {
	return api.GlobalTableNotFoundException.New("Global Table not found: %s", awsapi.Val(name))
}

// ListGlobalTables knows no global table.
func (s *Service) ListGlobalTables(context.Context, *api.ListGlobalTablesInput) (*api.ListGlobalTablesOutput, error) {
	return &api.ListGlobalTablesOutput{GlobalTables: []api.GlobalTable{}}, nil
}

// UpdateTableReplicaAutoScaling is refused.
func (s *Service) UpdateTableReplicaAutoScaling(context.Context, *api.UpdateTableReplicaAutoScalingInput) (*api.UpdateTableReplicaAutoScalingOutput, error) {
	return nil, refusal("UpdateTableReplicaAutoScaling", "replicas and their auto scaling")
}

// DescribeTableReplicaAutoScaling is refused.
func (s *Service) DescribeTableReplicaAutoScaling(context.Context, *api.DescribeTableReplicaAutoScalingInput) (*api.DescribeTableReplicaAutoScalingOutput, error) {
	return nil, refusal("DescribeTableReplicaAutoScaling", "replicas and their auto scaling")
}
