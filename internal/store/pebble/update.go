package pebble

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"cirro/internal/store"
)

const (
	// patience is how many conflicts a transaction suffers before it queues up with others that do;
	// of those, one runs at a time.
	patience = 3
	// endurance is how many it suffers before all others have to wait for it.
	endurance = 24
)

// Update calls f in a transaction; see store.Store.
func (s *Store) Update(ctx context.Context, f func(store.Tx) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	return s.update(ctx, func(tx *transaction) error { return f(tx) })
}

func (s *Store) update(ctx context.Context, f func(*transaction) error) error {
	var t turn
	defer t.end()
	for conflicts := 0; ; conflicts++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if conflicts == patience {
			if err := t.await(ctx, s.contended); err != nil {
				return err
			}
		}
		a := attempt{tx: newTransaction(ctx, s), turn: &t}
		var err error
		if conflicts < endurance {
			err = a.run(f)
		} else {
			err = a.runAlone(ctx, f)
		}
		if !errors.Is(err, errConflict) {
			return err
		}
	}
}

// attempt is one run of a transaction's function and its commit.
type attempt struct {
	tx   *transaction
	turn *turn
}

func (a *attempt) run(f func(*transaction) error) error {
	c, err := a.call(f)
	if c == nil {
		return err
	}
	a.tx.s.crowd.n.Add(1)
	a.tx.s.committer.submit(c)
	return c.await()
}

// runAlone runs while the committer does nothing else.
func (a *attempt) runAlone(ctx context.Context, f func(*transaction) error) error {
	e := newExclusive()
	defer e.end(nil) // where there is nothing to commit, or f panics
	a.tx.s.committer.submit(e)
	select {
	case <-e.granted:
	case <-ctx.Done():
		return ctx.Err()
	}
	c, err := a.call(f)
	if c == nil {
		return err
	}
	a.tx.s.crowd.n.Add(1)
	if !e.end(c) {
		a.tx.s.committer.submit(c)
	}
	return c.await()
}

// call calls the function. It returns what is to be committed, or, where there is nothing, the answer.
func (a *attempt) call(f func(*transaction) error) (c *commit, err error) {
	defer func() {
		if end := a.tx.end(); end != nil && err == nil {
			c, err = nil, end
		}
	}()
	if err := f(a.tx); err != nil || a.tx.readOnly() {
		a.turn.end()
		// The answer rests on what was read.
		a.tx.s.awaitDurable(&a.tx.reads)
		return nil, err
	}
	if err := a.tx.s.room.check(); err != nil {
		return nil, err
	}
	return &commit{tx: a.tx, turn: a.turn, outcome: newOutcome()}, nil
}

// turn is the right to run as the only one of the contended transactions.
type turn struct {
	held atomic.Pointer[chan struct{}]
}

// await waits for the turn, but not for ever.
func (t *turn) await(ctx context.Context, place chan struct{}) error {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case place <- struct{}{}:
		t.held.Store(&place)
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// end passes the turn on, if it is held.
func (t *turn) end() {
	if place := t.held.Swap(nil); place != nil {
		<-*place
	}
}
