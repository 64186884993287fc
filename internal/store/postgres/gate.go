package postgres

import (
	"sync"

	"cirro/internal/store"
)

// gate counts the calls under way.
type gate struct {
	mu     sync.Mutex
	idle   sync.Cond
	calls  int
	closed bool
}

func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return store.ErrClosed
	}
	g.calls++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls--; g.calls == 0 && g.closed {
		g.idle.Broadcast()
	}
}

// close lets nobody enter any more. The first call answers true.
func (g *gate) close() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := !g.closed
	g.closed = true
	return first
}

// wait returns when all have left.
func (g *gate) wait() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.calls > 0 {
		g.idle.Wait()
	}
}
