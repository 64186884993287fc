package lambda

import (
	"context"
	"maps"
	"regexp"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

// maxTags is how many tags a resource has at most.
const maxTags = 50

const taggablePattern = `arn:(aws[a-zA-Z-]*):lambda:[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:` +
	`(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|` +
	`event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})`

var mappingARN = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:lambda:[a-z]{2}(?:-[a-z]+)+-\d:\d{12}:event-source-mapping:([0-9a-f-]{36})$`)

var functionARN = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:lambda:[a-z]{2}(?:-[a-z]+)+-\d:\d{12}:function:[a-zA-Z0-9_-]+(:(?:\$LATEST|[a-zA-Z0-9_-]+))?$`)

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalid("Number of tags exceeds resource tag limit.")
	}
	for key, value := range tags {
		if len(key) == 0 || len([]rune(key)) > 128 || len([]rune(value)) > 256 {
			return invalid("The tag key must have 1 to 128 and the tag value at most 256 characters.")
		}
		if len(key) >= 4 && key[:4] == "aws:" {
			return invalid("Tag keys that begin with aws: are reserved.")
		}
	}
	return nil
}

// taggable reads the ARN of a function, which can have tags.
func taggable(ctx context.Context, arn string) (reference, error) {
	m := functionARN.FindStringSubmatch(arn)
	if m == nil {
		return reference{}, awsapi.ValidationException.New("1 validation error detected: Value '%s' at 'resource' failed to "+
			"satisfy constraint: Member must satisfy regular expression pattern: %s", arn, taggablePattern)
	}
	if m[1] != "" {
		return reference{}, invalid("Tags on function aliases and versions are not supported. Please specify a function ARN.")
	}
	return own(ctx, arn, "")
}

// TagResource adds tags to a function. https://docs.aws.amazon.com/lambda/latest/api/API_TagResource.html
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceRequest) (*api.TagResourceOutput, error) {
	if len(in.Tags) == 0 {
		return nil, invalid("An error occurred and the request cannot be processed.")
	}
	err := s.changeTags(ctx, *in.Resource, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
	if err != nil {
		return nil, err
	}
	return &api.TagResourceOutput{}, nil
}

// UntagResource removes tags from a function.
// https://docs.aws.amazon.com/lambda/latest/api/API_UntagResource.html
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceRequest) (*api.UntagResourceOutput, error) {
	err := s.changeTags(ctx, *in.Resource, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
	if err != nil {
		return nil, err
	}
	return &api.UntagResourceOutput{}, nil
}

func (s *Service) changeTags(ctx context.Context, arn string, f func(map[string]string)) error {
	if m := mappingARN.FindStringSubmatch(arn); m != nil {
		return s.changeMappingTags(ctx, m[1], f)
	}
	ref, err := taggable(ctx, arn)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		owner, err := functionOf(tx, ref)
		if err != nil {
			return err
		}
		if owner.Tags == nil {
			owner.Tags = map[string]string{}
		}
		f(owner.Tags)
		if err := checkTags(owner.Tags); err != nil {
			return err
		}
		return store.SetRecord(tx, functionKey(ref.scope, ref.Name), *owner)
	})
}

// ListTags returns the tags of a function or a mapping.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListTags.html
func (s *Service) ListTags(ctx context.Context, in *api.ListTagsRequest) (out *api.ListTagsResponse, err error) {
	if m := mappingARN.FindStringSubmatch(*in.Resource); m != nil {
		return s.listMappingTags(ctx, m[1])
	}
	ref, err := taggable(ctx, *in.Resource)
	if err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		owner, err := functionOf(r, ref)
		if err != nil {
			return err
		}
		out = &api.ListTagsResponse{Tags: owner.Tags}
		if out.Tags == nil {
			out.Tags = map[string]string{}
		}
		return nil
	})
	return out, err
}
