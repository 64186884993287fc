package s3

import (
	"context"

	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// changeVersion changes the record of the version that a request means, and returns it.
func (s *Service) changeVersion(ctx context.Context, name string, owner *string, action, key string, id *string,
	f func(tx store.Tx, b *bucket, v *version) error) (shown *string, err error) {
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		b, err := s.access(ctx, tx, name, owner, action, key)
		if err != nil {
			return err
		}
		v, err := s.find(tx, b, key, id)
		if err != nil {
			return err
		}
		shown = b.shownID(v)
		if err := f(tx, b, v); err != nil {
			return err
		}
		return s.replace(tx, b, key, v)
	})
	return shown, err
}

// lookVersion reads the version that a request means.
func (s *Service) lookVersion(ctx context.Context, name string, owner *string, action, key string, id *string,
	f func(r store.Reader, b *bucket, v *version) error) error {
	return s.Store.View(ctx, func(r store.Reader) error {
		b, err := s.access(ctx, r, name, owner, action, key)
		if err != nil {
			return err
		}
		v, err := s.find(r, b, key, id)
		if err != nil {
			return err
		}
		return f(r, b, v)
	})
}

// PutObjectTagging replaces an object's tags.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html
func (s *Service) PutObjectTagging(ctx context.Context, in *api.PutObjectTaggingRequest) (*api.PutObjectTaggingOutput, error) {
	tags, err := tagsOf(in.Tagging, maxObjectTags)
	if err != nil {
		return nil, err
	}
	id, err := s.changeVersion(ctx, *in.Bucket, in.ExpectedBucketOwner, versioned("s3:PutObjectTagging", in.VersionId), *in.Key, in.VersionId,
		func(tx store.Tx, b *bucket, v *version) error {
			v.Tags = tags
			return s.notify(tx, b, b.event("ObjectTagging:Put", *in.Key, v, request(ctx)))
		})
	if err != nil {
		return nil, err
	}
	return &api.PutObjectTaggingOutput{VersionId: id}, nil
}

// GetObjectTagging tells an object's tags.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html
func (s *Service) GetObjectTagging(ctx context.Context, in *api.GetObjectTaggingRequest) (*api.GetObjectTaggingOutput, error) {
	out := &api.GetObjectTaggingOutput{}
	err := s.lookVersion(ctx, *in.Bucket, in.ExpectedBucketOwner, versioned("s3:GetObjectTagging", in.VersionId), *in.Key, in.VersionId,
		func(_ store.Reader, b *bucket, v *version) error {
			out.TagSet, out.VersionId = tagSet(v.Tags), b.shownID(v)
			return nil
		})
	return out, err
}

// DeleteObjectTagging removes an object's tags.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html
func (s *Service) DeleteObjectTagging(ctx context.Context, in *api.DeleteObjectTaggingRequest) (*api.DeleteObjectTaggingOutput, error) {
	id, err := s.changeVersion(ctx, *in.Bucket, in.ExpectedBucketOwner, versioned("s3:DeleteObjectTagging", in.VersionId), *in.Key, in.VersionId,
		func(tx store.Tx, b *bucket, v *version) error {
			v.Tags = nil
			return s.notify(tx, b, b.event("ObjectTagging:Delete", *in.Key, v, request(ctx)))
		})
	if err != nil {
		return nil, err
	}
	return &api.DeleteObjectTaggingOutput{VersionId: id}, nil
}

// versioned is the action of a request that names a version.
func versioned(action string, id *string) string {
	if id == nil || *id == "" {
		return action
	}
	const object = "Object"
	for i := 0; i+len(object) <= len(action); i++ {
		if action[i:i+len(object)] == object {
			return action[:i+len(object)] + "Version" + action[i+len(object):]
		}
	}
	return action
}
