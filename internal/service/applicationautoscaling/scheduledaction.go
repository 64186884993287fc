package applicationautoscaling

import (
	"context"
	"slices"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/applicationautoscaling"
	"cirro/internal/schedule"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// PutScheduledAction makes or changes a scheduled action. Where no start or end is given, an old one is
// deleted; whatever else is not given stays.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html
func (s *Service) PutScheduledAction(ctx context.Context, in *api.PutScheduledActionRequest) (*api.PutScheduledActionResponse, error) {
	r, err := resourceOf(ctx, in.ServiceNamespace, in.ResourceId, in.ScalableDimension)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := registered(tx, r); err != nil {
			return err
		}
		a := action{resource: r, Name: *in.ScheduledActionName, Created: s.Clock()}
		before, found, err := store.GetRecord[action](tx, a.key())
		if err != nil {
			return err
		}
		if found {
			a = before
		} else {
			a.ARN = a.arn("scheduledAction", uuid.NewString(), "scheduledActionName", a.Name)
		}
		if err := a.change(in, s.Clock()); err != nil {
			return err
		}
		return store.SetRecord(tx, a.key(), a)
	})
	if err != nil {
		return nil, err
	}
	s.soon()
	return &api.PutScheduledActionResponse{}, nil
}

// change takes over what a request gives.
func (a *action) change(in *api.PutScheduledActionRequest, now time.Time) error {
	set(&a.Schedule, in.Schedule)
	set(&a.Zone, in.Timezone)
	a.Start, a.End = awsapi.Val(in.StartTime), awsapi.Val(in.EndTime)
	if in.ScalableTargetAction != nil {
		a.Min, a.Max = in.ScalableTargetAction.MinCapacity, in.ScalableTargetAction.MaxCapacity
	}
	switch {
	case a.Schedule == "":
		return invalid("Schedule must be specified when creating a new scheduled action")
	case a.Min == nil && a.Max == nil:
		return invalid("ScalableTargetAction with a minimum capacity, a maximum capacity or both must be specified")
	case awsapi.Val(a.Min) < 0 || awsapi.Val(a.Max) < 0:
		return invalid("Minimum and maximum capacity must be greater than or equal to 0")
	case a.Min != nil && a.Max != nil && *a.Max < *a.Min:
		return invalid("Maximum capacity cannot be less than minimum capacity")
	case !a.Start.IsZero() && !a.End.IsZero() && !a.Start.Before(a.End):
		return invalid("StartTime must be before EndTime")
	}
	if _, err := schedule.Parse(a.Schedule, a.Zone); err != nil {
		return invalid("Invalid schedule: %s", err)
	}
	a.Next = a.next(now)
	return nil
}

// next is when the action is due after now, zero for never.
func (a *action) next(now time.Time) time.Time {
	plan, err := schedule.Parse(a.Schedule, a.Zone)
	if err != nil {
		return time.Time{} // it was parsed when it was put
	}
	start := a.Start
	if start.IsZero() {
		start = a.Created
	}
	after := now
	if after.Before(a.Start) {
		after = a.Start.Add(-1)
	}
	next := plan.Next(start, after)
	if !a.End.IsZero() && next.After(a.End) {
		return time.Time{}
	}
	return next
}

// DescribeScheduledActions lists the scheduled actions of a service, or of one resource.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScheduledActions.html
func (s *Service) DescribeScheduledActions(ctx context.Context, in *api.DescribeScheduledActionsRequest) (
	out *api.DescribeScheduledActionsResponse, err error,
) {
	if err := needsID(in.ResourceId, in.ScalableDimension); err != nil {
		return nil, err
	}
	out = &api.DescribeScheduledActionsResponse{ScheduledActions: []api.ScheduledAction{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		actions, next, err := page(r, "action", ofService(ctx, "action", *in.ServiceNamespace), in.NextToken, in.MaxResults, defaultPage,
			func(a *action) bool {
				return a.matches(in.ResourceId, in.ScalableDimension) &&
					(len(in.ScheduledActionNames) == 0 || slices.Contains(in.ScheduledActionNames, a.Name))
			})
		for i := range actions {
			out.ScheduledActions = append(out.ScheduledActions, actions[i].shown())
		}
		out.NextToken = next
		return err
	})
	return out, err
}

func (a *action) shown() api.ScheduledAction {
	return api.ScheduledAction{
		ScheduledActionName: &a.Name, ScheduledActionARN: &a.ARN, ServiceNamespace: &a.Namespace, ResourceId: &a.ID,
		ScalableDimension: &a.Dimension, Schedule: &a.Schedule, Timezone: optional(a.Zone), CreationTime: &a.Created,
		StartTime: optional(a.Start), EndTime: optional(a.End),
		ScalableTargetAction: &api.ScalableTargetAction{MinCapacity: a.Min, MaxCapacity: a.Max},
	}
}

// optional is a pointer to v, nil where v is zero.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// DeleteScheduledAction deletes a scheduled action.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeleteScheduledAction.html
func (s *Service) DeleteScheduledAction(ctx context.Context, in *api.DeleteScheduledActionRequest) (*api.DeleteScheduledActionResponse, error) {
	r, err := resourceOf(ctx, in.ServiceNamespace, in.ResourceId, in.ScalableDimension)
	if err != nil {
		return nil, err
	}
	a := action{resource: r, Name: *in.ScheduledActionName}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, found, err := store.GetRecord[action](tx, a.key()); err != nil || !found {
			return orNotFound(err, "No scheduled action found for %s, scheduled action name: %s", &r, a.Name)
		}
		return tx.Delete(a.key())
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteScheduledActionResponse{}, nil
}
