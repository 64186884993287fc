package sandbox

import (
	"net"
	"sync"

	"cirro/internal/rawio"
)

// connections counts the connections of an environment's processes to the platform. When the last one
// is closed, all that was said over them has been heard.
type connections struct {
	lock    sync.Mutex
	open    int
	waiting []chan struct{}
}

// listen makes the connections of a listener count, from their acceptance until they are closed.
func (c *connections) listen(l net.Listener) net.Listener { return &counting{l, c} }

type counting struct {
	net.Listener
	connections *connections
}

func (l *counting) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.connections.lock.Lock()
	defer l.connections.lock.Unlock()
	l.connections.open++
	return &counted{Conn: rawio.New(nc), connections: l.connections}, nil
}

type counted struct {
	net.Conn
	connections *connections
	once        sync.Once
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.connections.close)
	return err
}

func (c *connections) close() {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.open--; c.open > 0 {
		return
	}
	for _, w := range c.waiting {
		close(w)
	}
	c.waiting = nil
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
