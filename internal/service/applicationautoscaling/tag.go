package applicationautoscaling

import (
	"context"
	"maps"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/applicationautoscaling"
	"cirro/internal/store"
)

// maxTags is how many tags a scalable target has at most.
const maxTags = 50

func checkTags(tags map[string]string) error {
	for key := range tags {
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return invalid("Tag keys that begin with aws: are reserved")
		}
	}
	if len(tags) > maxTags {
		return invalid("A scalable target can have no more than %d tags", maxTags)
	}
	return nil
}

// tagged finds the scalable target with an ARN.
func tagged(ctx context.Context, r store.Reader, arn string) (target, error) {
	in := scopeOf(ctx)
	for t, err := range store.Records[target](r, store.Prefix("autoscaling", "target", in.Account, in.Region)) {
		if err != nil || t.ARN == arn {
			return t, err
		}
	}
	return target{}, api.ResourceNotFoundException.New("The specified resource doesn't exist.").With("ResourceName", arn)
}

// ListTagsForResource returns the tags of a scalable target.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_ListTagsForResource.html
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceRequest) (out *api.ListTagsForResourceResponse, err error) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		t, err := tagged(ctx, r, *in.ResourceARN)
		out = &api.ListTagsForResourceResponse{Tags: t.Tags}
		if out.Tags == nil {
			out.Tags = map[string]string{}
		}
		return err
	})
	return out, err
}

// TagResource adds tags to a scalable target.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TagResource.html
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceRequest) (*api.TagResourceResponse, error) {
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	return &api.TagResourceResponse{}, s.retag(ctx, *in.ResourceARN, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

// UntagResource takes tags off a scalable target.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_UntagResource.html
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceRequest) (*api.UntagResourceResponse, error) {
	return &api.UntagResourceResponse{}, s.retag(ctx, *in.ResourceARN, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}

func (s *Service) retag(ctx context.Context, arn string, change func(map[string]string)) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		t, err := tagged(ctx, tx, arn)
		if err != nil {
			return err
		}
		if t.Tags == nil {
			t.Tags = map[string]string{}
		}
		change(t.Tags)
		if len(t.Tags) > maxTags {
			return api.TooManyTagsException.New("The number of tags exceeds the limit of %d", maxTags).
				With("ResourceName", awsapi.Val(&arn))
		}
		return store.SetRecord(tx, t.key(), t)
	})
}
