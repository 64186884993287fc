// Package standing is a clock for tests of services: it stands until a test moves it.
package standing

import (
	"sync"
	"time"
)

// Clock is a clock that stands. It may be used by many at once.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// At makes a clock that stands at a time.
func At(now time.Time) *Clock { return &Clock{now: now} }

// Now is the time that it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Add moves it on.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
