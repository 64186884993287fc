package sandbox

import (
	"net"
	"net/http"
	"sync"
)

// connections counts the connections of an environment's processes to the platform. When the last one
// is closed, all that was said over them has been heard.
type connections struct {
	lock    sync.Mutex
	open    int
	waiting []chan struct{}
}

// state is an http.Server's ConnState.
func (c *connections) state(_ net.Conn, s http.ConnState) {
	c.lock.Lock()
	defer c.lock.Unlock()
	switch s {
	case http.StateNew:
		c.open++
	case http.StateClosed, http.StateHijacked:
		if c.open--; c.open == 0 {
			for _, w := range c.waiting {
				close(w)
			}
			c.waiting = nil
		}
	}
}

// none is closed once there are no connections.
func (c *connections) none() <-chan struct{} {
	c.lock.Lock()
	defer c.lock.Unlock()
	w := make(chan struct{})
	if c.open == 0 {
		close(w)
		return w
	}
	c.waiting = append(c.waiting, w)
	return w
}
