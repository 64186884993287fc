package s3

import (
	"context"

	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// PutBucketTagging replaces a bucket's tags.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html
func (s *Service) PutBucketTagging(ctx context.Context, in *api.PutBucketTaggingRequest) (*api.PutBucketTaggingOutput, error) {
	tags, err := tagsOf(in.Tagging, maxBucketTags)
	if err != nil {
		return nil, err
	}
	return &api.PutBucketTaggingOutput{}, s.change(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutBucketTagging", func(tx store.Tx, b *bucket) error {
		if len(tags) == 0 {
			_, err := s.deleteConfig(tx, b, kindTagging)
			return err
		}
		_, err := s.setConfig(tx, b, kindTagging, tags)
		return err
	})
}

// GetBucketTagging tells a bucket's tags.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html
func (s *Service) GetBucketTagging(ctx context.Context, in *api.GetBucketTaggingRequest) (*api.GetBucketTaggingOutput, error) {
	tags, err := kept[[]pair](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketTagging", kindTagging,
		lacking("NoSuchTagSet", "The TagSet does not exist"))
	if err != nil {
		return nil, err
	}
	return &api.GetBucketTaggingOutput{TagSet: tagSet(tags)}, nil
}

// DeleteBucketTagging removes a bucket's tags.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html
func (s *Service) DeleteBucketTagging(ctx context.Context, in *api.DeleteBucketTaggingRequest) (*api.DeleteBucketTaggingOutput, error) {
	return &api.DeleteBucketTaggingOutput{}, s.drop(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutBucketTagging", kindTagging)
}
