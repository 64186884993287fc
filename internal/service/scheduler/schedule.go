package scheduler

import (
	"context"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/scheduler"
	"cirro/internal/schedule"
	"cirro/internal/store"
)

// record is the record of a schedule.
type record struct {
	Ref         ref
	Token       *string `json:",omitempty"` // of the request that made it
	Description *string `json:",omitempty"`
	Expression  string
	Zone        string
	From        *time.Time `json:",omitempty"`
	Until       *time.Time `json:",omitempty"`
	Window      *api.FlexibleTimeWindow
	State       string
	After       string  // what becomes of it when it is completed
	KmsKey      *string `json:",omitempty"`
	Target      *api.Target
	Created     time.Time
	Modified    time.Time
	Counting    time.Time // since when a rate counts that has no start date
	Pending     time.Time `json:",omitzero"` // the time that its alarm stands for
	Last        time.Time `json:",omitzero"` // the last time that came
}

func (c *record) once() bool { return strings.HasPrefix(c.Expression, "at(") }

// getSchedule reads the record of a schedule that is there.
func getSchedule(r store.Reader, of ref) (record, error) {
	c, found, err := store.GetRecord[record](r, of.key())
	if err == nil && !found {
		err = api.ResourceNotFoundException.New("Schedule %s does not exist.", of.Name)
	}
	return c, err
}

// oldestStart is how long ago a schedule may begin.
const oldestStart = 5 * time.Minute

// describe takes what a request says of a schedule, and refuses what cannot be.
func (s *Service) describe(c *record, in *api.CreateScheduleInput) error {
	before := *c
	c.Description, c.Expression, c.Zone, c.From, c.Until = in.Description, *in.ScheduleExpression, "UTC", in.StartDate, in.EndDate
	c.Window, c.State, c.After, c.KmsKey, c.Target = in.FlexibleTimeWindow, api.ScheduleStateEnabled, api.ActionAfterCompletionNone, in.KmsKeyArn, in.Target
	if in.ScheduleExpressionTimezone != nil {
		c.Zone = *in.ScheduleExpressionTimezone
	}
	if in.State != nil {
		c.State = *in.State
	}
	if in.ActionAfterCompletion != nil {
		c.After = *in.ActionAfterCompletion
	}
	c.Modified = s.Clock()
	if c.Expression != before.Expression || c.Zone != before.Zone || c.State != before.State || !sameTime(c.From, before.From) {
		c.Counting = c.Modified
	}
	if _, err := schedule.Parse(c.Expression, c.Zone); err != nil {
		if _, err := time.LoadLocation(c.Zone); err != nil {
			return invalid("Invalid ScheduleExpressionTimezone %s.", c.Zone)
		}
		return invalid("Invalid Schedule Expression %s.", c.Expression)
	}
	switch flexible := *c.Window.Mode == api.FlexibleTimeWindowModeFlexible; {
	case flexible && c.Window.MaximumWindowInMinutes == nil:
		return invalid("MaximumWindowInMinutes must be provided when FlexibleTimeWindowMode is set to FLEXIBLE")
	case !flexible && c.Window.MaximumWindowInMinutes != nil:
		return invalid("MaximumWindowInMinutes must not be provided when FlexibleTimeWindowMode is set to OFF")
	case c.From != nil && c.Until != nil && !c.From.Before(*c.Until):
		return invalid("The StartDate you specify must come before the EndDate.")
	case c.From != nil && c.From.Before(c.Modified.Add(-oldestStart)):
		return invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
	case c.Until != nil && c.Until.Before(c.Modified) && !c.once():
		return invalid("The EndDate you specify cannot be in the past.")
	}
	return c.checkTarget()
}

func sameTime(a, b *time.Time) bool { return a == b || a != nil && b != nil && a.Equal(*b) }

// CreateSchedule makes a schedule.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
func (s *Service) CreateSchedule(ctx context.Context, in *api.CreateScheduleInput) (*api.CreateScheduleOutput, error) {
	c := record{Ref: refOf(ctx, in.GroupName, in.Name), Token: in.ClientToken}
	if err := s.describe(&c, in); err != nil {
		return nil, err
	}
	c.Created = c.Modified
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		g, err := getGroup(tx, c.Ref.place, c.Ref.Group)
		if err != nil {
			return err
		}
		if g.State == api.ScheduleGroupStateDeleting {
			return api.ConflictException.New("Schedule group %s is being deleted.", g.Name)
		}
		before, found, err := store.GetRecord[record](tx, c.Ref.key())
		if err != nil {
			return err
		}
		if found {
			if before.Token != nil && c.Token != nil && *before.Token == *c.Token {
				return nil
			}
			return api.ConflictException.New("Schedule %s already exists.", c.Ref.Name)
		}
		return s.put(tx, &c)
	})
	s.alarms.Poke()
	return &api.CreateScheduleOutput{ScheduleArn: new(c.Ref.arn())}, err
}

