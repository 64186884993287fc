package iam

import (
	"context"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/iam"
	"cirro/internal/store"
)

// maxTags is a quota of every taggable thing.
const maxTags = 50

// mergeTags adds tags to those of a thing; keys are the same without regard to case.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules
func mergeTags(to *[]iam.Tag, tags []iam.Tag) error {
	for i, t := range tags {
		if strings.HasPrefix(strings.ToLower(*t.Key), "aws:") {
			return iam.InvalidInputException.New("System tags cannot be added/updated/deleted, user tags cannot start with 'aws:'.")
		}
		same := func(o iam.Tag) bool { return strings.EqualFold(*o.Key, *t.Key) }
		if slices.ContainsFunc(tags[:i], same) {
			return iam.InvalidInputException.New("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		if at := slices.IndexFunc(*to, same); at >= 0 {
			(*to)[at] = t
		} else {
			*to = append(*to, t)
		}
	}
	if len(*to) > maxTags {
		return iam.LimitExceededException.New("Cannot exceed quota for TagsPerEntity: %d", maxTags)
	}
	return nil
}

func removeTags(from *[]iam.Tag, keys []string) {
	*from = slices.DeleteFunc(*from, func(t iam.Tag) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, *t.Key) })
	})
}

func tagPage(tags []iam.Tag, marker *string, maxItems *int32) ([]iam.Tag, page, error) {
	sorted := slices.SortedFunc(slices.Values(tags), func(a, b iam.Tag) int { return strings.Compare(*a.Key, *b.Key) })
	list, p, err := paginate(each(sorted), func(t iam.Tag) string { return awsapi.Val(t.Key) }, marker, maxItems)
	return slices.Concat([]iam.Tag{}, list), p, err
}

func (s *Service) tagPrincipal(ctx context.Context, k kind, name string, tags []iam.Tag) error {
	return s.change(ctx, k, name, func(_ store.Tx, p *principal) error { return mergeTags(&p.Tags, tags) })
}

func (s *Service) untagPrincipal(ctx context.Context, k kind, name string, keys []string) error {
	return s.change(ctx, k, name, func(_ store.Tx, p *principal) error { removeTags(&p.Tags, keys); return nil })
}

// TagRole adds tags to a role.
func (s *Service) TagRole(ctx context.Context, in *iam.TagRoleRequest) (*iam.TagRoleOutput, error) {
	return &iam.TagRoleOutput{}, s.tagPrincipal(ctx, role, *in.RoleName, in.Tags)
}

// UntagRole removes tags from a role.
func (s *Service) UntagRole(ctx context.Context, in *iam.UntagRoleRequest) (*iam.UntagRoleOutput, error) {
	return &iam.UntagRoleOutput{}, s.untagPrincipal(ctx, role, *in.RoleName, in.TagKeys)
}

// ListRoleTags lists a role's tags by key.
func (s *Service) ListRoleTags(ctx context.Context, in *iam.ListRoleTagsRequest) (*iam.ListRoleTagsResponse, error) {
	p, err := s.get(ctx, role, *in.RoleName)
	if err != nil {
		return nil, err
	}
	tags, page, err := tagPage(p.Tags, in.Marker, in.MaxItems)
	return &iam.ListRoleTagsResponse{Tags: tags, IsTruncated: page.IsTruncated, Marker: page.Marker}, err
}

// TagUser adds tags to a user.
func (s *Service) TagUser(ctx context.Context, in *iam.TagUserRequest) (*iam.TagUserOutput, error) {
	return &iam.TagUserOutput{}, s.tagPrincipal(ctx, user, *in.UserName, in.Tags)
}

// UntagUser removes tags from a user.
func (s *Service) UntagUser(ctx context.Context, in *iam.UntagUserRequest) (*iam.UntagUserOutput, error) {
	return &iam.UntagUserOutput{}, s.untagPrincipal(ctx, user, *in.UserName, in.TagKeys)
}

// ListUserTags lists a user's tags by key.
func (s *Service) ListUserTags(ctx context.Context, in *iam.ListUserTagsRequest) (*iam.ListUserTagsResponse, error) {
	p, err := s.get(ctx, user, *in.UserName)
	if err != nil {
		return nil, err
	}
	tags, page, err := tagPage(p.Tags, in.Marker, in.MaxItems)
	return &iam.ListUserTagsResponse{Tags: tags, IsTruncated: page.IsTruncated, Marker: page.Marker}, err
}
