package scheduler

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/scheduler"
	"cirro/internal/courier"
	"cirro/internal/store"
)

// group is the record of a schedule group. The default one has none as long as it has no tags.
type group struct {
	Name     string
	State    string
	Token    *string   `json:",omitempty"` // of the request that made it
	Tags     []api.Tag `json:",omitempty"`
	Created  time.Time
	Modified time.Time
}

func (p place) groupKey(name string) []byte {
	return store.Key("scheduler", "group", p.Account, p.Region, name)
}

func getGroup(r store.Reader, at place, name string) (group, error) {
	g, found, err := store.GetRecord[group](r, at.groupKey(name))
	if err == nil && !found {
		if name == defaultGroup {
			return group{Name: name, State: api.ScheduleGroupStateActive}, nil
		}
		err = api.ResourceNotFoundException.New("Schedule group %s does not exist.", name)
	}
	return g, err
}

// maxTags is how many tags a group has at most.
const maxTags = 50

func mergeTags(to *[]api.Tag, tags []api.Tag) error {
	for _, t := range tags {
		same := func(o api.Tag) bool { return *o.Key == *t.Key }
		if i := slices.IndexFunc(*to, same); i >= 0 {
			(*to)[i] = t
		} else {
			*to = append(*to, t)
		}
	}
	if len(*to) > maxTags {
		return api.ServiceQuotaExceededException.New("A schedule group may not have more than %d tags.", maxTags)
	}
	return nil
}

// errDefaultGroup is the answer to what cannot be done to the default group.
var errDefaultGroup = invalid("This operation cannot be performed on schedule group default.")

// CreateScheduleGroup makes a schedule group.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateScheduleGroup.html
func (s *Service) CreateScheduleGroup(ctx context.Context, in *api.CreateScheduleGroupInput) (*api.CreateScheduleGroupOutput, error) {
	at, now := placeOf(ctx), s.Clock()
	if *in.Name == defaultGroup {
		return nil, errDefaultGroup
	}
	g := group{Name: *in.Name, State: api.ScheduleGroupStateActive, Token: in.ClientToken, Created: now, Modified: now}
	if err := mergeTags(&g.Tags, in.Tags); err != nil {
		return nil, err
	}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		before, found, err := store.GetRecord[group](tx, at.groupKey(g.Name))
		if err != nil {
			return err
		}
		if found {
			if before.Token != nil && in.ClientToken != nil && *before.Token == *in.ClientToken {
				return nil
			}
			return api.ConflictException.New("Schedule group %s already exists.", g.Name)
		}
		return store.SetRecord(tx, at.groupKey(g.Name), g)
	})
	return &api.CreateScheduleGroupOutput{ScheduleGroupArn: new(at.arn("schedule-group/" + g.Name))}, err
}

// GetScheduleGroup describes a schedule group.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_GetScheduleGroup.html
func (s *Service) GetScheduleGroup(ctx context.Context, in *api.GetScheduleGroupInput) (*api.GetScheduleGroupOutput, error) {
	at := placeOf(ctx)
	var g group
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		g, err = getGroup(r, at, *in.Name)
		return err
	})
	return &api.GetScheduleGroupOutput{Arn: new(at.arn("schedule-group/" + g.Name)), Name: &g.Name, State: &g.State, CreationDate: &g.Created,
		LastModificationDate: &g.Modified}, err
}

// ListScheduleGroups lists schedule groups, the default one among them.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_ListScheduleGroups.html
func (s *Service) ListScheduleGroups(ctx context.Context, in *api.ListScheduleGroupsInput) (*api.ListScheduleGroupsOutput, error) {
	at := placeOf(ctx)
	out := &api.ListScheduleGroupsOutput{ScheduleGroups: []api.ScheduleGroupSummary{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		_, kept, err := store.GetRecord[group](r, at.groupKey(defaultGroup))
		if err != nil {
			return err
		}
		groups, next, err := page(r, store.Prefix("scheduler", "group", at.Account, at.Region), in.NextToken, in.MaxResults,
			func(g *group) bool { return strings.HasPrefix(g.Name, awsapi.Val(in.NamePrefix)) })
		if err != nil {
			return err
		}
		out.NextToken = next
		if !kept && next == nil && strings.HasPrefix(defaultGroup, awsapi.Val(in.NamePrefix)) {
			groups = append(groups, group{Name: defaultGroup, State: api.ScheduleGroupStateActive})
		}
		for _, g := range groups {
			out.ScheduleGroups = append(out.ScheduleGroups, api.ScheduleGroupSummary{Arn: new(at.arn("schedule-group/" + g.Name)), Name: &g.Name, State: &g.State,
				CreationDate: &g.Created, LastModificationDate: &g.Modified})
		}
		return nil
	})
	return out, err
}

