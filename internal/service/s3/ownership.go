package s3

import (
	"context"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// A bucket that never had ownership controls set is one whose owner owns all in it. One whose controls were deleted
// is as buckets were before there were any; an empty configuration says so.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html

// ownership is who owns the objects of a bucket.
func (s *Service) ownership(r store.Reader, b *bucket) (string, error) {
	c, err := configOf(s, r, b, kindOwnership, asIs[api.OwnershipControls])
	switch {
	case err != nil:
		return "", err
	case c == nil:
		return api.ObjectOwnershipBucketOwnerEnforced, nil
	case len(c.Rules) == 0:
		return api.ObjectOwnershipObjectWriter, nil
	}
	return *c.Rules[0].ObjectOwnership, nil
}

var ownerships = []string{api.ObjectOwnershipBucketOwnerPreferred, api.ObjectOwnershipObjectWriter, api.ObjectOwnershipBucketOwnerEnforced}

// PutBucketOwnershipControls says who owns the objects of a bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketOwnershipControls.html
func (s *Service) PutBucketOwnershipControls(ctx context.Context, in *api.PutBucketOwnershipControlsRequest) (*api.PutBucketOwnershipControlsOutput, error) {
	c := in.OwnershipControls
	if c == nil || len(c.Rules) != 1 || !slices.Contains(ownerships, awsapi.Val(c.Rules[0].ObjectOwnership)) {
		return nil, badXML()
	}
	return &api.PutBucketOwnershipControlsOutput{}, s.keep(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutBucketOwnershipControls", kindOwnership, c)
}

// GetBucketOwnershipControls tells who owns the objects of a bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketOwnershipControls.html
func (s *Service) GetBucketOwnershipControls(ctx context.Context, in *api.GetBucketOwnershipControlsRequest) (*api.GetBucketOwnershipControlsOutput, error) {
	out := &api.GetBucketOwnershipControlsOutput{}
	err := s.inspect(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketOwnershipControls", func(r store.Reader, b *bucket) error {
		c, err := configOf(s, r, b, kindOwnership, asIs[api.OwnershipControls])
		switch {
		case err != nil:
			return err
		case c == nil:
			c = &api.OwnershipControls{Rules: []api.OwnershipControlsRule{{ObjectOwnership: new(api.ObjectOwnershipBucketOwnerEnforced)}}}
		case len(c.Rules) == 0:
			return lacking("OwnershipControlsNotFoundError", "The bucket ownership controls were not found").With("BucketName", b.Name)
		}
		out.OwnershipControls = c
		return nil
	})
	return out, err
}

// DeleteBucketOwnershipControls lets those who write objects own them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketOwnershipControls.html
func (s *Service) DeleteBucketOwnershipControls(ctx context.Context, in *api.DeleteBucketOwnershipControlsRequest) (*api.DeleteBucketOwnershipControlsOutput, error) {
	return &api.DeleteBucketOwnershipControlsOutput{}, s.keep(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutBucketOwnershipControls", kindOwnership,
		api.OwnershipControls{})
}
