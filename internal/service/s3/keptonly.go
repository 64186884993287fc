package s3

import (
	"context"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// What has no effect that a client of S3's could see is kept as it is put, and told again: how requests are paid for,
// whether transfers are accelerated, what storage classes the objects lie in, what is counted.

// PutBucketAccelerateConfiguration keeps whether transfers are accelerated.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAccelerateConfiguration.html
func (s *Service) PutBucketAccelerateConfiguration(ctx context.Context, in *api.PutBucketAccelerateConfigurationRequest) (*api.PutBucketAccelerateConfigurationOutput, error) {
	c := in.AccelerateConfiguration
	if c == nil || !slices.Contains([]string{api.BucketAccelerateStatusEnabled, api.BucketAccelerateStatusSuspended}, awsapi.Val(c.Status)) {
		return nil, badXML()
	}
	if strings.Contains(*in.Bucket, ".") {
		return nil, invalidRequest.New("S3 Transfer Acceleration is not supported for buckets with periods (.) in their names")
	}
	return &api.PutBucketAccelerateConfigurationOutput{}, s.keep(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutAccelerateConfiguration", kindAccelerate, c)
}

// GetBucketAccelerateConfiguration tells whether transfers are accelerated.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAccelerateConfiguration.html
func (s *Service) GetBucketAccelerateConfiguration(ctx context.Context, in *api.GetBucketAccelerateConfigurationRequest) (*api.GetBucketAccelerateConfigurationOutput, error) {
	c, err := kept[api.AccelerateConfiguration](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:GetAccelerateConfiguration", kindAccelerate, nil)
	return &api.GetBucketAccelerateConfigurationOutput{Status: c.Status}, err
}

// PutBucketRequestPayment keeps who pays for requests.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketRequestPayment.html
func (s *Service) PutBucketRequestPayment(ctx context.Context, in *api.PutBucketRequestPaymentRequest) (*api.PutBucketRequestPaymentOutput, error) {
	c := in.RequestPaymentConfiguration
	if c == nil || !slices.Contains([]string{api.PayerBucketOwner, api.PayerRequester}, awsapi.Val(c.Payer)) {
		return nil, badXML()
	}
	return &api.PutBucketRequestPaymentOutput{}, s.keep(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutBucketRequestPayment", kindPayment, c)
}

// GetBucketRequestPayment tells who pays for requests.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketRequestPayment.html
func (s *Service) GetBucketRequestPayment(ctx context.Context, in *api.GetBucketRequestPaymentRequest) (*api.GetBucketRequestPaymentOutput, error) {
	c, err := kept[api.RequestPaymentConfiguration](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketRequestPayment", kindPayment, nil)
	if c.Payer == nil {
		c.Payer = new(api.PayerBucketOwner)
	}
	return &api.GetBucketRequestPaymentOutput{Payer: c.Payer}, err
}

// PutBucketLogging refuses to log accesses, which nobody would write; that none are logged it takes.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html
func (s *Service) PutBucketLogging(ctx context.Context, in *api.PutBucketLoggingRequest) (*api.PutBucketLoggingOutput, error) {
	if in.BucketLoggingStatus == nil {
		return nil, badXML()
	}
	if in.BucketLoggingStatus.LoggingEnabled != nil {
		return nil, awsapi.NotImplemented.New("Cirro does not implement s3.PutBucketLogging: accesses are not logged")
	}
	return &api.PutBucketLoggingOutput{}, s.drop(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutBucketLogging", kindLogging)
}

// GetBucketLogging says that accesses are not logged.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLogging.html
func (s *Service) GetBucketLogging(ctx context.Context, in *api.GetBucketLoggingRequest) (*api.GetBucketLoggingOutput, error) {
	return &api.GetBucketLoggingOutput{}, s.inspect(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketLogging", nothing)
}

func nothing(store.Reader, *bucket) error { return nil }

// GetBucketReplication says that nothing is replicated.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketReplication.html
func (s *Service) GetBucketReplication(ctx context.Context, in *api.GetBucketReplicationRequest) (*api.GetBucketReplicationOutput, error) {
	err := s.inspect(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:GetReplicationConfiguration", func(_ store.Reader, b *bucket) error {
		return lacking("ReplicationConfigurationNotFoundError", "The replication configuration was not found").With("BucketName", b.Name)
	})
	return nil, err
}

// PutBucketReplication is refused.
func (s *Service) PutBucketReplication(context.Context, *api.PutBucketReplicationRequest) (*api.PutBucketReplicationOutput, error) {
	return nil, awsapi.NotImplemented.New("Cirro does not implement s3.PutBucketReplication: objects are not replicated")
}

// DeleteBucketReplication finds nothing to delete.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketReplication.html
func (s *Service) DeleteBucketReplication(ctx context.Context, in *api.DeleteBucketReplicationRequest) (*api.DeleteBucketReplicationOutput, error) {
	return &api.DeleteBucketReplicationOutput{}, s.inspect(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutReplicationConfiguration", nothing)
}

// GetBucketAbac says that access does not depend on the bucket's tags.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAbac.html
func (s *Service) GetBucketAbac(ctx context.Context, in *api.GetBucketAbacRequest) (*api.GetBucketAbacResponse, error) {
	err := s.inspect(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketAbac", nothing)
	return &api.GetBucketAbacResponse{AbacStatus: &api.AbacStatus{Status: new(api.BucketAbacStatusDisabled)}}, err
}
