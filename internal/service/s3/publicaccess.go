package s3

import (
	"context"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// A bucket blocks all public access until it is told otherwise; one whose block was deleted blocks none.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html

func blockAll() *api.PublicAccessBlockConfiguration {
	return &api.PublicAccessBlockConfiguration{BlockPublicAcls: new(true), IgnorePublicAcls: new(true), BlockPublicPolicy: new(true), RestrictPublicBuckets: new(true)}
}

// publicAccess is what a bucket blocks.
func (s *Service) publicAccess(r store.Reader, b *bucket) (*api.PublicAccessBlockConfiguration, error) {
	c, err := configOf(s, r, b, kindPublicAccess, asIs[api.PublicAccessBlockConfiguration])
	if err == nil && c == nil {
		c = blockAll()
	}
	return c, err
}

// PutPublicAccessBlock says what of public access a bucket blocks.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutPublicAccessBlock.html
func (s *Service) PutPublicAccessBlock(ctx context.Context, in *api.PutPublicAccessBlockRequest) (*api.PutPublicAccessBlockOutput, error) {
	c := in.PublicAccessBlockConfiguration
	if c == nil {
		return nil, badXML()
	}
	if c.BlockPublicAcls == nil && c.IgnorePublicAcls == nil && c.BlockPublicPolicy == nil && c.RestrictPublicBuckets == nil {
		return nil, invalidRequest.New("Must specify at least one configuration.")
	}
	whole := api.PublicAccessBlockConfiguration{BlockPublicAcls: new(awsapi.Val(c.BlockPublicAcls)), IgnorePublicAcls: new(awsapi.Val(c.IgnorePublicAcls)),
		BlockPublicPolicy: new(awsapi.Val(c.BlockPublicPolicy)), RestrictPublicBuckets: new(awsapi.Val(c.RestrictPublicBuckets))}
	return &api.PutPublicAccessBlockOutput{}, s.keep(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutBucketPublicAccessBlock", kindPublicAccess, whole)
}

// GetPublicAccessBlock tells what of public access a bucket blocks.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetPublicAccessBlock.html
func (s *Service) GetPublicAccessBlock(ctx context.Context, in *api.GetPublicAccessBlockRequest) (*api.GetPublicAccessBlockOutput, error) {
	out := &api.GetPublicAccessBlockOutput{}
	err := s.inspect(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketPublicAccessBlock", func(r store.Reader, b *bucket) error {
		c, err := s.publicAccess(r, b)
		if err == nil && c.BlockPublicAcls == nil {
			return lacking("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found").With("BucketName", b.Name)
		}
		out.PublicAccessBlockConfiguration = c
		return err
	})
	return out, err
}

// DeletePublicAccessBlock lets public access be.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeletePublicAccessBlock.html
func (s *Service) DeletePublicAccessBlock(ctx context.Context, in *api.DeletePublicAccessBlockRequest) (*api.DeletePublicAccessBlockOutput, error) {
	return &api.DeletePublicAccessBlockOutput{}, s.keep(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutBucketPublicAccessBlock", kindPublicAccess,
		api.PublicAccessBlockConfiguration{})
}
