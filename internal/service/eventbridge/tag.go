package eventbridge

import (
	"context"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	"cirro/internal/store"
)

// tagged finds the tags of a bus or a rule by its ARN, and writes them back where change says that it
// changed them.
func (s *Service) tagged(ctx context.Context, arn string, change func(tags *[]api.Tag) error) error {
	if ref, name, ok := parseRule(arn); ok && ref.place == placeOf(ctx) {
		return s.changeRule(ctx, ref, name, func(_ store.Tx, u *rule) error { return change(&u.Tags) })
	}
	if ref, ok := parseBus(arn); ok && ref.place == placeOf(ctx) {
		return s.changeBus(ctx, ref, func(b *bus) error { return change(&b.Tags) })
	}
	return invalid("Parameter ResourceARN is not valid. Reason: Provided Arn is not in correct format.")
}

// TagResource gives tags to a bus or a rule.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TagResource.html
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceRequest) (*api.TagResourceResponse, error) {
	return nil, s.tagged(ctx, *in.ResourceARN, func(tags *[]api.Tag) error { return mergeTags(tags, in.Tags) })
}

// UntagResource takes tags from a bus or a rule.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_UntagResource.html
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceRequest) (*api.UntagResourceResponse, error) {
	return nil, s.tagged(ctx, *in.ResourceARN, func(tags *[]api.Tag) error {
		var left []api.Tag
		for _, t := range *tags {
			if !slices.Contains(in.TagKeys, awsapi.Val(t.Key)) {
				left = append(left, t)
			}
		}
		*tags = left
		return nil
	})
}

// ListTagsForResource lists the tags of a bus or a rule.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListTagsForResource.html
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceRequest) (*api.ListTagsForResourceResponse, error) {
	out := &api.ListTagsForResourceResponse{Tags: []api.Tag{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		var tags []api.Tag
		if ref, name, ok := parseRule(*in.ResourceARN); ok && ref.place == placeOf(ctx) {
			u, err := getRule(r, ref, name)
			if err != nil {
				return err
			}
			tags = u.Tags
		} else if ref, ok := parseBus(*in.ResourceARN); ok && ref.place == placeOf(ctx) {
			b, err := getBus(r, ref)
			if err != nil {
				return err
			}
			tags = b.Tags
		} else {
			return invalid("Parameter ResourceARN is not valid. Reason: Provided Arn is not in correct format.")
		}
		out.Tags = append(out.Tags, tags...)
		return nil
	})
	return out, err
}

// mergeTags merges tags into those of a resource.
func mergeTags(to *[]api.Tag, tags []api.Tag) error {
	seen := map[string]bool{}
	for _, t := range tags {
		key := awsapi.Val(t.Key)
		if seen[key] {
			return invalid("Duplicate keys are not allowed in the request.")
		}
		seen[key] = true
		replaced := false
		for i := range *to {
			if awsapi.Val((*to)[i].Key) == key {
				(*to)[i], replaced = t, true
			}
		}
		if !replaced {
			*to = append(*to, t)
		}
	}
	if len(*to) > maxTags {
		return api.LimitExceededException.New("The resource may not have more than %d tags.", maxTags)
	}
	return nil
}

// maxTags is how many tags a resource has at most.
const maxTags = 50
