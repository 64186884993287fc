package s3

import (
	"context"
	"net/http"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/service/s3/policy"
	"cirro/internal/store"
)

var malformedPolicy = &awsapi.ErrorType{Code: "MalformedPolicy", Status: http.StatusBadRequest}

// maxPolicy bounds a bucket policy, in bytes.
const maxPolicy = 20 << 10

// bucketPolicy is a policy as it was put, with the bucket it belongs to.
type bucketPolicy struct{ Bucket, Text string }

func (p bucketPolicy) parse() (*policy.Document, error) { return policy.Parse(p.Text, p.Bucket) }

// policyOf is a bucket's policy, nil where it has none.
func (s *Service) policyOf(r store.Reader, b *bucket) (*policy.Document, error) {
	return configOf(s, r, b, kindPolicy, bucketPolicy.parse)
}

// PutBucketPolicy replaces a bucket's policy.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
func (s *Service) PutBucketPolicy(ctx context.Context, in *api.PutBucketPolicyRequest) (*api.PutBucketPolicyOutput, error) {
	const action = "s3:PutBucketPolicy"
	text := awsapi.Val(in.Policy)
	return &api.PutBucketPolicyOutput{}, s.change(ctx, *in.Bucket, in.ExpectedBucketOwner, action, func(tx store.Tx, b *bucket) error {
		if len(text) > maxPolicy {
			return malformedPolicy.New("Normalized policy document exceeds the maximum allowed size of %d bytes.", maxPolicy)
		}
		p := bucketPolicy{b.Name, text}
		d, err := p.parse()
		if err != nil {
			return malformedPolicy.New("%s", err.Error())
		}
		block, err := s.publicAccess(tx, b)
		if err != nil {
			return err
		}
		if awsapi.Val(block.BlockPublicPolicy) && d.Public() {
			return accessDenied.New("User: %s is not authorized to perform: %s on resource: \"%s\" because public policies are prevented by the "+
				"BlockPublicPolicy setting in S3 Block Public Access.", awsapi.RequestOf(ctx).Principal.ARN, action, b.arn())
		}
		_, err = s.setConfig(tx, b, kindPolicy, p)
		return err
	})
}

func noPolicy() *awsapi.Error {
	return lacking("NoSuchBucketPolicy", "The bucket policy does not exist")
}

// GetBucketPolicy tells a bucket's policy as it was put.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html
func (s *Service) GetBucketPolicy(ctx context.Context, in *api.GetBucketPolicyRequest) (*api.GetBucketPolicyOutput, error) {
	p, err := kept[bucketPolicy](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketPolicy", kindPolicy, noPolicy())
	if err != nil {
		return nil, err
	}
	return &api.GetBucketPolicyOutput{Policy: &p.Text}, nil
}

// GetBucketPolicyStatus tells whether a bucket's policy makes it public.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicyStatus.html
func (s *Service) GetBucketPolicyStatus(ctx context.Context, in *api.GetBucketPolicyStatusRequest) (*api.GetBucketPolicyStatusOutput, error) {
	public := false
	err := s.inspect(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketPolicyStatus", func(r store.Reader, b *bucket) error {
		d, err := s.policyOf(r, b)
		if err != nil {
			return err
		}
		if d == nil {
			return noPolicy().With("BucketName", b.Name)
		}
		public = d.Public()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.GetBucketPolicyStatusOutput{PolicyStatus: &api.PolicyStatus{IsPublic: &public}}, nil
}

// DeleteBucketPolicy removes a bucket's policy.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketPolicy.html
func (s *Service) DeleteBucketPolicy(ctx context.Context, in *api.DeleteBucketPolicyRequest) (*api.DeleteBucketPolicyOutput, error) {
	return &api.DeleteBucketPolicyOutput{}, s.drop(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:DeleteBucketPolicy", kindPolicy)
}
