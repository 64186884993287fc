package sns

import (
	"context"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sns"
	"cirro/internal/store"
)

// maxTags is how many tags a topic has at most.
// https://docs.aws.amazon.com/sns/latest/dg/sns-tags.html
const maxTags = 50

func tagMap(tags []api.Tag) map[string]string {
	m := make(map[string]string, len(tags))
	for _, t := range tags {
		m[awsapi.Val(t.Key)] = awsapi.Val(t.Value)
	}
	return m
}

// mergeTags adds tags to those that are there.
func mergeTags(to *[]api.Tag, tags []api.Tag) error {
	if len(tagMap(tags)) < len(tags) {
		return api.InvalidParameterException.New("Invalid parameter: Duplicated keys are not allowed.")
	}
	for _, t := range tags {
		same := func(o api.Tag) bool { return awsapi.Val(o.Key) == awsapi.Val(t.Key) }
		if at := slices.IndexFunc(*to, same); at >= 0 {
			(*to)[at] = t
		} else {
			*to = append(*to, t)
		}
	}
	if len(*to) > maxTags {
		return api.TagLimitExceededException.New("Could not complete request: tag quota of per resource exceeded")
	}
	return nil
}

// errNoResource is the answer where what has the tags is not there.
var errNoResource = api.ResourceNotFoundException.New("Resource does not exist")

// tagged finds the topic that has the tags.
func tagged(ctx context.Context, arn *string) (topicRef, error) {
	return parseTopic(ctx, "ResourceArn", awsapi.Val(arn))
}

// TagResource adds tags to a topic.
// https://docs.aws.amazon.com/sns/latest/api/API_TagResource.html
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceRequest) (*api.TagResourceResponse, error) {
	return nil, s.changeTags(ctx, in.ResourceArn, func(t *topic) error { return mergeTags(&t.Tags, in.Tags) })
}

// UntagResource takes tags from a topic.
// https://docs.aws.amazon.com/sns/latest/api/API_UntagResource.html
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceRequest) (*api.UntagResourceResponse, error) {
	return nil, s.changeTags(ctx, in.ResourceArn, func(t *topic) error {
		t.Tags = slices.DeleteFunc(t.Tags, func(tag api.Tag) bool { return slices.Contains(in.TagKeys, awsapi.Val(tag.Key)) })
		return nil
	})
}

func (s *Service) changeTags(ctx context.Context, arn *string, change func(*topic) error) error {
	ref, err := tagged(ctx, arn)
	if err != nil {
		return err
	}
	err = s.changeTopic(ctx, ref, func(_ store.Tx, t *topic) error { return change(t) })
	if err == errNoTopic {
		return errNoResource
	}
	return err
}

// ListTagsForResource lists a topic's tags.
// https://docs.aws.amazon.com/sns/latest/api/API_ListTagsForResource.html
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceRequest) (*api.ListTagsForResourceResponse, error) {
	ref, err := tagged(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &api.ListTagsForResourceResponse{Tags: []api.Tag{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		t, err := getTopic(r, ref)
		if err == errNoTopic {
			return errNoResource
		}
		out.Tags = append(out.Tags, t.Tags...)
		return err
	})
	return out, err
}
