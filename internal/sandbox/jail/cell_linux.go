package jail

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"cirro/internal/sandbox/jail/cgroup"
	"cirro/internal/sandbox/jail/entry"
)

// cell is what every jail begins as: a first process in namespaces and control groups of its own, which
// waits to be told what to build.
type cell struct {
	group   *cgroup.Group
	process *spawned
	asked   bool // for a way out
}

// raise makes a cell.
func (h *walledHost) raise() (*cell, error) {
	c := &cell{}
	var err error
	if c.group, err = h.groups.New(strconv.FormatInt(h.serial.Add(1), 10)); err != nil {
		return nil, err
	}
	if c.process, err = h.bearer.bear(entry.Supervisor, c.group); err != nil {
		return nil, errors.Join(err, c.destroy())
	}
	if h.gate != nil {
		if err := c.requestRoute(); err != nil {
			return nil, errors.Join(err, c.destroy())
		}
	}
	return c, nil
}

// destroy ends all that runs in a cell.
func (c *cell) destroy() error {
	if c.process != nil {
		// The kernel ends all others with the first process, and this one when they are gone.
		c.process.kill()
		c.group.Freeze(false) // the frozen do not die in version 1
		select {
		case <-c.process.done:
		case <-time.After(10 * time.Second):
			return errors.New("the processes of a jail do not end")
		}
		c.process.conn.Close()
	}
	return c.group.Remove()
}

// alive tells whether a cell's process still runs.
func (c *cell) alive() bool { return !c.process.ended() }

// stock keeps cells ready.
type stock struct {
	raise func() (*cell, error)

	lock   sync.Mutex
	ready  []*cell
	refill *time.Timer
	closed bool
	work   sync.WaitGroup
}

// cellsAhead is how many cells are kept ready. They take little memory, but a start must not wait for
// one in the usual case.
const cellsAhead = 2

// later is how long making things ahead waits: what is being started now has the processor first.
const later = 25 * time.Millisecond

type taken struct {
	cell *cell
	err  error
}

// take gives a cell out: a ready one at once, else a new one soon.
func (s *stock) take() <-chan taken {
	out := make(chan taken, 1)
	s.lock.Lock()
	defer s.lock.Unlock()
	s.order()
	for len(s.ready) > 0 {
		c := s.ready[0]
		s.ready = s.ready[1:]
		if c.alive() {
			out <- taken{c, nil}
			return out
		}
		c.destroy()
	}
	go func() {
		c, err := s.raise()
		out <- taken{c, err}
	}()
	return out
}

// order has cells made later. The caller holds the lock.
func (s *stock) order() {
	if s.refill != nil || s.closed {
		return
	}
	s.work.Add(1)
	s.refill = time.AfterFunc(later, func() {
		defer s.work.Done()
		for s.add() {
		}
	})
}

// add makes one cell, unless there are enough.
func (s *stock) add() bool {
	s.lock.Lock()
	if s.closed || len(s.ready) >= cellsAhead {
		s.refill = nil
		s.lock.Unlock()
		return false
	}
	s.lock.Unlock()
	c, err := s.raise()
	s.lock.Lock()
	defer s.lock.Unlock()
	switch {
	case err != nil:
		s.refill = nil // whoever needs one next meets the error
		return false
	case s.closed:
		c.destroy()
	default:
		s.ready = append(s.ready, c)
	}
	return true
}

func (s *stock) close() error {
	s.lock.Lock()
	s.closed = true
	if s.refill != nil && s.refill.Stop() {
		s.work.Done()
	}
	s.lock.Unlock()
	s.work.Wait()
	var errs []error
	for _, c := range s.ready {
		errs = append(errs, c.destroy())
	}
	s.ready = nil
	return errors.Join(errs...)
}
