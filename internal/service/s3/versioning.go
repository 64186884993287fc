package s3

import (
	"context"
	"net/http"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

var (
	illegalVersioning  = &awsapi.ErrorType{Code: "IllegalVersioningConfigurationException", Status: http.StatusBadRequest}
	invalidBucketState = &awsapi.ErrorType{Code: "InvalidBucketState", Status: http.StatusConflict}
)

// PutBucketVersioning switches versioning on, or suspends it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html
func (s *Service) PutBucketVersioning(ctx context.Context, in *api.PutBucketVersioningRequest) (*api.PutBucketVersioningOutput, error) {
	config := in.VersioningConfiguration
	switch {
	case config == nil || config.Status == nil:
		return nil, illegalVersioning.New("The Versioning element must be specified")
	case *config.Status != api.BucketVersioningStatusEnabled && *config.Status != api.BucketVersioningStatusSuspended:
		return nil, badXML()
	case awsapi.Val(config.MFADelete) == api.MFADeleteEnabled:
		return nil, awsapi.NotImplemented.New("Cirro does not implement s3.PutBucketVersioning with MFADelete: it needs devices for multi-factor authentication")
	}
	err := s.change(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutBucketVersioning", func(tx store.Tx, b *bucket) error {
		if b.ObjectLock && *config.Status == api.BucketVersioningStatusSuspended {
			return invalidBucketState.New("An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.")
		}
		changed := *b
		changed.Versioning = *config.Status
		return s.setBucket(tx, &changed)
	})
	return &api.PutBucketVersioningOutput{}, err
}

// GetBucketVersioning tells a bucket's state of versioning, which it has none of until it is first switched on.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html
func (s *Service) GetBucketVersioning(ctx context.Context, in *api.GetBucketVersioningRequest) (*api.GetBucketVersioningOutput, error) {
	out := &api.GetBucketVersioningOutput{}
	err := s.inspect(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketVersioning", func(_ store.Reader, b *bucket) error {
		if b.Versioning != "" {
			out.Status = new(b.Versioning)
		}
		return nil
	})
	return out, err
}
