package applicationautoscaling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/applicationautoscaling"
	lambdaapi "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

// followEvery is how often an activity under way is looked at, and tryAgain how long what failed waits.
const (
	followEvery = time.Second
	tryAgain    = 10 * time.Second
)

// turn does all that is due, and returns when there is something to do again: the zero time for never,
// unless something changes.
func (s *Service) turn(ctx context.Context) (next time.Time) {
	earlier := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, part := range []func(context.Context) (time.Time, error){s.runActions, s.fit, s.follow, s.track} {
		again, err := part(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("applicationautoscaling", "error", err)
			again = s.Clock().Add(tryAgain)
		}
		earlier(again)
	}
	return next
}

// all reads the records of one kind in all accounts.
func all[T any](ctx context.Context, s *Service, kind string) (records []T, err error) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		records = nil
		for record, err := range store.Records[T](r, store.Prefix("autoscaling", kind)) {
			if err != nil {
				return err
			}
			records = append(records, record)
		}
		return nil
	})
	return records, err
}

// runActions runs the scheduled actions that are due. One that was due several times meanwhile runs once.
func (s *Service) runActions(ctx context.Context) (next time.Time, err error) {
	actions, err := all[action](ctx, s, "action")
	if err != nil {
		return next, err
	}
	now := s.Clock()
	var errs error
	for _, a := range actions {
		if !a.Next.IsZero() && !a.Next.After(now) {
			a.Next, err = s.runAction(ctx, a, now)
			errs = errors.Join(errs, err)
		}
		if !a.Next.IsZero() && (next.IsZero() || a.Next.Before(next)) {
			next = a.Next
		}
	}
	return next, errs
}

// runAction sets what an action says, unless that changed meanwhile, and returns when it is due again.
func (s *Service) runAction(ctx context.Context, due action, now time.Time) (next time.Time, err error) {
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		a, found, err := store.GetRecord[action](tx, due.key())
		if err != nil || !found || !a.Next.Equal(due.Next) {
			next = a.Next
			return err
		}
		t, found, err := targetOf(tx, a.resource)
		if err != nil || !found {
			return err
		}
		a.Next = a.next(now)
		next = a.Next
		if !t.Scheduled {
			if err := a.apply(tx, &t, now); err != nil {
				return err
			}
		}
		return store.SetRecord(tx, a.key(), a)
	})
	return next, err
}

// apply sets a target's bounds, and records it.
func (a *action) apply(tx store.Tx, t *target, now time.Time) error {
	what := "min capacity to " + number(a.Min) + " and max capacity to " + number(a.Max)
	if a.Max == nil {
		what = "min capacity to " + number(a.Min)
	} else if a.Min == nil {
		what = "max capacity to " + number(a.Max)
	}
	done := newActivity(a.resource, "scheduled action name "+a.Name+" was triggered", now, "Setting %s", what)
	changed := *t
	if err := changed.bound(a.Min, a.Max); err != nil {
		done.end(api.ScalingActivityStatusCodeFailed, now, "Failed to set %s. Reason: %s", what, messageOf(err))
		return done.record(tx)
	}
	done.end(api.ScalingActivityStatusCodeSuccessful, now, "Successfully set %s", what)
	if err := done.record(tx); err != nil {
		return err
	}
	return store.SetRecord(tx, t.key(), changed)
}

func number(n *int32) string { return fmt.Sprint(awsapi.Val(n)) }

// messageOf is what an error says to whom it is shown.
func messageOf(err error) string {
	var e *awsapi.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "An internal error occurred."
}

// fit brings the capacity of targets whose bounds changed between them.
func (s *Service) fit(ctx context.Context) (next time.Time, err error) {
	targets, err := all[target](ctx, s, "target")
	if err != nil {
		return next, err
	}
	for _, t := range targets {
		if t.Unfit != "" {
			err = errors.Join(err, s.fitTarget(ctx, &t))
		}
	}
	return next, err
}

func (s *Service) fitTarget(ctx context.Context, t *target) error {
	have, err := s.capacityOf(ctx, &t.resource)
	switch {
	case err != nil:
		return err
	case have.gone || have.wanted >= t.Min && have.wanted <= t.Max:
		return s.settle(ctx, t, nil)
	case have.wanted < t.Min:
		return s.scale(ctx, t, t.Min, fmt.Sprintf("minimum capacity was set to %d", t.Min), nil)
	default:
		return s.scale(ctx, t, t.Max, fmt.Sprintf("maximum capacity was set to %d", t.Max), nil)
	}
}

