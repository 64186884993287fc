package postgres

import (
	"sync/atomic"
	"time"
)

// grace bounds how long one transaction may hold up others.
const grace = time.Second

// exclusive stops all others: between granted and its answer nothing is committed on any node, so that a
// transaction that lost too often cannot lose again. After a while of that it is an attempt like any
// other.
type exclusive struct {
	granted chan error
	over    atomic.Bool // set by who ends it
	answer  chan *commit
}

func newExclusive() *exclusive {
	return &exclusive{granted: make(chan error, 1), answer: make(chan *commit, 1)}
}

// grant lets the transaction run and returns its commit, or nil.
func (e *exclusive) grant() *commit {
	e.granted <- nil
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case c := <-e.answer:
		return c
	case <-timer.C:
		if !e.over.CompareAndSwap(false, true) {
			return <-e.answer
		}
		return nil
	}
}

// end answers with what to commit, which may be nothing, or says that it is too late for that.
func (e *exclusive) end(c *commit) bool {
	if !e.over.CompareAndSwap(false, true) {
		return false
	}
	e.answer <- c
	return true
}
