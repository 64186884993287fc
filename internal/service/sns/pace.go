package sns

import (
	"context"
	"fmt"
	"sync"
	"time"

	"cirro/internal/courier"

	"golang.org/x/time/rate"
)

// holdAtMost is how long a delivery is held until its endpoint may be called. It goes back to its queue where
// that takes longer, so that others are delivered meanwhile.
const holdAtMost = 100 * time.Millisecond

// paces keeps the pace that delivery policies set for their endpoints, each process its own.
type paces struct {
	mu sync.Mutex
	of map[subscriptionRef]*rate.Limiter
}

// early says that an endpoint may not be called yet.
type early struct{ after time.Duration }

func (e *early) Error() string { return fmt.Sprintf("the endpoint may be called in %v", e.after) }

// pacing is how long a delivery stays away that came too early so many times.
var pacing = courier.Backoff{Shortest: time.Second, Longest: time.Minute}

// wait waits until the endpoint may be called, or answers that this takes too long.
func (p *paces) wait(ctx context.Context, of subscriptionRef, perSecond int, now time.Time) error {
	p.mu.Lock()
	l := p.of[of]
	if l == nil || l.Limit() != rate.Limit(perSecond) {
		l = rate.NewLimiter(rate.Limit(perSecond), 1)
		p.of[of] = l
	}
	p.mu.Unlock()
	r := l.ReserveN(now, 1)
	after := r.DelayFrom(now)
	if after > holdAtMost {
		r.CancelAt(now)
		return &early{after}
	}
	t := time.NewTimer(after)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
