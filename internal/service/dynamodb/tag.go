package dynamodb

import (
	"context"
	"maps"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// Limits of tags.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TaggingRestrictions.html
const (
	maxTags     = 50
	maxTagKey   = 128
	maxTagValue = 256
	tagPage     = 10 // tags that ListTagsOfResource answers at once
)

// TagResource adds tags to a table.
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	if len(in.Tags) == 0 {
		return nil, invalid("Atleast one Tag needs to be provided as Input.")
	}
	return &api.TagResourceOutput{}, s.changeResource(ctx, *in.ResourceArn, func(r *table.Record) (err error) {
		r.Tags, err = mergeTags(r.Tags, in.Tags)
		return err
	})
}

// UntagResource removes tags from a table.
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	if len(in.TagKeys) == 0 {
		return nil, invalid("Atleast one Tag Key needs to be provided as Input.")
	}
	return &api.UntagResourceOutput{}, s.changeResource(ctx, *in.ResourceArn, func(r *table.Record) error {
		for _, key := range in.TagKeys {
			delete(r.Tags, key)
		}
		return nil
	})
}

// ListTagsOfResource lists a table's tags.
func (s *Service) ListTagsOfResource(ctx context.Context, in *api.ListTagsOfResourceInput) (*api.ListTagsOfResourceOutput, error) {
	r, err := s.resource(ctx, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	out := &api.ListTagsOfResourceOutput{Tags: []api.Tag{}}
	for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
		if in.NextToken != nil && key <= *in.NextToken {
			continue
		}
		if len(out.Tags) == tagPage {
			out.NextToken = out.Tags[tagPage-1].Key
			break
		}
		out.Tags = append(out.Tags, api.Tag{Key: new(key), Value: new(r.Tags[key])})
	}
	return out, nil
}

// mergeTags returns tags with others added.
func mergeTags(is map[string]string, more []api.Tag) (map[string]string, error) {
	if len(more) == 0 {
		return is, nil
	}
	all := maps.Clone(is)
	if all == nil {
		all = map[string]string{}
	}
	seen := map[string]bool{}
	for _, t := range more {
		key, value := *t.Key, *t.Value
		switch {
		case key == "" || len(key) > maxTagKey:
			return nil, invalid("The Tag Key provided is invalid, Key: %s", key)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, invalid("Tag Key cannot be prefixed with aws:, Key: %s", key)
		case len(value) > maxTagValue:
			return nil, invalid("The Tag Value provided is invalid, Value: %s", value)
		case seen[key]:
			return nil, invalid("Duplicate Tag Keys provided as input: Duplicate Tag Key found %s", key)
		}
		seen[key], all[key] = true, value
	}
	if len(all) > maxTags {
		return nil, invalid("Number of Tags exceed the current limit for the provided ResourceArn")
	}
	return all, nil
}

// resourceRef is the table that an ARN names.
func resourceRef(ctx context.Context, arn string) (table.Ref, error) {
	parts := strings.SplitN(arn, ":", 6)
	switch {
	case parts[0] != "arn":
		return table.Ref{}, wrong("ARNs must start with 'arn:': %s", arn)
	case len(parts) != 6 || parts[2] != "dynamodb":
		return table.Ref{}, wrong("Provided Arn is not a DynamoDB resource arn: %s", arn)
	case !strings.HasPrefix(parts[5], "table/") || strings.Contains(strings.TrimPrefix(parts[5], "table/"), "/"):
		return table.Ref{}, wrong("Invalid resource arn provided, only table or stream is accepted. Provided resource arn: %s", arn)
	}
	ref := table.Ref{Account: parts[4], Region: parts[3], Name: strings.TrimPrefix(parts[5], "table/")}
	switch r := awsapi.RequestOf(ctx); {
	case ref.Account != r.Account():
		return ref, errForeign(r, arn)
	case ref.Region != r.Region:
		return ref, noResource(arn)
	}
	return ref, nil
}

func noResource(arn string) error {
	return api.ResourceNotFoundException.New("Requested resource not found: ResourcArn: %s not found", arn) // AWS's spelling
}

// resource is the record of the table that an ARN names.
func (s *Service) resource(ctx context.Context, arn string) (*table.Record, error) {
	ref, err := resourceRef(ctx, arn)
	if err != nil {
		return nil, err
	}
	r, err := s.recordOf(ctx, ref)
	if err == nil && r == nil {
		err = noResource(arn)
	}
	return r, err
}

// changeResource changes the record of the table that an ARN names.
func (s *Service) changeResource(ctx context.Context, arn string, f func(*table.Record) error) error {
	ref, err := resourceRef(ctx, arn)
	if err != nil {
		return err
	}
	return s.catalog.Change(ctx, ref, func(_ store.Tx, r *table.Record) (*table.Record, error) {
		if r == nil {
			return nil, noResource(arn)
		}
		return r, f(r)
	})
}
