package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A bundle gathers at most so many commits, or so many bytes but for the last commit.
const (
	bundleCommits = 1024
	bundleBytes   = 4 << 20
)

// errConflict refuses a transaction that read what another has written since.
var errConflict = errors.New("store: conflict")

// step is what the committer does in its turn: a *commit or an *exclusive.
type step any

// commit is the step that ends a transaction.
type commit struct {
	tx      *transaction
	outcome chan error
}

// committer commits what this node's transactions wrote, in bundles.
type committer struct {
	s *Store

	mu      sync.Mutex
	arrived sync.Cond
	waiting []step
	closed  bool

	stopped chan struct{}
}

func newCommitter(s *Store) *committer {
	c := &committer{s: s, stopped: make(chan struct{})}
	c.arrived.L = &c.mu
	go c.run()
	return c
}

// submit queues a step.
func (c *committer) submit(s step) {
	c.mu.Lock()
	c.waiting = append(c.waiting, s)
	c.mu.Unlock()
	c.arrived.Signal()
}

// close waits for the steps submitted and stops.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.arrived.Signal()
	<-c.stopped
}

func (c *committer) run() {
	defer close(c.stopped)
	for {
		alone, commits := c.take()
		switch {
		case alone != nil:
			c.commitAlone(alone)
		case len(commits) > 0:
			c.commit(commits)
		default:
			return
		}
	}
}

// take returns the steps that come next, or nothing after close: an exclusive one, or a bundle of commits.
func (c *committer) take() (alone *exclusive, commits []*commit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) == 0 && !c.closed {
		c.arrived.Wait()
	}
	size, n := 0, 0
	for _, s := range c.waiting {
		next, ok := s.(*commit)
		if !ok {
			if n == 0 {
				alone, n = s.(*exclusive), 1
			}
			break
		}
		commits = append(commits, next)
		n++
		if size += next.tx.size; size >= bundleBytes || n == bundleCommits {
			break
		}
	}
	clear(c.waiting[:n])
	c.waiting = c.waiting[n:]
	return alone, commits
}

// commit commits a bundle, on another connection where one breaks before anything is decided.
func (c *committer) commit(commits []*commit) {
	err := c.s.persist(context.Background(), func() error {
		return c.with(func(conn *pgxpool.Conn) (err error) {
			b := &bundle{s: c.s, conn: conn}
			if err := b.lock(commits); err != nil {
				return b.abort(err)
			}
			commits, err = b.write(commits)
			return err
		})
	})
	if err != nil {
		refuse(commits, err)
	}
}

// commitAlone lets a transaction run while nothing is committed, and commits it.
func (c *committer) commitAlone(e *exclusive) {
	err := c.s.persist(context.Background(), func() error {
		return c.with(func(conn *pgxpool.Conn) error {
			b := &bundle{s: c.s, conn: conn}
			if err := b.lock(nil); err != nil {
				return b.abort(err)
			}
			granted := e.grant()
			if granted == nil {
				return b.abort(nil)
			}
			commits := []*commit{granted}
			if err := b.hold(commits); err != nil {
				refuse(commits, c.s.explain(err))
				return b.abort(nil)
			}
			if left, err := b.write(commits); err != nil {
				refuse(left, c.s.explain(err))
			}
			return nil
		})
	})
	if err != nil && e.over.CompareAndSwap(false, true) {
		e.granted <- err
	}
}

// with hands out the connection that commits are made on.
func (c *committer) with(f func(*pgxpool.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := c.s.writers.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return f(conn)
}

func refuse(commits []*commit, err error) {
	for _, c := range commits {
		c.outcome <- err
	}
}