// UpdateSchedule gives a schedule a new description in all that it is: what the request leaves out has its
// default.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_UpdateSchedule.html
func (s *Service) UpdateSchedule(ctx context.Context, in *api.UpdateScheduleInput) (*api.UpdateScheduleOutput, error) {
	of := refOf(ctx, in.GroupName, in.Name)
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		c, err := getSchedule(tx, of)
		if err != nil {
			return err
		}
		if err := s.describe(&c, (*api.CreateScheduleInput)(in)); err != nil {
			return err
		}
		return s.put(tx, &c)
	})
	s.alarms.Poke()
	return &api.UpdateScheduleOutput{ScheduleArn: new(of.arn())}, err
}

// put writes a schedule that was made or changed, and sets its alarm.
func (s *Service) put(tx store.Tx, c *record) error {
	before := time.Time{}
	if !c.Counting.Equal(c.Modified) {
		before = c.Modified // it goes on as it did
	}
	ringing, err := s.next(c, before, c.Modified)
	if err != nil {
		return err
	}
	if err := s.alarms.Set(tx, c.Ref.id(), ringing); err != nil {
		return err
	}
	return store.SetRecord(tx, c.Ref.key(), c)
}

// remove deletes a schedule and its alarm.
func (s *Service) remove(tx store.Tx, of ref) error {
	if err := s.alarms.Set(tx, of.id(), time.Time{}); err != nil {
		return err
	}
	return tx.Delete(of.key())
}

// DeleteSchedule deletes a schedule.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_DeleteSchedule.html
func (s *Service) DeleteSchedule(ctx context.Context, in *api.DeleteScheduleInput) (*api.DeleteScheduleOutput, error) {
	of := refOf(ctx, in.GroupName, in.Name)
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := getSchedule(tx, of); err != nil {
			return err
		}
		return s.remove(tx, of)
	})
}

// GetSchedule describes a schedule.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_GetSchedule.html
func (s *Service) GetSchedule(ctx context.Context, in *api.GetScheduleInput) (*api.GetScheduleOutput, error) {
	of := refOf(ctx, in.GroupName, in.Name)
	var c record
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		c, err = getSchedule(r, of)
		return err
	})
	return &api.GetScheduleOutput{Arn: new(of.arn()), Name: &of.Name, GroupName: &of.Group, Description: c.Description, ScheduleExpression: &c.Expression,
		ScheduleExpressionTimezone: &c.Zone, StartDate: c.From, EndDate: c.Until, FlexibleTimeWindow: c.Window, State: &c.State, ActionAfterCompletion: &c.After,
		KmsKeyArn: c.KmsKey, Target: c.Target, CreationDate: &c.Created, LastModificationDate: &c.Modified}, err
}

// ListSchedules lists schedules, of one group or of all.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_ListSchedules.html
func (s *Service) ListSchedules(ctx context.Context, in *api.ListSchedulesInput) (*api.ListSchedulesOutput, error) {
	at := placeOf(ctx)
	out := &api.ListSchedulesOutput{Schedules: []api.ScheduleSummary{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		if in.GroupName != nil {
			if _, err := getGroup(r, at, *in.GroupName); err != nil {
				return err
			}
		}
		schedules, next, err := page(r, at.schedules(awsapi.Val(in.GroupName)), in.NextToken, in.MaxResults, func(c *record) bool {
			return strings.HasPrefix(c.Ref.Name, awsapi.Val(in.NamePrefix)) && (in.State == nil || *in.State == c.State)
		})
		out.NextToken = next
		for _, c := range schedules {
			out.Schedules = append(out.Schedules, api.ScheduleSummary{Arn: new(c.Ref.arn()), Name: &c.Ref.Name, GroupName: &c.Ref.Group, State: &c.State,
				Target: &api.TargetSummary{Arn: c.Target.Arn}, CreationDate: &c.Created, LastModificationDate: &c.Modified})
		}
		return err
	})
	return out, err
}
