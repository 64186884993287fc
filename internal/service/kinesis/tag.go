package kinesis

import (
	"context"
	"maps"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

const maxTags = 50

// checkTags checks tags.
// https://docs.aws.amazon.com/streams/latest/dev/tagging.html
func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return api.InvalidArgumentException.New("Failed to add tags to stream because a given stream cannot have more than %d tags associated with it.", maxTags)
	}
	for key := range tags {
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return api.InvalidArgumentException.New("Tag keys must not begin with aws:.")
		}
	}
	return nil
}

func addTags(to *map[string]string, tags map[string]string) error {
	if *to == nil {
		*to = make(map[string]string)
	}
	maps.Copy(*to, tags)
	return checkTags(*to)
}

func removeTags(from map[string]string, keys []string) {
	for _, key := range keys {
		delete(from, key)
	}
}

// AddTagsToStream adds tags to a stream.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_AddTagsToStream.html
func (s *Service) AddTagsToStream(ctx context.Context, in *api.AddTagsToStreamInput) (*api.AddTagsToStreamOutput, error) {
	return nil, s.changeStream(ctx, in.StreamName, in.StreamARN, in.StreamId, func(_ *stream, r *record) error { return addTags(&r.Tags, in.Tags) })
}

// RemoveTagsFromStream takes tags off a stream.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RemoveTagsFromStream.html
func (s *Service) RemoveTagsFromStream(ctx context.Context, in *api.RemoveTagsFromStreamInput) (*api.RemoveTagsFromStreamOutput, error) {
	return nil, s.changeStream(ctx, in.StreamName, in.StreamARN, in.StreamId, func(_ *stream, r *record) error {
		removeTags(r.Tags, in.TagKeys)
		return nil
	})
}

// ListTagsForStream lists a stream's tags by their keys.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListTagsForStream.html
func (s *Service) ListTagsForStream(ctx context.Context, in *api.ListTagsForStreamInput) (*api.ListTagsForStreamOutput, error) {
	limit := maxTags
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	out := &api.ListTagsForStreamOutput{Tags: []api.Tag{}, HasMoreTags: new(false)}
	err := s.Store.View(ctx, func(r store.Reader) error {
		st, err := s.find(ctx, r, in.StreamName, in.StreamARN, in.StreamId)
		if err != nil {
			return err
		}
		for _, tag := range tagList(st.record.Tags) {
			switch {
			case in.ExclusiveStartTagKey != nil && *tag.Key <= *in.ExclusiveStartTagKey:
			case len(out.Tags) == limit:
				*out.HasMoreTags = true
			default:
				out.Tags = append(out.Tags, tag)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func tagList(tags map[string]string) []api.Tag {
	list := make([]api.Tag, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, api.Tag{Key: new(key), Value: new(tags[key])})
	}
	return list
}

// tagged is a stream or a consumer, by its ARN, in a transaction.
func (s *Service) tagged(ctx context.Context, tx store.Tx, arn string, f func(tags *map[string]string) error) error {
	if strings.Contains(arn, "/consumer/") {
		st, c, err := s.consumerByARN(tx, arn)
		if err != nil {
			return err
		}
		if err := f(&c.Tags); err != nil {
			return err
		}
		return store.SetRecord(tx, st.consumerKey(c.Name), c)
	}
	st, err := s.find(ctx, tx, nil, &arn, nil)
	if err != nil {
		return err
	}
	return st.change(tx, func(r *record) error { return f(&r.Tags) })
}

// TagResource adds tags to a stream or a consumer.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_TagResource.html
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		return s.tagged(ctx, tx, awsapi.Val(in.ResourceARN), func(tags *map[string]string) error { return addTags(tags, in.Tags) })
	})
}

// UntagResource takes tags off a stream or a consumer.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UntagResource.html
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		return s.tagged(ctx, tx, awsapi.Val(in.ResourceARN), func(tags *map[string]string) error {
			removeTags(*tags, in.TagKeys)
			return nil
		})
	})
}

// ListTagsForResource lists the tags of a stream or a consumer.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListTagsForResource.html
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	out := new(api.ListTagsForResourceOutput)
	err := s.Store.View(ctx, func(r store.Reader) error {
		arn := awsapi.Val(in.ResourceARN)
		if strings.Contains(arn, "/consumer/") {
			_, c, err := s.consumerByARN(r, arn)
			out.Tags = tagList(c.Tags)
			return err
		}
		st, err := s.find(ctx, r, nil, &arn, nil)
		if err == nil {
			out.Tags = tagList(st.record.Tags)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
