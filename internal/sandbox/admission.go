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

// startHolds is how long a start counts at most: one that waits rather than computes must not keep
// others out.
const startHolds = 200 * time.Millisecond

func newAdmission() admission { return make(admission, max(4, 2*runtime.NumCPU())) }

// enter waits for a place. The caller gives it back with leave, which may be called more than once.
func (a admission) enter(ctx context.Context) (leave func(), err error) {
	select {
	case a <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	free := sync.OnceFunc(func() { <-a })
	timer := time.AfterFunc(startHolds, free)
	return func() {
		timer.Stop()
		free()
	}, nil
}
