package pebble

import (
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// depth is how many bundles may wait for the disk at once: enough to keep it busy, few enough that a
// bundle gathers what arrives meanwhile.
const depth = 8

// bundleBytes is how much a bundle gathers at most, but for its last step.
const bundleBytes = 4 << 20

// step is something that the committer does in its turn. Its methods are called by the committer and
// the publisher alone, in the order of the steps.
type step interface {
	// prepare checks that the step can be taken and adds its writes to the batch. Where it answers
	// an error it has changed nothing, and refused is called instead of the rest.
	prepare(b *pebble.Batch, commit uint64) error
	refused(err error)
	// applied follows when the batch can be read.
	applied()
	// published follows when it is durable.
	published(err error)
	// durable says whether anybody waits for that.
	durable() bool
}

// committer takes steps one after the other, in bundles that share a batch.
type committer struct {
	db      *pebble.DB
	applied atomic.Uint64 // the last commit that can be read
	last    uint64        // the last commit prepared

	mu      sync.Mutex
	arrived sync.Cond
	waiting []step
	closed  bool

	bundles chan *bundle
	stopped chan struct{}

	room *room

	durability
	snapshots
}

// bundle is the steps of one batch.
type bundle struct {
	batch *pebble.Batch
	last  uint64
	steps []step
	sync  bool
}

func newCommitter(db *pebble.DB, r *room) *committer {
	c := &committer{db: db, room: r, bundles: make(chan *bundle, depth), stopped: make(chan struct{})}
	c.arrived.L = &c.mu
	c.durability.advanced.L = &c.durability.mu
	c.snapshots.db, c.snapshots.applied = db, &c.applied
	go c.commit()
	go c.publish()
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

// take returns the steps that wait, or none after close.
func (c *committer) take(spare []step) []step {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) == 0 && !c.closed {
		c.arrived.Wait()
	}
	steps := c.waiting
	c.waiting = spare[:0]
	return steps
}

func (c *committer) commit() {
	defer close(c.bundles)
	var steps, spare []step
	for {
		steps, spare = c.take(spare), steps
		if len(steps) == 0 {
			return
		}
		for rest := steps; len(rest) > 0; {
			rest = c.form(rest)
		}
		clear(steps)
	}
}

// form makes a bundle of the first of the steps and returns the rest.
func (c *committer) form(steps []step) []step {
	if alone, ok := steps[0].(*exclusive); ok {
		if s := alone.grant(); s != nil {
			c.form([]step{s})
		}
		return steps[1:]
	}
	c.room.look()
	g := &bundle{batch: c.db.NewBatch()}
	for len(steps) > 0 && g.batch.Len() < bundleBytes {
		s := steps[0]
		if _, ok := s.(*exclusive); ok {
			break
		}
		steps = steps[1:]
		if err := s.prepare(g.batch, c.last+1); err != nil {
			s.refused(err)
			continue
		}
		c.last++
		g.steps = append(g.steps, s)
		g.sync = g.sync || s.durable()
	}
	g.last = c.last
	c.apply(g)
	return steps
}

func (c *committer) apply(g *bundle) {
	if len(g.steps) == 0 {
		_ = g.batch.Close() // it was not used
		return
	}
	_ = c.snapshots.renew() // it was only read
	var err error
	if g.sync {
		err = c.db.ApplyNoSyncWait(g.batch, pebble.Sync)
	} else {
		err = c.db.Apply(g.batch, pebble.NoSync)
	}
	if err != nil {
		// Pebble ends the process when the log cannot be written, and there is no other reason.
		panic("store: a batch cannot be applied: " + err.Error())
	}
	c.applied.Store(g.last)
	for _, s := range g.steps {
		s.applied()
	}
	c.bundles <- g
}

func (c *committer) publish() {
	defer close(c.stopped)
	for g := range c.bundles {
		var err error
		if g.sync {
			err = g.batch.SyncWait()
			if err == nil {
				c.durability.advance(g.last)
			}
		}
		_ = g.batch.Close() // it goes back to a pool
		for _, s := range g.steps {
			s.published(err)
		}
	}
}

// durability knows which commits are on disk.
type durability struct {
	last     atomic.Uint64
	mu       sync.Mutex
	advanced sync.Cond
}

func (d *durability) advance(commit uint64) {
	d.mu.Lock()
	d.last.Store(commit)
	d.mu.Unlock()
	d.advanced.Broadcast()
}

// await returns when a commit is on disk.
func (d *durability) await(commit uint64) {
	if d.last.Load() >= commit {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.last.Load() < commit {
		d.advanced.Wait()
	}
}
