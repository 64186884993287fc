package scheduler

import (
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/scheduler"
	"cirro/internal/schedule"
	"cirro/internal/store"
)

// lateness is how late an alarm may ring and still be followed by the very next time. One that rings later
// than that did so because nobody was up: what else came due meanwhile is passed over.
const lateness = time.Minute

// next finds a schedule's next time behind the one before, which is zero for a schedule that was just made or
// changed, makes it the pending one, and says when its alarm rings: somewhere in the flexible window. The zero
// time says that there is none.
func (s *Service) next(c *record, before, now time.Time) (ringing time.Time, err error) {
	c.Pending = time.Time{}
	if c.State != api.ScheduleStateEnabled {
		return time.Time{}, nil
	}
	parsed, err := schedule.Parse(c.Expression, c.Zone)
	if err != nil {
		return time.Time{}, err
	}
	due := c.due(parsed, before, now)
	if due.IsZero() {
		return time.Time{}, nil
	}
	c.Pending = due
	if *c.Window.Mode == api.FlexibleTimeWindowModeFlexible {
		return due.Add(s.draw(time.Duration(awsapi.Val(c.Window.MaximumWindowInMinutes)) * time.Minute)), nil
	}
	return due, nil
}

// due is a schedule's next time. What is to come once comes though it is a little late. A rate counts from the start date, or from when the schedule was made or
// changed; both its first time and the start date itself count.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
func (c *record) due(parsed *schedule.Schedule, before, now time.Time) time.Time {
	if c.once() {
		at := parsed.NextByClock(time.Time{}, time.Time{})
		if at.Equal(c.Last) || at.Before(now.Add(-lateness)) {
			return time.Time{}
		}
		return at
	}
	start, after := c.Counting, before
	if c.From != nil {
		start = *c.From
	}
	if before.IsZero() {
		after = now
		if start.After(now) || start.Equal(c.Counting) {
			after = start
		}
		after = after.Add(-time.Nanosecond)
	}
	due := parsed.NextByClock(start, after)
	if due.IsZero() || c.Until != nil && due.After(*c.Until) {
		return time.Time{}
	}
	return due
}

// ring invokes a schedule whose time has come, and sets its next one.
func (s *Service) ring(tx store.Tx, id string, rang time.Time) (next time.Time, err error) {
	of, ok := parseID(id)
	if !ok {
		return time.Time{}, nil
	}
	c, found, err := store.GetRecord[record](tx, of.key())
	if err != nil || !found || c.Pending.IsZero() {
		return time.Time{}, err
	}
	if err := c.enqueue(tx); err != nil {
		return time.Time{}, err
	}
	now, before := s.Clock(), c.Pending
	c.Last = c.Pending
	if now.Sub(rang) > lateness {
		before = now
	}
	if next, err = s.next(&c, before, now); err != nil {
		return time.Time{}, err
	}
	if next.IsZero() && c.After == api.ActionAfterCompletionDelete {
		return time.Time{}, tx.Delete(of.key())
	}
	return next, store.SetRecord(tx, of.key(), c)
}
