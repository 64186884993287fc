package logs

import (
	"context"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/logs"
	"cirro/internal/store"
)

// CreateLogGroup makes a group.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
func (s *Service) CreateLogGroup(ctx context.Context, in *logs.CreateLogGroupRequest) (*logs.CreateLogGroupOutput, error) {
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	class := awsapi.Val(in.LogGroupClass)
	if class == "" {
		class = logs.LogGroupClassStandard
	}
	err := s.change(ctx, keyOf(ctx, in.LogGroupName), 0, func(c *change) error {
		if c.group != nil {
			return errGroupExists
		}
		c.createGroup(class)
		c.group.KMSKey = awsapi.Val(in.KmsKeyId)
		c.group.Tags = in.Tags
		return nil
	})
	return &logs.CreateLogGroupOutput{}, err
}

// DeleteLogGroup removes a group with all its streams, events and filters.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogGroup.html
func (s *Service) DeleteLogGroup(ctx context.Context, in *logs.DeleteLogGroupRequest) (*logs.DeleteLogGroupOutput, error) {
	err := s.change(ctx, keyOf(ctx, in.LogGroupName), 0, func(c *change) error {
		if c.group == nil {
			return errNoGroup
		}
		return c.delete()
	})
	return &logs.DeleteLogGroupOutput{}, err
}

// DescribeLogGroups lists groups by name. A pattern is any part of a name.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html
func (s *Service) DescribeLogGroups(ctx context.Context, in *logs.DescribeLogGroupsRequest) (*logs.DescribeLogGroupsResponse, error) {
	if in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil {
		return nil, invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	}
	r := awsapi.RequestOf(ctx)
	out := &logs.DescribeLogGroupsResponse{LogGroups: []logs.LogGroup{}}
	if len(in.AccountIdentifiers) > 0 && !slices.Contains(in.AccountIdentifiers, r.Account()) {
		return out, nil
	}
	keep := func(g *group) bool {
		return (in.LogGroupClass == nil || g.Class == *in.LogGroupClass) && strings.Contains(g.Name, awsapi.Val(in.LogGroupNamePattern))
	}
	err := s.store.View(ctx, func(reader store.Reader) error {
		over := keysBeginning(awsapi.Val(in.LogGroupNamePrefix), kindGroup, r.Account(), r.Region)
		groups, next, err := page(reader, kindGroup, over, in.NextToken, limit(in.Limit), keep)
		if err != nil {
			return err
		}
		out.NextToken = next
		for i := range groups {
			g := &groups[i]
			c, _, err := store.GetRecord[counter](reader, key(kindCounter, g.ID))
			if err != nil {
				return err
			}
			out.LogGroups = append(out.LogGroups, describeGroup(g, c.Bytes))
		}
		return nil
	})
	return out, err
}

func describeGroup(g *group, bytes int64) logs.LogGroup {
	arn := g.key().arn()
	d := logs.LogGroup{
		LogGroupName:      &g.Name,
		CreationTime:      &g.Created,
		MetricFilterCount: new(int32(0)),
		Arn:               new(arn + ":*"),
		LogGroupArn:       &arn,
		StoredBytes:       &bytes,
		LogGroupClass:     &g.Class,
	}
	if g.Retention > 0 {
		d.RetentionInDays = new(int32(g.Retention))
	}
	if g.KMSKey != "" {
		d.KmsKeyId = &g.KMSKey
	}
	return d
}

// limit is how many entries a listing gives.
func limit(given *int32) int {
	if given == nil {
		return 50
	}
	return int(*given)
}

// changeGroup changes the record of a group that must exist.
func (s *Service) changeGroup(ctx context.Context, k groupKey, f func(*group) error) error {
	return s.change(ctx, k, 0, func(c *change) error {
		if c.group == nil {
			return errNoGroup
		}
		if err := f(c.group); err != nil {
			return err
		}
		c.groupDirty = true
		return nil
	})
}

// AssociateKmsKey records the key with the group. Events are not encrypted with it.
func (s *Service) AssociateKmsKey(ctx context.Context, in *logs.AssociateKmsKeyRequest) (*logs.AssociateKmsKeyOutput, error) {
	k, err := identify(ctx, in.LogGroupName, in.ResourceIdentifier)
	if err != nil {
		return nil, err
	}
	err = s.changeGroup(ctx, k, func(g *group) error {
		g.KMSKey = *in.KmsKeyId
		return nil
	})
	return &logs.AssociateKmsKeyOutput{}, err
}

// DisassociateKmsKey forgets the group's key.
func (s *Service) DisassociateKmsKey(ctx context.Context, in *logs.DisassociateKmsKeyRequest) (*logs.DisassociateKmsKeyOutput, error) {
	k, err := identify(ctx, in.LogGroupName, in.ResourceIdentifier)
	if err != nil {
		return nil, err
	}
	err = s.changeGroup(ctx, k, func(g *group) error {
		g.KMSKey = ""
		return nil
	})
	return &logs.DisassociateKmsKeyOutput{}, err
}
