package s3

import (
	"context"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// defaultEncryption is what every bucket has that has no other.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html
func defaultEncryption() *api.ServerSideEncryptionConfiguration {
	return &api.ServerSideEncryptionConfiguration{Rules: []api.ServerSideEncryptionRule{{
		ApplyServerSideEncryptionByDefault: &api.ServerSideEncryptionByDefault{SSEAlgorithm: new(api.ServerSideEncryptionAes256)},
		BucketKeyEnabled:                   new(false),
	}}}
}

// encryption is a bucket's default encryption.
func (s *Service) encryption(r store.Reader, b *bucket) (*api.ServerSideEncryptionConfiguration, error) {
	c, err := configOf(s, r, b, kindEncryption, asIs[api.ServerSideEncryptionConfiguration])
	if err == nil && c == nil {
		c = defaultEncryption()
	}
	return c, err
}

// PutBucketEncryption sets how objects are encrypted that say nothing of it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketEncryption.html
func (s *Service) PutBucketEncryption(ctx context.Context, in *api.PutBucketEncryptionRequest) (*api.PutBucketEncryptionOutput, error) {
	c := in.ServerSideEncryptionConfiguration
	if c == nil || len(c.Rules) != 1 {
		return nil, badXML()
	}
	rule := &c.Rules[0]
	if rule.BucketKeyEnabled == nil {
		rule.BucketKeyEnabled = new(false)
	}
	by := rule.ApplyServerSideEncryptionByDefault
	switch {
	case by == nil:
		rule.ApplyServerSideEncryptionByDefault = &api.ServerSideEncryptionByDefault{SSEAlgorithm: new(api.ServerSideEncryptionAes256)}
	case awsapi.Val(by.SSEAlgorithm) == api.ServerSideEncryptionAes256 && by.KMSMasterKeyID != nil:
		return nil, wrongArgument("ApplyServerSideEncryptionByDefault", api.ServerSideEncryptionAes256,
			"a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse")
	case awsapi.Val(by.SSEAlgorithm) == "":
		return nil, badXML()
	}
	return &api.PutBucketEncryptionOutput{}, s.keep(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutEncryptionConfiguration", kindEncryption, c)
}

// GetBucketEncryption tells a bucket's default encryption.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketEncryption.html
func (s *Service) GetBucketEncryption(ctx context.Context, in *api.GetBucketEncryptionRequest) (*api.GetBucketEncryptionOutput, error) {
	out := &api.GetBucketEncryptionOutput{}
	err := s.inspect(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:GetEncryptionConfiguration", func(r store.Reader, b *bucket) (err error) {
		out.ServerSideEncryptionConfiguration, err = s.encryption(r, b)
		return err
	})
	return out, err
}

// DeleteBucketEncryption goes back to S3's own default.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketEncryption.html
func (s *Service) DeleteBucketEncryption(ctx context.Context, in *api.DeleteBucketEncryptionRequest) (*api.DeleteBucketEncryptionOutput, error) {
	return &api.DeleteBucketEncryptionOutput{}, s.drop(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutEncryptionConfiguration", kindEncryption)
}
