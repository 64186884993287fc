package pebble

import (
	"context"
	"testing"
	"time"

	"cirro/internal/store"
)

// TestEndurance lets a transaction lose to another in each of its runs, until it has the store to
// itself and the other must wait.
func TestEndurance(t *testing.T) {
	s := openTest(t, t.TempDir())
	change := func() {
		if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.Set([]byte("k"), nil) }); err != nil {
			t.Error(err)
		}
	}
	runs := 0
	changed := make(chan struct{})
	err := s.Update(t.Context(), func(tx store.Tx) error {
		_, _ = tx.Get([]byte("k"))
		if runs++; runs <= endurance {
			change()
		} else {
			go func() { change(); close(changed) }()
			if !waits(s.committer, changed) {
				t.Error("another transaction was not held up")
			}
		}
		return tx.Set([]byte("k"), []byte("mine"))
	})
	if err != nil || runs != endurance+1 {
		t.Errorf("%v after %d runs", err, runs)
	}
	<-changed
}

// waits returns true when a step waits for the committer, and false when done closes before.
func waits(c *committer, done chan struct{}) bool {
	for {
		c.mu.Lock()
		n := len(c.waiting)
		c.mu.Unlock()
		if n > 0 {
			return true
		}
		select {
		case <-done:
			return false
		case <-time.After(time.Millisecond):
		}
	}
}

// TestNestedUpdate calls the store from within a transaction that has it to itself. That is forbidden,
// but it must not hang.
func TestNestedUpdate(t *testing.T) {
	s := openTest(t, t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	runs := 0
	err := s.Update(ctx, func(tx store.Tx) error {
		_, _ = tx.Get([]byte("k"))
		if runs++; runs <= endurance+1 {
			if err := s.Update(ctx, func(tx store.Tx) error { return tx.Set([]byte("k"), nil) }); err != nil {
				return err
			}
		}
		return tx.Set([]byte("k"), nil)
	})
	if err != nil || runs != endurance+2 {
		t.Errorf("%v after %d runs", err, runs)
	}
}

// TestExclusiveGivesUp cancels and fails transactions that have the store to themselves.
func TestExclusiveGivesUp(t *testing.T) {
	s := openTest(t, t.TempDir())
	for name, end := range map[string]func(cancel func()) error{
		"error":  func(func()) error { return store.ErrNotFound },
		"panic":  func(func()) error { panic("broken") },
		"cancel": func(cancel func()) error { cancel(); return nil },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		func() {
			defer func() { _ = recover() }()
			_ = (&attempt{tx: newTransaction(ctx, s), turn: new(turn)}).runAlone(ctx, func(*transaction) error { return end(cancel) })
		}()
		cancel()
		if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.Set([]byte(name), nil) }); err != nil {
			t.Error(err)
		}
	}
}
