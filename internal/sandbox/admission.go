package sandbox

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// admission bounds how many environments start at once, so that a burst of invocations does not slow
// every start down; by the time that one is admitted another environment may have become idle.
type admission chan struct{}

// A start has its place as long as it computes: one that waits must not keep others out. It is looked at
// every startLooks, and computes if it used more than startIdles of the processor since. After startHolds
// it has had its turn.
const (
	startLooks = 200 * time.Millisecond
	startIdles = 2 * time.Millisecond
	startHolds = 2 * time.Second
)

func newAdmission() admission { return make(admission, max(4, 2*runtime.NumCPU())) }

// start is a place among those that start.
type start struct {
	places admission
	timer  *time.Timer
	until  time.Time

	lock  sync.Mutex
	gone  bool
	watch func() (used time.Duration, known bool) // nil until there is something to watch
	used  time.Duration
}

// enter waits for a place. The caller gives it back with leave.
func (a admission) enter(ctx context.Context) (*start, error) {
	select {
	case a <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s := &start{places: a, until: time.Now().Add(startHolds)}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.timer = time.AfterFunc(startLooks, s.look)
	return s, nil
}

// computes tells how the start's use of the processor is known.
func (s *start) computes(used func() (time.Duration, bool)) {
	if s == nil {
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.watch = used
}

// look gives the place back if the start does not need it.
func (s *start) look() {
	s.lock.Lock()
	watch := s.watch
	s.lock.Unlock()
	if time.Now().After(s.until) {
		s.leave()
		return
	}
	if watch != nil {
		used, known := watch()
		before := s.used
		s.used = used
		if known && used-before < startIdles {
			s.leave()
			return
		}
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if !s.gone {
		s.timer.Reset(startLooks)
	}
}

// leave gives the place back. It may be called more than once.
func (s *start) leave() {
	s.lock.Lock()
	defer s.lock.Unlock()
	if !s.gone {
		s.gone = true
		s.timer.Stop()
		<-s.places
	}
}
