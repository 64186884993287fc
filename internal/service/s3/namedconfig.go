package s3

import (
	"context"
	"net/http"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// Configurations that a bucket has many of, by their ids. Metrics and intelligent tiering are kept: nothing that a
// client of S3's could see follows from them. Analytics and inventories would write reports, so they are refused.

// The kinds of them, and how many a bucket may have.
const (
	kindMetrics = "metrics"
	kindTiering = "intelligent-tiering"
	maxNamed    = 1000
)

var (
	noSuchConfiguration = &awsapi.ErrorType{Code: "NoSuchConfiguration", Status: http.StatusNotFound}
	tooManyNamed        = &awsapi.ErrorType{Code: "TooManyConfigurations", Status: http.StatusBadRequest}
)

// named is one of them with its id, in the order of ids.
type named[T any] struct {
	ID     string
	Config T
}

func findNamed[T any](all []named[T], id string) (int, bool) {
	return slices.BinarySearchFunc(all, id, func(n named[T], id string) int {
		switch {
		case n.ID < id:
			return -1
		case n.ID > id:
			return 1
		}
		return 0
	})
}

func putNamed[T any](ctx context.Context, s *Service, name string, owner *string, action, kind, id string, config T) error {
	return s.change(ctx, name, owner, action, func(tx store.Tx, b *bucket) error {
		var all []named[T]
		if _, err := s.getConfig(tx, b, kind, &all); err != nil {
			return err
		}
		i, known := findNamed(all, id)
		switch {
		case known:
			all[i].Config = config
		case len(all) == maxNamed:
			return tooManyNamed.New("You are attempting to create a new configuration but have already reached the 1,000-configuration limit.")
		default:
			all = slices.Insert(all, i, named[T]{id, config})
		}
		_, err := s.setConfig(tx, b, kind, all)
		return err
	})
}

func allNamed[T any](ctx context.Context, s *Service, name string, owner *string, action, kind string) ([]named[T], error) {
	return kept[[]named[T]](ctx, s, name, owner, action, kind, nil)
}

func getNamed[T any](ctx context.Context, s *Service, name string, owner *string, action, kind, id string) (*T, error) {
	all, err := allNamed[T](ctx, s, name, owner, action, kind)
	if err != nil {
		return nil, err
	}
	if i, ok := findNamed(all, id); ok {
		return &all[i].Config, nil
	}
	return nil, noNamed(name)
}

func noNamed(bucket string) error {
	return noSuchConfiguration.New("The specified configuration does not exist.").With("BucketName", bucket)
}

func deleteNamed[T any](ctx context.Context, s *Service, name string, owner *string, action, kind, id string) error {
	return s.change(ctx, name, owner, action, func(tx store.Tx, b *bucket) error {
		var all []named[T]
		if _, err := s.getConfig(tx, b, kind, &all); err != nil {
			return err
		}
		i, ok := findNamed(all, id)
		if !ok {
			return noNamed(name)
		}
		_, err := s.setConfig(tx, b, kind, slices.Delete(all, i, i+1))
		return err
	})
}

// PutBucketMetricsConfiguration keeps what is counted apart.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketMetricsConfiguration.html
func (s *Service) PutBucketMetricsConfiguration(ctx context.Context, in *api.PutBucketMetricsConfigurationRequest) (*api.PutBucketMetricsConfigurationOutput, error) {
	if in.MetricsConfiguration == nil || awsapi.Val(in.MetricsConfiguration.Id) != *in.Id {
		return nil, badXML()
	}
	return &api.PutBucketMetricsConfigurationOutput{}, putNamed(ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:PutMetricsConfiguration", kindMetrics, *in.Id, *in.MetricsConfiguration)
}

// GetBucketMetricsConfiguration tells one of them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketMetricsConfiguration.html
func (s *Service) GetBucketMetricsConfiguration(ctx context.Context, in *api.GetBucketMetricsConfigurationRequest) (*api.GetBucketMetricsConfigurationOutput, error) {
	c, err := getNamed[api.MetricsConfiguration](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:GetMetricsConfiguration", kindMetrics, *in.Id)
	return &api.GetBucketMetricsConfigurationOutput{MetricsConfiguration: c}, err
}

// ListBucketMetricsConfigurations tells all of them, on one page.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBucketMetricsConfigurations.html
func (s *Service) ListBucketMetricsConfigurations(ctx context.Context, in *api.ListBucketMetricsConfigurationsRequest) (*api.ListBucketMetricsConfigurationsOutput, error) {
	all, err := allNamed[api.MetricsConfiguration](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:GetMetricsConfiguration", kindMetrics)
	out := &api.ListBucketMetricsConfigurationsOutput{IsTruncated: new(false)}
	for i := range all {
		out.MetricsConfigurationList = append(out.MetricsConfigurationList, all[i].Config)
	}
	return out, err
}

// DeleteBucketMetricsConfiguration removes one of them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketMetricsConfiguration.html
func (s *Service) DeleteBucketMetricsConfiguration(ctx context.Context, in *api.DeleteBucketMetricsConfigurationRequest) (*api.DeleteBucketMetricsConfigurationOutput, error) {
	return &api.DeleteBucketMetricsConfigurationOutput{}, deleteNamed[api.MetricsConfiguration](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:PutMetricsConfiguration", kindMetrics, *in.Id)
}

// PutBucketIntelligentTieringConfiguration keeps when objects move between the tiers of INTELLIGENT_TIERING.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketIntelligentTieringConfiguration.html
func (s *Service) PutBucketIntelligentTieringConfiguration(ctx context.Context, in *api.PutBucketIntelligentTieringConfigurationRequest) (*api.PutBucketIntelligentTieringConfigurationOutput, error) {
	if in.IntelligentTieringConfiguration == nil || awsapi.Val(in.IntelligentTieringConfiguration.Id) != *in.Id {
		return nil, badXML()
	}
	return &api.PutBucketIntelligentTieringConfigurationOutput{}, putNamed(ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:PutIntelligentTieringConfiguration", kindTiering, *in.Id, *in.IntelligentTieringConfiguration)
}

// GetBucketIntelligentTieringConfiguration tells one of them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketIntelligentTieringConfiguration.html
func (s *Service) GetBucketIntelligentTieringConfiguration(ctx context.Context, in *api.GetBucketIntelligentTieringConfigurationRequest) (*api.GetBucketIntelligentTieringConfigurationOutput, error) {
	c, err := getNamed[api.IntelligentTieringConfiguration](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:GetIntelligentTieringConfiguration", kindTiering, *in.Id)
	return &api.GetBucketIntelligentTieringConfigurationOutput{IntelligentTieringConfiguration: c}, err
}

// ListBucketIntelligentTieringConfigurations tells all of them, on one page.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBucketIntelligentTieringConfigurations.html
func (s *Service) ListBucketIntelligentTieringConfigurations(ctx context.Context, in *api.ListBucketIntelligentTieringConfigurationsRequest) (*api.ListBucketIntelligentTieringConfigurationsOutput, error) {
	all, err := allNamed[api.IntelligentTieringConfiguration](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:GetIntelligentTieringConfiguration", kindTiering)
	out := &api.ListBucketIntelligentTieringConfigurationsOutput{IsTruncated: new(false)}
	for i := range all {
		out.IntelligentTieringConfigurationList = append(out.IntelligentTieringConfigurationList, all[i].Config)
	}
	return out, err
}

// DeleteBucketIntelligentTieringConfiguration removes one of them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketIntelligentTieringConfiguration.html
func (s *Service) DeleteBucketIntelligentTieringConfiguration(ctx context.Context, in *api.DeleteBucketIntelligentTieringConfigurationRequest) (*api.DeleteBucketIntelligentTieringConfigurationOutput, error) {
	return &api.DeleteBucketIntelligentTieringConfigurationOutput{}, deleteNamed[api.IntelligentTieringConfiguration](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:PutIntelligentTieringConfiguration", kindTiering, *in.Id)
}

// PutBucketInventoryConfiguration is refused.
func (s *Service) PutBucketInventoryConfiguration(context.Context, *api.PutBucketInventoryConfigurationRequest) (*api.PutBucketInventoryConfigurationOutput, error) {
	return nil, awsapi.NotImplemented.New("Cirro does not implement s3.PutBucketInventoryConfiguration: no inventories are written")
}

// GetBucketInventoryConfiguration finds none.
func (s *Service) GetBucketInventoryConfiguration(ctx context.Context, in *api.GetBucketInventoryConfigurationRequest) (*api.GetBucketInventoryConfigurationOutput, error) {
	_, err := getNamed[struct{}](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:GetInventoryConfiguration", "inventory", *in.Id)
	return nil, err
}

// ListBucketInventoryConfigurations finds none.
func (s *Service) ListBucketInventoryConfigurations(ctx context.Context, in *api.ListBucketInventoryConfigurationsRequest) (*api.ListBucketInventoryConfigurationsOutput, error) {
	err := s.inspect(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:GetInventoryConfiguration", nothing)
	return &api.ListBucketInventoryConfigurationsOutput{IsTruncated: new(false)}, err
}

// PutBucketAnalyticsConfiguration is refused.
func (s *Service) PutBucketAnalyticsConfiguration(context.Context, *api.PutBucketAnalyticsConfigurationRequest) (*api.PutBucketAnalyticsConfigurationOutput, error) {
	return nil, awsapi.NotImplemented.New("Cirro does not implement s3.PutBucketAnalyticsConfiguration: accesses are not analysed")
}

// GetBucketAnalyticsConfiguration finds none.
func (s *Service) GetBucketAnalyticsConfiguration(ctx context.Context, in *api.GetBucketAnalyticsConfigurationRequest) (*api.GetBucketAnalyticsConfigurationOutput, error) {
	_, err := getNamed[struct{}](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:GetAnalyticsConfiguration", "analytics", *in.Id)
	return nil, err
}

// ListBucketAnalyticsConfigurations finds none.
func (s *Service) ListBucketAnalyticsConfigurations(ctx context.Context, in *api.ListBucketAnalyticsConfigurationsRequest) (*api.ListBucketAnalyticsConfigurationsOutput, error) {
	err := s.inspect(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:GetAnalyticsConfiguration", nothing)
	return &api.ListBucketAnalyticsConfigurationsOutput{IsTruncated: new(false)}, err
}
