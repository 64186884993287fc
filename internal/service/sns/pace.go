package sns

import (
	"context"
	"sync"

	"golang.org/x/time/rate"
)

// paces keeps the pace that delivery policies set for their endpoints, each process its own.
type paces struct {
	mu sync.Mutex
	of map[subscriptionRef]*rate.Limiter
}

// wait waits until the endpoint may be called.
func (p *paces) wait(ctx context.Context, of subscriptionRef, perSecond int) error {
	p.mu.Lock()
	l := p.of[of]
	if l == nil || l.Limit() != rate.Limit(perSecond) {
		l = rate.NewLimiter(rate.Limit(perSecond), 1)
		p.of[of] = l
	}
	p.mu.Unlock()
	return l.Wait(ctx)
}
