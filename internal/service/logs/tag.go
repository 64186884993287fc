package logs

import (
	"context"
	"maps"
	"strings"

	"cirro/internal/awsapi/logs"
	"cirro/internal/store"
)

// maxTags is how many tags a group can have.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html#log-group-tagging
const maxTags = 50

func checkTags(tags map[string]string) error {
	for k := range tags {
		if strings.HasPrefix(strings.ToLower(k), "aws:") {
			return invalid("User-defined tag keys can't start with 'aws:'. This prefix is reserved for system tags. Please remove from your tag keys and try again.")
		}
	}
	return nil
}

func (s *Service) tag(ctx context.Context, k groupKey, tags map[string]string) error {
	if err := checkTags(tags); err != nil {
		return err
	}
	return s.changeGroup(ctx, k, func(g *group) error {
		all := maps.Clone(g.Tags)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, tags)
		if len(all) > maxTags {
			return logs.TooManyTagsException.New("A resource can have no more than %d tags.", maxTags).With("ResourceName", k.arn())
		}
		g.Tags = all
		return nil
	})
}

func (s *Service) untag(ctx context.Context, k groupKey, names []string) error {
	return s.changeGroup(ctx, k, func(g *group) error {
		for _, name := range names {
			delete(g.Tags, name)
		}
		return nil
	})
}

func (s *Service) tags(ctx context.Context, k groupKey) (tags map[string]string, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, k)
		if err != nil {
			return err
		}
		tags = g.Tags
		return nil
	})
	if tags == nil {
		tags = map[string]string{}
	}
	return tags, err
}

// tagged names the group of the ARN that the operations on tags take.
func tagged(ctx context.Context, arn *string) (groupKey, error) {
	if !strings.HasPrefix(*arn, "arn:") {
		return groupKey{}, invalid("The specified arn is not valid: %s", *arn)
	}
	return resolve(ctx, *arn)
}

// TagResource sets tags of a group.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TagResource.html
func (s *Service) TagResource(ctx context.Context, in *logs.TagResourceRequest) (*logs.TagResourceOutput, error) {
	k, err := tagged(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &logs.TagResourceOutput{}, s.tag(ctx, k, in.Tags)
}

// UntagResource removes tags of a group.
func (s *Service) UntagResource(ctx context.Context, in *logs.UntagResourceRequest) (*logs.UntagResourceOutput, error) {
	k, err := tagged(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &logs.UntagResourceOutput{}, s.untag(ctx, k, in.TagKeys)
}

// ListTagsForResource lists the tags of a group.
func (s *Service) ListTagsForResource(ctx context.Context, in *logs.ListTagsForResourceRequest) (*logs.ListTagsForResourceResponse, error) {
	k, err := tagged(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags, err := s.tags(ctx, k)
	return &logs.ListTagsForResourceResponse{Tags: tags}, err
}

// TagLogGroup is the older TagResource.
func (s *Service) TagLogGroup(ctx context.Context, in *logs.TagLogGroupRequest) (*logs.TagLogGroupOutput, error) {
	return &logs.TagLogGroupOutput{}, s.tag(ctx, keyOf(ctx, in.LogGroupName), in.Tags)
}

// UntagLogGroup is the older UntagResource.
func (s *Service) UntagLogGroup(ctx context.Context, in *logs.UntagLogGroupRequest) (*logs.UntagLogGroupOutput, error) {
	return &logs.UntagLogGroupOutput{}, s.untag(ctx, keyOf(ctx, in.LogGroupName), in.Tags)
}

// ListTagsLogGroup is the older ListTagsForResource.
func (s *Service) ListTagsLogGroup(ctx context.Context, in *logs.ListTagsLogGroupRequest) (*logs.ListTagsLogGroupResponse, error) {
	tags, err := s.tags(ctx, keyOf(ctx, in.LogGroupName))
	return &logs.ListTagsLogGroupResponse{Tags: tags}, err
}