// scale sets a capacity and records the activity. also writes more in the same transaction.
func (s *Service) scale(ctx context.Context, t *target, n int, cause string, also func(store.Tx) error) error {
	a := newActivity(t.resource, cause, s.Clock(), "Setting desired concurrency to %d.", n)
	a.Capacity = n
	err := s.setCapacity(ctx, &t.resource, n)
	if ctx.Err() != nil {
		return ctx.Err() // Unfit stays: the next to start takes it up
	}
	if err != nil {
		a.end(api.ScalingActivityStatusCodeFailed, s.Clock(), "Failed to set desired concurrency to %d. Reason: %s", n, messageOf(err))
	} else {
		a.Message = fmt.Sprintf("Successfully set desired concurrency to %d. Waiting for change to be fulfilled by lambda.", n)
	}
	return s.settle(ctx, t, func(tx store.Tx) error {
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return a.record(tx)
	}, a)
}

// settle notes that a target's capacity was brought between its bounds as they were, and which activity
// is under way.
func (s *Service) settle(ctx context.Context, seen *target, also func(store.Tx) error, under ...*activity) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		t, found, err := targetOf(tx, seen.resource)
		if err != nil || !found {
			return err
		}
		if t.Unfit == seen.Unfit {
			t.Unfit = ""
		}
		for _, a := range under {
			if a.Status == api.ScalingActivityStatusCodeInProgress {
				if err := override(tx, t.Pending, a.Start); err != nil {
					return err
				}
				t.Pending = a.key()
			}
		}
		return store.SetRecord(tx, t.key(), t)
	})
}

// override ends an activity that another one came after before it was fulfilled.
func override(tx store.Tx, key []byte, now time.Time) error {
	if key == nil {
		return nil
	}
	a, found, err := store.GetRecord[activity](tx, key)
	if err != nil || !found {
		return err
	}
	a.end(api.ScalingActivityStatusCodeOverridden, now, "Successfully set desired concurrency to %d. Another change has overridden it.", a.Capacity)
	return store.SetRecord(tx, key, a)
}

// follow sees what became of the activities under way.
func (s *Service) follow(ctx context.Context) (next time.Time, err error) {
	targets, err := all[target](ctx, s, "target")
	if err != nil {
		return next, err
	}
	var errs error
	for _, t := range targets {
		if t.Pending == nil {
			continue
		}
		have, err := s.capacityOf(ctx, &t.resource)
		switch {
		case err != nil:
		case have.status == lambdaapi.ProvisionedConcurrencyStatusEnumInProgress:
			next = s.Clock().Add(min(s.Period, followEvery))
		default:
			err = s.fulfil(ctx, &t, have)
		}
		errs = errors.Join(errs, err)
	}
	return next, errs
}

// fulfil ends the activity of a target that is under way as the capacity says.
func (s *Service) fulfil(ctx context.Context, seen *target, have capacity) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		t, found, err := targetOf(tx, seen.resource)
		if err != nil || !found || string(t.Pending) != string(seen.Pending) {
			return err
		}
		a, found, err := store.GetRecord[activity](tx, t.Pending)
		if err != nil {
			return err
		}
		if found {
			a.fulfil(have, s.Clock())
			if err := store.SetRecord(tx, a.key(), a); err != nil {
				return err
			}
		}
		t.Pending = nil
		return store.SetRecord(tx, t.key(), t)
	})
}

func (a *activity) fulfil(have capacity, now time.Time) {
	set := fmt.Sprintf("Successfully set desired concurrency to %d.", a.Capacity)
	switch {
	case have.gone:
		a.end(api.ScalingActivityStatusCodeUnfulfilled, now, "%s The function is not there any more.", set)
	case have.wanted != a.Capacity:
		a.end(api.ScalingActivityStatusCodeOverridden, now, "%s Another change has overridden it.", set)
	case have.status == lambdaapi.ProvisionedConcurrencyStatusEnumFailed:
		a.end(api.ScalingActivityStatusCodeUnfulfilled, now, "%s Change failed to be fulfilled by lambda. Reason: %s", set, have.reason)
	default:
		a.end(api.ScalingActivityStatusCodeSuccessful, now, "%s Change successfully fulfilled by lambda.", set)
	}
}
