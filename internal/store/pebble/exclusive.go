package pebble

import (
	"sync/atomic"
	"time"
)

// grace bounds how long one transaction may hold up others.
const grace = time.Second

// exclusive is a step that stops all others: between granted and its answer nothing is written, so
// that a transaction that lost too often cannot lose again. After a while of that it is an attempt
// like any other.
type exclusive struct {
	step    // what to commit in the end; nil for nothing
	granted chan struct{}
	over    atomic.Bool // set by who ends it
	answer  chan step
}

func newExclusive() *exclusive {
	return &exclusive{granted: make(chan struct{}), answer: make(chan step, 1)}
}

// grant lets the transaction run and returns its commit, or nil.
func (e *exclusive) grant() step {
	close(e.granted)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case e.step = <-e.answer:
	case <-timer.C:
		if !e.over.CompareAndSwap(false, true) {
			e.step = <-e.answer
		}
	}
	return e.step
}

// end answers with what to commit, which may be nothing, or says that it is too late for that.
func (e *exclusive) end(s step) bool {
	if !e.over.CompareAndSwap(false, true) {
		return false
	}
	e.answer <- s
	return true
}
