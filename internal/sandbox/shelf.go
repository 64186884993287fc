package sandbox

import (
	"slices"
	"sync"
	"time"
)

// shelf holds the environments of one Spec. The one used last is taken first, so that the others grow
// old and end.
type shelf struct {
	fleet *Fleet

	lock    sync.Mutex
	idle    []*environment // the one used last is the last
	all     int            // idle and busy
	least   int            // that many are kept although idle
	retired bool

	held held // with SnapStart
	kept kept
}

// take returns an idle environment, or nil.
func (s *shelf) take() *environment {
	for {
		e := s.pop()
		if e == nil {
			return nil
		}
		if e.alive() && !e.stale(time.Now()) && e.wake() == nil {
			return e
		}
		s.replace(e)
	}
}

func (s *shelf) pop() *environment {
	s.lock.Lock()
	defer s.lock.Unlock()
	n := len(s.idle)
	if n == 0 {
		return nil
	}
	e := s.idle[n-1]
	s.idle[n-1] = nil
	s.idle = s.idle[:n-1]
	return e
}

// idles says whether an environment is idle, and since when.
func (s *shelf) idles(e *environment) (since time.Time, ok bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return e.idleSince, slices.Contains(s.idle, e)
}

// put makes an environment available, a new one or one that take returned.
func (s *shelf) put(e *environment) {
	s.lock.Lock()
	if e.shelf == nil {
		e.shelf = s
		s.all++
	}
	e.idleSince = time.Now()
	if s.retired {
		s.all--
		s.lock.Unlock()
		s.fleet.end(e, spindown)
		return
	}
	s.idle = append(s.idle, e)
	s.lock.Unlock()
	e.rest()
}

// adopt counts a new environment that is busy from the start.
func (s *shelf) adopt(e *environment) {
	s.lock.Lock()
	defer s.lock.Unlock()
	e.shelf = s
	s.all++
}

// lose forgets a busy environment, and says whether another one has to take its place.
func (s *shelf) lose() (missed bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.all--
	return s.all < s.least && !s.retired
}

// keep sets how many environments are kept, and returns how many of them have to be started.
func (s *shelf) keep(n int) (missing int) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.least = n
	return max(0, n-s.all)
}

// count is how many environments there are.
func (s *shelf) count() int {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.all
}

// retire empties the shelf for good, and returns what was idle.
func (s *shelf) retire() []*environment {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.retired = true
	idle := s.idle
	s.idle = nil
	s.all -= len(idle)
	return idle
}

// spares lists what is idle beyond what is kept, the one used longest ago first.
func (s *shelf) spares() []*environment {
	s.lock.Lock()
	defer s.lock.Unlock()
	return slices.Clone(s.idle[:min(len(s.idle), max(0, s.all-s.least))])
}

// remove takes one out that is idle, and returns false if it is not.
func (s *shelf) remove(e *environment) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	i := slices.Index(s.idle, e)
	if i < 0 || s.all <= s.least {
		return false
	}
	s.idle = slices.Delete(s.idle, i, i+1)
	s.all--
	return true
}

// expired takes out what was last used before a moment, but for those that are kept.
func (s *shelf) expired(before time.Time) []*environment {
	s.lock.Lock()
	defer s.lock.Unlock()
	n := 0
	for n < len(s.idle) && s.all-n > s.least && s.idle[n].idleSince.Before(before) {
		n++
	}
	old := append([]*environment(nil), s.idle[:n]...)
	s.idle = append(s.idle[:0], s.idle[n:]...)
	s.all -= n
	return old
}
