package pebble

import (
	"sync/atomic"
	"time"
)

const (
	// many is how many commits under way make a crowd.
	many = 6
	// gathering is how long the log waits between two syncs while there is a crowd: so more of it share the next
	// one, and a sync is what costs most of a small commit.
	gathering = 200 * time.Microsecond
)

// crowd counts the commits that wait for the disk.
type crowd struct{ n atomic.Int32 }

// interval is how long the log is to wait after a sync.
func (c *crowd) interval() time.Duration {
	if c.n.Load() < many {
		return 0
	}
	return gathering
}
