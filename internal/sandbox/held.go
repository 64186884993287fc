package sandbox

import (
	"context"
	"slices"
	"sync"
	"time"
)

// held are environments of a function with SnapStart that are initialised and stand frozen before their first
// invocation. A start takes one, and another is made in its place. It is the way of what cannot be copied: a
// Node.js, and anything without a zygote.
type held struct {
	lock   sync.Mutex
	ready  []*environment
	making bool
	missed bool // a start found none
	used   time.Time
	closed bool
}

// heldAtMost is how many wait where one was not enough.
const heldAtMost = 2

// take gives out an environment, nil if none is ready.
func (h *held) take() *environment {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.used = time.Now()
	for n := len(h.ready); n > 0; n = len(h.ready) {
		e := h.ready[0]
		h.ready = slices.Delete(h.ready, 0, 1)
		if e.alive() && e.wake() == nil {
			return e
		}
		e.fleet.end(e, spindown)
	}
	h.missed = true
	return nil
}

// put takes an environment in, if it has a place.
func (h *held) put(e *environment) bool {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.closed {
		return false
	}
	h.ready = append(h.ready, e)
	return true
}

// begin says whether another one is to be made, and that its caller will.
func (h *held) begin() bool {
	h.lock.Lock()
	defer h.lock.Unlock()
	wanted := 1
	if h.missed {
		wanted = heldAtMost
	}
	if h.making || h.closed || len(h.ready) >= wanted {
		return false
	}
	h.making = true
	return true
}

func (h *held) end() {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.making = false
}

// shed takes out all that are ready.
func (h *held) shed() []*environment {
	h.lock.Lock()
	defer h.lock.Unlock()
	out := h.ready
	h.ready = nil
	return out
}

// close takes out all that are ready, for good.
func (h *held) close() []*environment {
	h.lock.Lock()
	h.closed = true
	h.lock.Unlock()
	return h.shed()
}

// cost is how much memory they take, in bytes.
func (h *held) cost() (total int64, used time.Time) {
	h.lock.Lock()
	defer h.lock.Unlock()
	for _, e := range h.ready {
		total += leastCost + int64(e.memoryPeak)<<20
	}
	return total, h.used
}

// start makes an environment that is ready for its first invocation. With SnapStart it is one that was
// initialised before, if there is one.
func (f *Fleet) start(ctx context.Context, sh *shelf, s *Spec, place *start, log *journal, phase string, limit time.Duration) (
	*environment, *initFailure, error,
) {
	if !s.SnapStart {
		return f.open(ctx, s, place, log, phase, limit)
	}
	began := time.Now()
	var e *environment
	if !sh.kept.there() {
		e = sh.held.take()
		f.refill(s, sh)
	}
	switch {
	case e != nil:
		e.journal.restart(f.options.Log)
		e.logRestoreStart(f.version(s))
	default:
		var failed *initFailure
		var err error
		if e, failed, err = f.open(ctx, s, place, log, phase, max(limit, snapshotInit, s.Timeout)); err != nil || failed != nil {
			return nil, failed, err
		}
		if !e.restored {
			began = time.Now()
			e.logRestoreStart(f.version(s))
		}
	}
	if failed := e.resume(began); failed != nil {
		e.destroy()
		e.journal.close()
		return nil, nil, failed
	}
	return e, nil, nil
}

// version is what a Spec's runtime calls itself.
func (f *Fleet) version(s *Spec) string {
	r, err := f.runtime(s.Runtime)
	if err != nil {
		return ""
	}
	return r.Version
}

// refill makes another environment to be held, in the background, if one is wanted.
func (f *Fleet) refill(s *Spec, sh *shelf) {
	if f.options.PoolMemory <= 0 || f.nursery.short.Load() || !f.enter() {
		return
	}
	if !sh.held.begin() {
		f.running.Done()
		return
	}
	go func() {
		defer f.running.Done()
		defer sh.held.end()
		if f.nursery.rest() {
			f.snapshot(context.Background(), s, sh) // where it fails the log says why, and a start makes its own
		}
	}()
}

// hold keeps an initialised environment until a start takes it, or ends it.
func (f *Fleet) hold(sh *shelf, e *environment) {
	e.initTook = 0 // no invocation waited for it
	e.memory(time.Now())
	if f.options.PoolMemory <= 0 || f.nursery.short.Load() || !e.suspend() || !sh.held.put(e) {
		f.end(e, spindown)
		return
	}
	f.trim(sh)
}

// suspend freezes an environment that has no work.
func (e *environment) suspend() bool {
	if e.fleet.options.FreezeAfter < 0 {
		return true
	}
	e.freezing.Lock()
	defer e.freezing.Unlock()
	e.frozen = e.jail.Freeze() == nil
	return e.frozen
}

// trim keeps what is held within the budget for all that is made ahead: of the functions used longest ago
// nothing is held. The newest stays.
func (f *Fleet) trim(newest *shelf) {
	type entry struct {
		*shelf
		cost int64
		used time.Time
	}
	var all []entry
	var total int64
	f.shelves.Range(func(_, v any) bool {
		sh := v.(*shelf)
		if cost, used := sh.held.cost(); cost > 0 {
			total += cost
			if sh != newest {
				all = append(all, entry{sh, cost, used})
			}
		}
		return true
	})
	slices.SortFunc(all, func(a, b entry) int { return a.used.Compare(b.used) })
	for _, x := range all {
		if total <= f.options.PoolMemory {
			return
		}
		for _, e := range x.held.shed() {
			f.end(e, spindown)
		}
		total -= x.cost
	}
}

// release ends all that is held, and returns how many there were.
func (f *Fleet) release() (ended int) {
	f.shelves.Range(func(_, v any) bool {
		for _, e := range v.(*shelf).held.shed() {
			f.end(e, spindown)
			ended++
		}
		return true
	})
	return ended
}
