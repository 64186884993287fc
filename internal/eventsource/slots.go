package eventsource

import (
	"context"
	"sync"
	"time"
)

// How many batches of a queue are handled at once: few at first, more while there is a backlog, few again when
// the queue is empty. AWS adds up to 300 a minute.
// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
const (
	firstSlots = 5
	mostSlots  = 1000
	slotEvery  = 200 * time.Millisecond
)

// slots bounds how many batches are handled at once. One goroutine takes, many free.
type slots struct {
	full   time.Time // since when each take had to wait, or when there was one more last; zero for not
	mu     sync.Mutex
	most   int
	limit  int
	used   int
	change chan struct{} // holds a token where something was freed
}

func newSlots(most int) *slots {
	if most <= 0 {
		most = mostSlots
	}
	return &slots{most: most, limit: min(firstSlots, most), change: make(chan struct{}, 1)}
}

// take takes a slot. Where takes have had to wait for a while there is one more, up to the most there may be. It
// fails when ctx ends.
func (s *slots) take(ctx context.Context) bool {
	if s.try() {
		s.full = time.Time{}
		return ctx.Err() == nil
	}
	if s.full.IsZero() {
		s.full = time.Now()
	}
	for ctx.Err() == nil {
		grow := time.NewTimer(time.Until(s.full.Add(slotEvery)))
		select {
		case <-s.change:
		case <-grow.C:
			s.grow()
			s.full = time.Now()
		case <-ctx.Done():
		}
		grow.Stop()
		if s.try() {
			return ctx.Err() == nil
		}
	}
	return false
}

func (s *slots) try() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used >= s.limit {
		return false
	}
	s.used++
	return true
}

func (s *slots) grow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = min(s.limit+1, s.most)
}

// free gives a slot back.
func (s *slots) free() {
	s.mu.Lock()
	s.used--
	s.mu.Unlock()
	select {
	case s.change <- struct{}{}:
	default:
	}
}

// shrink halves what may be handled at once: what is handled has no room for more.
func (s *slots) shrink() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = max(1, s.limit/2)
}

// found notes what a long poll brought. After one in vain the backlog is gone.
func (s *slots) found(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n == 0 {
		s.limit = min(firstSlots, s.most)
	}
}
