package sandbox

import (
	"slices"
	"time"
)

// credentials asks for an environment's credentials. It must not outlive them.
func (e *environment) credentials() Credentials {
	if e.spec.Credentials == nil {
		return Credentials{}
	}
	c := e.spec.Credentials()
	e.expires = c.Expires
	return c
}

// stale says whether an environment's credentials may end within an invocation that begins now. As on
// AWS, environments are then replaced: a function cannot be given others while it runs.
func (e *environment) stale(now time.Time) bool {
	return !e.expires.IsZero() && now.Add(e.spec.Timeout).After(e.expires)
}

// stale takes out what is idle and stale, and what is kept too.
func (s *shelf) stale(now time.Time) []*environment {
	s.lock.Lock()
	defer s.lock.Unlock()
	var old []*environment
	s.idle = slices.DeleteFunc(s.idle, func(e *environment) bool {
		if !e.stale(now) {
			return false
		}
		old = append(old, e)
		return true
	})
	return old
}

// renew ends what is idle and stale, and starts others in place of those that are to be kept.
func (f *Fleet) renew(s *shelf, now time.Time) {
	for _, e := range s.stale(now) {
		s.replace(e)
	}
}

// replace ends an environment that is not idle, and starts another where it was to be kept.
func (s *shelf) replace(e *environment) {
	if s.lose() {
		s.fleet.replenish(e.spec, s)
	}
	s.fleet.end(e, spindown)
}
