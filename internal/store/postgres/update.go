package postgres

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"cirro/internal/store"
)

const (
	// patience is how many conflicts a transaction suffers before it queues up with others of the node
	// that do; of those, one runs at a time.
	patience = 3
	// endurance is how many it suffers before all others, on all nodes, have to wait for it.
	endurance = 24
)

// Update calls f in a transaction; see store.Store.
func (s *Store) Update(ctx context.Context, f func(store.Tx) error) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	return s.update(ctx, func(tx *transaction) error { return f(tx) })
}

func (s *Store) update(ctx context.Context, f func(*transaction) error) error {
	var t turn
	defer t.end()
	end := time.Now().Add(s.patience)
	for conflicts := 0; ; conflicts++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if conflicts == patience {
			if err := t.await(ctx, s.contended); err != nil {
				return err
			}
		}
		a := attempt{tx: newTransaction(ctx, s, conflicts > 0), turn: &t}
		var err error
		if conflicts < endurance {
			err = a.run(f)
		} else {
			err = a.runAlone(ctx, f)
		}
		if !errors.Is(err, errConflict) && !(a.tx.broken && time.Now().Before(end)) {
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
	a.tx.s.committer.submit(c)
	return <-c.outcome
}

// runAlone runs while nothing else is committed.
func (a *attempt) runAlone(ctx context.Context, f func(*transaction) error) error {
	e := newExclusive()
	defer e.end(nil) // where there is nothing to commit, or f panics
	a.tx.s.committer.submit(e)
	select {
	case err := <-e.granted:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	c, err := a.call(f)
	if c == nil {
		return err
	}
	if !e.end(c) {
		a.tx.s.committer.submit(c)
	}
	return <-c.outcome
}

// call calls the function. It returns what is to be committed, or, where there is nothing, the answer.
func (a *attempt) call(f func(*transaction) error) (*commit, error) {
	defer a.tx.end()
	if err := f(a.tx); err != nil || a.tx.readOnly() {
		return nil, err
	}
	return &commit{tx: a.tx, outcome: make(chan error, 1)}, nil
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