// DeleteScheduleGroup deletes a schedule group, and its schedules in the background.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_DeleteScheduleGroup.html
func (s *Service) DeleteScheduleGroup(ctx context.Context, in *api.DeleteScheduleGroupInput) (*api.DeleteScheduleGroupOutput, error) {
	at := placeOf(ctx)
	if *in.Name == defaultGroup {
		return nil, errDefaultGroup
	}
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		g, err := getGroup(tx, at, *in.Name)
		if err != nil {
			return err
		}
		g.State = api.ScheduleGroupStateDeleting
		if err := store.SetRecord(tx, at.groupKey(g.Name), g); err != nil {
			return err
		}
		body, err := json.Marshal(ref{place: at, Group: g.Name})
		if err != nil {
			return err
		}
		_, err = tx.Enqueue(groupQueue, store.NewMessage{Body: body})
		return err
	})
}

// deleteBatch is how many schedules of a group are deleted in one transaction.
const deleteBatch = 100

// deleteGroup deletes the schedules of a group, and then the group.
func (s *Service) deleteGroup(ctx context.Context, m store.Message) courier.Verdict {
	var of ref
	if err := json.Unmarshal(m.Body, &of); err != nil {
		s.Log.Error("scheduler: a group cannot be read and is left", "error", err)
		return courier.Verdict{}
	}
	for more := true; more; {
		if ctx.Err() != nil {
			return courier.Again(0)
		}
		err := s.Store.Update(ctx, func(tx store.Tx) (err error) {
			more, err = s.deleteSome(tx, of)
			return err
		})
		if err != nil {
			s.Log.Error("scheduler: delete a group", "group", of.Group, "error", err)
			return courier.Again(time.Second)
		}
	}
	return courier.Verdict{}
}

func (s *Service) deleteSome(tx store.Tx, of ref) (more bool, err error) {
	over := of.schedules(of.Group)
	over.Limit = deleteBatch
	n := 0
	for c, err := range store.Records[record](tx, over) {
		if err != nil {
			return false, err
		}
		n++
		if err := s.remove(tx, c.Ref); err != nil {
			return false, err
		}
	}
	if n == deleteBatch {
		return true, nil
	}
	return false, tx.Delete(of.groupKey(of.Group))
}

// groupOf takes a group's name from its ARN.
func groupOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func (s *Service) changeTags(ctx context.Context, arn string, change func(*[]api.Tag) error) error {
	at, name := placeOf(ctx), groupOf(arn)
	return s.Store.Update(ctx, func(tx store.Tx) error {
		g, err := getGroup(tx, at, name)
		if err != nil {
			return err
		}
		if err := change(&g.Tags); err != nil {
			return err
		}
		return store.SetRecord(tx, at.groupKey(name), g)
	})
}

// TagResource gives tags to a schedule group.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_TagResource.html
func (s *Service) TagResource(ctx context.Context, in *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return nil, s.changeTags(ctx, *in.ResourceArn, func(tags *[]api.Tag) error { return mergeTags(tags, in.Tags) })
}

// UntagResource takes tags from a schedule group.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UntagResource.html
func (s *Service) UntagResource(ctx context.Context, in *api.UntagResourceInput) (*api.UntagResourceOutput, error) {
	return nil, s.changeTags(ctx, *in.ResourceArn, func(tags *[]api.Tag) error {
		*tags = slices.DeleteFunc(*tags, func(t api.Tag) bool { return slices.Contains(in.TagKeys, *t.Key) })
		return nil
	})
}

// ListTagsForResource lists the tags of a schedule group.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_ListTagsForResource.html
func (s *Service) ListTagsForResource(ctx context.Context, in *api.ListTagsForResourceInput) (*api.ListTagsForResourceOutput, error) {
	at := placeOf(ctx)
	out := &api.ListTagsForResourceOutput{Tags: []api.Tag{}}
	return out, s.Store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, at, groupOf(*in.ResourceArn))
		out.Tags = append(out.Tags, g.Tags...)
		return err
	})
}
