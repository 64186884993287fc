package pebble

import (
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// snapshots lends snapshots of the database. All that read between two commits share one: making one and
// closing it takes the database's lock, and closing it looks for compactions. So it is not made before somebody
// needs it: who finds all in the memo never does.
type snapshots struct {
	db      *pebble.DB
	applied *atomic.Uint64 // the last commit that can be read

	mu      sync.Mutex
	current *lent // nil where nobody has read since the last commit
}

// lent is a snapshot that is lent to some.
type lent struct {
	snapshot atomic.Pointer[pebble.Snapshot] // nil until it is needed
	asOf     uint64                          // a commit that the snapshot has; it may have later ones
	users    int                             // and one while it is the current one
}

// borrow returns a snapshot that has every commit that can be read.
func (s *snapshots) borrow() *lent {
	s.mu.Lock()
	applied := s.applied.Load()
	l, old := s.current, (*lent)(nil)
	if l == nil || l.asOf != applied {
		old, l = l, &lent{asOf: applied, users: 1}
		s.current = l
	}
	l.users++
	closes := s.retire(old)
	s.mu.Unlock()
	if closes != nil {
		_ = closes.Close() // it was only read
	}
	return l
}

// of is the snapshot that is lent.
func (s *snapshots) of(l *lent) *pebble.Snapshot {
	if made := l.snapshot.Load(); made != nil {
		return made
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.make(l)
}

// make makes the snapshot, if it is not there. The lock is held.
func (s *snapshots) make(l *lent) *pebble.Snapshot {
	made := l.snapshot.Load()
	if made == nil {
		made = s.db.NewSnapshot()
		l.snapshot.Store(made)
	}
	return made
}

// giveBack ends a loan.
func (s *snapshots) giveBack(l *lent) error {
	s.mu.Lock()
	closes := l.left()
	s.mu.Unlock()
	if closes == nil {
		return nil
	}
	return closes.Close()
}

// renew comes before a commit that can be read. Who reads from then on has another snapshot, so that the database need
// not keep this one for nobody; who has this one has it without the commit.
func (s *snapshots) renew() error {
	s.mu.Lock()
	closes := s.retire(s.current)
	s.current = nil
	s.mu.Unlock()
	if closes == nil {
		return nil
	}
	return closes.Close()
}

// retire ends the time of a snapshot as the current one, nil for none. Those who have it still may need it, as it is
// now. It returns what is to be closed. The lock is held.
func (s *snapshots) retire(l *lent) (closes *pebble.Snapshot) {
	if l == nil {
		return nil
	}
	closes = l.left()
	if l.users > 0 {
		s.make(l)
	}
	return closes
}

// left counts a user less, and returns what the last one leaves to be closed. The lock is held.
func (l *lent) left() (closes *pebble.Snapshot) {
	if l.users--; l.users > 0 {
		return nil
	}
	return l.snapshot.Load()
}
