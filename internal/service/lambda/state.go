package lambda

import (
	"context"
	"errors"

	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// activationKey remembers a version that is Pending or whose update is InProgress, so that a restart
// takes it up again.
func activationKey(s scope, name, number string) []byte {
	return store.Key("lambda", "activation", s.Account, s.Region, name, number)
}

// activate brings a function's versions into their states, in the background.
func (s *Service) activate(in scope, name string) {
	s.background(func(ctx context.Context) {
		s.activateRange(ctx, store.Prefix("lambda", "activation", in.Account, in.Region, name))
	})
}

// activateAll takes up what was left over when the platform stopped.
func (s *Service) activateAll(ctx context.Context) {
	s.activateRange(ctx, store.Prefix("lambda", "activation"))
}

func (s *Service) activateRange(ctx context.Context, over store.Range) {
	var waiting []version
	err := s.Store.View(ctx, func(r store.Reader) error {
		for kv, err := range r.Range(over) {
			if err != nil {
				return err
			}
			parts, err := store.Split(kv.Key)
			if err != nil {
				return err
			}
			in, name, number := scope{parts[2].(string), parts[3].(string)}, parts[4].(string), parts[5].(string)
			v, found, err := store.GetRecord[version](r, versionKey(in, name, number))
			if err != nil {
				return err
			}
			if found {
				waiting = append(waiting, v)
			}
		}
		return nil
	})
	for i := range waiting {
		v := &waiting[i]
		switch {
		case err != nil:
		case v.snapStarts(): // that takes its time, and the others need not wait
			s.background(func(ctx context.Context) { s.logActivation(ctx, s.activateVersion(ctx, v)) })
		default:
			err = s.activateVersion(ctx, v)
		}
	}
	s.logActivation(ctx, err)
}

func (s *Service) logActivation(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		s.Log.Error("lambda: activate functions", "error", err)
	}
}

// activateVersion makes what a version needs to run, and records that it can, or why it cannot.
func (s *Service) activateVersion(ctx context.Context, v *version) error {
	_, failure := s.codeDir(ctx, v.Code)
	if failure == nil {
		_, failure = s.layerDirs(ctx, v)
	}
	if failure == nil {
		failure = s.snapshot(ctx, v)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failure != nil {
		s.Log.Error("lambda: a function cannot be made ready", "function", v.ARN(), "error", failure)
	}
	gone := false
	defer func() {
		if gone && v.snapStarts() {
			s.retire(v.SpecID) // its snapshot may have been made after its deletion
		}
	}()
	return s.Store.Update(ctx, func(tx store.Tx) error {
		key := versionKey(v.scope, v.Function, v.Number)
		now, found, err := store.GetRecord[version](tx, key)
		if gone = err == nil && (!found || now.SpecID != v.SpecID); err != nil || gone {
			return err // deleted, or changed: that change has its own activation
		}
		mark := activationKey(v.scope, v.Function, v.Number)
		if _, err := tx.Get(mark); errors.Is(err, store.ErrNotFound) {
			return nil // arrived already
		} else if err != nil {
			return err
		}
		now.arrive(failure)
		if err := tx.Delete(mark); err != nil {
			return err
		}
		return store.SetRecord(tx, key, now)
	})
}

// arrive ends a creation or an update.
func (v *version) arrive(failure error) {
	v.RevisionID = uuid.NewString()
	created := v.State == api.StatePending
	if failure != nil {
		reason, code := failed(failure)
		v.Update, v.UpdateReason, v.UpdateCode = api.LastUpdateStatusFailed, reason, code
		if created {
			v.State, v.StateReason, v.StateCode = api.StateFailed, reason, code
		}
		return
	}
	v.State, v.StateReason, v.StateCode = api.StateActive, "", ""
	v.Update, v.UpdateReason, v.UpdateCode = api.LastUpdateStatusSuccessful, "", ""
}

// settled refuses a change of a function that is still on its way to its state.
func (v *version) settled() error {
	switch {
	case v.State == api.StatePending:
		return conflict("The operation cannot be performed at this time. The function is currently in the following state: Pending")
	case v.Update == api.LastUpdateStatusInProgress:
		return conflict("The operation cannot be performed at this time. An update is in progress for resource: %s",
			v.arn("function", v.Function))
	}
	return nil
}

// background runs f until it returns or the service is closed.
func (s *Service) background(f func(context.Context)) {
	if s.ctx.Err() != nil {
		return
	}
	s.done.Go(func() { f(s.ctx) })
}
