package eventsource

import (
	"context"
	"math"
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
	silentSlot = time.Second // where no batch has ended meanwhile
	slowdown   = 2           // of the batches: with more at once none would end sooner
)

// slots bounds how many batches are handled at once. One goroutine takes, many free.
type slots struct {
	full   time.Time // since when takes have to wait, or when there was one more last; zero where they need not
	waited time.Time // when a take did last
	mu     sync.Mutex
	most   int
	limit  int
	used   int
	pace   pace
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
		if time.Since(s.waited) > slotEvery {
			s.full = time.Time{}
		}
		return ctx.Err() == nil
	}
	defer func() { s.waited = time.Now() }()
	if s.full.IsZero() {
		s.full = time.Now()
	}
	next := s.full.Add(slotEvery)
	for ctx.Err() == nil {
		grow := time.NewTimer(time.Until(next))
		select {
		case <-s.change:
		case <-grow.C:
			next = next.Add(slotEvery)
			if s.grow(time.Since(s.full)) {
				s.full = time.Now()
				next = s.full.Add(slotEvery)
			}
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

// grow adds a slot, unless that would only make the others slower: AWS has as many processors as it takes, this
// machine has not.
func (s *slots) grow(full time.Duration) (grown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.limit >= s.most, s.pace.ended == 0 && full < silentSlot:
		return false
	case s.pace.ended > 0 && s.pace.slow():
		s.pace.ended = 0
		return true // looked at, and left as it is
	}
	s.limit++
	s.pace.ended = 0
	return true
}

// done notes how long a batch took.
func (s *slots) done(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pace.add(d.Seconds(), time.Now())
}

// pace is how long batches take, in seconds: on average lately, and at best. What was best fades, since the
// batches may have become others: in paceFades it doubles.
type pace struct {
	lately, best float64
	at           time.Time // of the last
	ended        int       // since it was looked at last
}

const paceFades = 5 * time.Minute

func (p *pace) add(d float64, now time.Time) {
	p.ended++
	if p.at.IsZero() {
		p.lately, p.best, p.at = d, d, now
	}
	fade := math.Exp2(now.Sub(p.at).Seconds() / paceFades.Seconds())
	p.lately += (d - p.lately) / 5
	p.best = min(p.lately, p.best*fade)
	p.at = now
}

func (p *pace) slow() bool { return p.lately > slowdown*p.best }

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
