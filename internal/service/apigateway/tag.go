package apigateway

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/store"
)

// maxTags is how many tags a resource may have.
const maxTags = 50

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return badRequest("The maximum number of tags per resource is %d", maxTags)
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		switch {
		case key == "" || utf8.RuneCountInString(key) > 128:
			return badRequest("Tag keys must be between 1 and 128 characters long")
		case utf8.RuneCountInString(tags[key]) > 256:
			return badRequest("Tag values must be at most 256 characters long")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return badRequest("Tag keys cannot start with aws:")
		}
	}
	return nil
}

// taggedARN names an API, or one of its stages.
var taggedARN = regexp.MustCompile(`^arn:[a-z0-9-]+:apigateway:([a-z0-9-]+)::/restapis/([a-zA-Z0-9]+)(?:/stages/([a-zA-Z0-9_-]+))?$`)

// TagResource adds tags to an API or a stage, replacing those of the same key.
// https://docs.aws.amazon.com/apigateway/latest/api/API_TagResource.html
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceRequest) (*api.TagResourceOutput, error) {
	err := s.changeTags(ctx, in.ResourceArn, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
	if err != nil {
		return nil, err
	}
	return &api.TagResourceOutput{}, nil
}

// UntagResource takes tags away from an API or a stage.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceRequest) (*api.UntagResourceOutput, error) {
	err := s.changeTags(ctx, in.ResourceArn, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
	if err != nil {
		return nil, err
	}
	return &api.UntagResourceOutput{}, nil
}

func (s *Service) changeTags(ctx context.Context, arn *string, f func(map[string]string)) error {
	apiID, stage, err := parseTagged(arn)
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx store.Tx) error {
		a, err := getAPI(ctx, tx, apiID)
		if err != nil {
			return err
		}
		if stage == "" {
			if a.API.Tags, err = retag(a.API.Tags, f); err != nil {
				return err
			}
			return store.SetRecord(tx, apiKey(ctx, apiID), a)
		}
		st, err := getStage(ctx, tx, apiID, stage)
		if err != nil {
			return err
		}
		if st.Tags, err = retag(st.Tags, f); err != nil {
			return err
		}
		return store.SetRecord(tx, stageKey(ctx, apiID, stage), st)
	})
}

// retag changes tags; there are none rather than an empty map of them.
func retag(tags map[string]string, f func(map[string]string)) (map[string]string, error) {
	if tags == nil {
		tags = map[string]string{}
	}
	f(tags)
	if len(tags) == 0 {
		return nil, nil
	}
	return tags, checkTags(tags)
}

// GetTags lists the tags of an API or a stage.
func (s *Service) GetTags(ctx context.Context, in *api.GetTagsRequest) (*api.Tags, error) {
	apiID, stage, err := parseTagged(in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &api.Tags{Tags: map[string]string{}}
	err = s.store.View(ctx, func(r store.Reader) error {
		a, err := getAPI(ctx, r, apiID)
		if err != nil {
			return err
		}
		if stage == "" {
			maps.Copy(out.Tags, a.API.Tags)
			return nil
		}
		st, err := getStage(ctx, r, apiID, stage)
		if err != nil {
			return err
		}
		maps.Copy(out.Tags, st.Tags)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func parseTagged(arn *string) (apiID, stage string, err error) {
	m := taggedARN.FindStringSubmatch(awsapi.Val(arn))
	if m == nil {
		return "", "", badRequest("Invalid ARN specified in the request")
	}
	return m[2], m[3], nil
}
