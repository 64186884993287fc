package pebble

import (
	"context"
	"sync"
	"testing"

	"cirro/internal/store"
)

// Those who read between two commits share a snapshot; whoever reads after one sees it.
func TestSnapshotsAreShared(t *testing.T) {
	s, ctx := openTest(t, t.TempDir()), context.Background()
	set := func(value string) {
		if err := s.Update(ctx, func(tx store.Tx) error { return tx.Set([]byte("k"), []byte(value)) }); err != nil {
			t.Fatal(err)
		}
	}
	lender := &s.committer.snapshots
	set("1")
	a, b := lender.borrow(), lender.borrow()
	if a != b {
		t.Error("two snapshots where nothing was committed between them")
	}
	set("2")
	c := lender.borrow()
	if c == a {
		t.Error("a snapshot without what was committed before it")
	}
	for l, want := range map[*lent]string{a: "1", c: "2"} {
		value, closer, err := lender.of(l).Get([]byte{dataSpace, 'k'})
		if err != nil || string(value) != want {
			t.Errorf("%q, %v; want %q", value, err, want)
			continue
		}
		_ = closer.Close()
	}
	for _, l := range []*lent{a, b, c} {
		if err := lender.giveBack(l); err != nil {
			t.Error(err)
		}
	}
	if lender.current != c || c.users != 1 || a.users != 0 {
		t.Errorf("%d and %d users when all have left", a.users, c.users)
	}
}

// However reads and commits meet, each read sees what was acknowledged before it, and every loan ends.
func TestSnapshotsUnderWrites(t *testing.T) {
	s, ctx := openTest(t, t.TempDir()), context.Background()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			key := []byte{'k', byte(i)}
			for n := range byte(200) {
				if err := s.Update(ctx, func(tx store.Tx) error { return tx.Set(key, []byte{n}) }); err != nil {
					t.Error(err)
				}
				err := s.View(ctx, func(r store.Reader) error {
					value, err := r.Get(key)
					if err == nil && value[0] != n {
						t.Errorf("%d was acknowledged, and %d is read", n, value[0])
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if l := s.committer.snapshots.current; l != nil && l.users != 1 {
		t.Errorf("%d users when all have left", l.users)
	}
}

// Who finds all in the memo needs no snapshot.
func TestSnapshotIsMadeWhereItIsNeeded(t *testing.T) {
	s, ctx := openTest(t, t.TempDir()), context.Background()
	if err := s.Update(ctx, func(tx store.Tx) error { return tx.Set([]byte("k"), []byte("v")) }); err != nil {
		t.Fatal(err)
	}
	for range 3 { // what is read twice is kept
		if err := s.View(ctx, func(r store.Reader) error { _, err := r.Get([]byte("k")); return err }); err != nil {
			t.Fatal(err)
		}
	}
	lender := &s.committer.snapshots
	if err := lender.renew(); err != nil {
		t.Fatal(err)
	}
	err := s.View(ctx, func(r store.Reader) error {
		if _, err := r.Get([]byte("k")); err != nil || lender.current.snapshot.Load() != nil {
			t.Errorf("a snapshot for what is in the memo, %v", err)
		}
		if _, err := r.Get([]byte("other")); err != store.ErrNotFound || lender.current.snapshot.Load() == nil {
			t.Errorf("no snapshot for what is not, %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
