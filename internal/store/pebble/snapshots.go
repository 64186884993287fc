package pebble

import (
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// snapshots lends snapshots of the database. All that read between two commits share one: making one and
// closing it takes the database's lock, and closing it looks for compactions.
type snapshots struct {
	db      *pebble.DB
	applied *atomic.Uint64 // the last commit that can be read

	mu      sync.Mutex
	current *lent // nil where nobody has read since the last commit
}

// lent is a snapshot that is lent to some.
type lent struct {
	*pebble.Snapshot
	asOf  uint64 // a commit that the snapshot has; it may have later ones
	users int    // and one while it is the current one
}

// borrow returns a snapshot that has every commit that can be read.
func (s *snapshots) borrow() *lent {
	s.mu.Lock()
	applied := s.applied.Load()
	l, old := s.current, (*lent)(nil)
	if l == nil || l.asOf != applied {
		old, l = l, &lent{Snapshot: s.db.NewSnapshot(), asOf: applied, users: 1}
		s.current = l
	}
	l.users++
	if old != nil && !old.left() {
		old = nil
	}
	s.mu.Unlock()
	if old != nil {
		_ = old.Close() // it was only read
	}
	return l
}

// giveBack ends a loan.
func (s *snapshots) giveBack(l *lent) error {
	s.mu.Lock()
	last := l.left()
	s.mu.Unlock()
	if !last {
		return nil
	}
	return l.Close()
}

// renew lets those who read from now on have another snapshot, so that the database need not keep this one for
// nobody.
func (s *snapshots) renew() error {
	s.mu.Lock()
	l := s.current
	s.current = nil
	last := l != nil && l.left()
	s.mu.Unlock()
	if !last {
		return nil
	}
	return l.Close()
}

// left counts a user less, and says whether it was the last. The lock is held.
func (l *lent) left() bool {
	l.users--
	return l.users == 0
}
