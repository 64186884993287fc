package states

import (
	"context"
	"maps"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/states"
	"cirro/internal/store"
)

// maxTags is how many tags a resource may have.
// https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
const maxTags = 50

func tagsOf(tags []api.Tag) map[string]string {
	all := map[string]string{}
	for _, t := range tags {
		all[*t.Key] = awsapi.Val(t.Value)
	}
	return all
}

// checkTags says whether there are too many tags for a new resource.
func checkTags(tags []api.Tag, name string) error {
	if len(tagsOf(tags)) > maxTags {
		return api.TooManyTags.New("The maximum number of tags of a resource is %d", maxTags).With("resourceName", name)
	}
	return nil
}

// tagged reads the tags of what an ARN names, and writes them where change has changed them.
func (s *Service) tagged(ctx context.Context, arn string, change func(map[string]string) error) (tags map[string]string, err error) {
	res, err := parseARN(arn, "stateMachine", "activity")
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if res.Kind == "activity" {
			tags, err = edit(tx, activityKey(res.scope, res.Rest), arn, func(a *activity) *map[string]string { return &a.Tags }, change)
		} else {
			tags, err = edit(tx, machineKey(res.scope, res.Rest), arn, func(m *machine) *map[string]string { return &m.Tags }, change)
		}
		return err
	})
	return tags, err
}

func edit[T any](tx store.Tx, key []byte, arn string, of func(*T) *map[string]string, change func(map[string]string) error) (map[string]string, error) {
	record, found, err := store.GetRecord[T](tx, key)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, api.ResourceNotFound.New("Resource not found: '%s'", arn).With("resourceName", arn)
	}
	tags := of(&record)
	if *tags == nil {
		*tags = map[string]string{}
	}
	if change == nil {
		return *tags, nil
	}
	if err := change(*tags); err != nil {
		return nil, err
	}
	return *tags, store.SetRecord(tx, key, record)
}

// TagResource sets tags of a state machine or an activity.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_TagResource.html
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	_, err := s.tagged(ctx, *in.ResourceArn, func(tags map[string]string) error {
		maps.Copy(tags, tagsOf(in.Tags))
		if len(tags) > maxTags {
			return api.TooManyTags.New("The maximum number of tags of a resource is %d", maxTags).With("resourceName", *in.ResourceArn)
		}
		return nil
	})
	return &api.TagResourceOutput{}, err
}

// UntagResource removes tags of a state machine or an activity.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_UntagResource.html
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	_, err := s.tagged(ctx, *in.ResourceArn, func(tags map[string]string) error {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
		return nil
	})
	return &api.UntagResourceOutput{}, err
}

// ListTagsForResource lists the tags of a state machine or an activity by their keys.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListTagsForResource.html
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	tags, err := s.tagged(ctx, *in.ResourceArn, nil)
	if err != nil {
		return nil, err
	}
	out := &api.ListTagsForResourceOutput{Tags: []api.Tag{}}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out.Tags = append(out.Tags, api.Tag{Key: &key, Value: new(tags[key])})
	}
	return out, nil
}
