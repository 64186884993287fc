package express

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"cirro/internal/rawio"
)

// Server is an http.Server that leaves some requests to a quicker way. A handler cannot tell the two
// apart, but that on the quick way the request's context does not end when the client goes, and that a
// reply is sent when it is whole: there is no http.Flusher, and nothing is informational. Instead its http.ResponseWriter
// has a method Postpone, by which the handler leaves the request to net/http.
type Server struct {
	// HTTP serves whatever is not taken. Its ConnState is the Server's own.
	HTTP *http.Server
	// Takes says whether a request with such a head is answered on the quick way, by HTTP.Handler.
	Takes func(*Head) bool
	// Wrap, where not nil, makes of a listener the one whose connections net/http sees. Those connections
	// must have a method NetConn that returns the wrapped one.
	Wrap func(net.Listener) net.Listener

	context context.Context // of the requests taken
	closing atomic.Bool

	lock sync.Mutex
	open map[*conn]struct{}
}

// Serve accepts connections until Shutdown or Close; it returns http.ErrServerClosed then.
func (s *Server) Serve(l net.Listener) error {
	s.lock.Lock()
	s.open = map[*conn]struct{}{}
	s.lock.Unlock()
	s.context = context.WithValue(context.Background(), http.ServerContextKey, s.HTTP)
	s.HTTP.ConnState = changed
	l = &listener{l, s}
	if s.Wrap != nil {
		l = s.Wrap(l)
	}
	return s.HTTP.Serve(l)
}

// changed is told by net/http what it is about on a connection.
func changed(nc net.Conn, state http.ConnState) {
	if state != http.StateIdle {
		return
	}
	for {
		switch c := nc.(type) {
		case *conn:
			c.idle = true
			return
		case interface{ NetConn() net.Conn }:
			nc = c.NetConn()
		default:
			return
		}
	}
}

type listener struct {
	net.Listener
	server *Server
}

func (l *listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: rawio.New(nc), server: l.server, idle: true, timed: true}
	c.blank = (&http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: nc.RemoteAddr().String()}).
		WithContext(context.WithValue(l.server.context, http.LocalAddrContextKey, nc.LocalAddr()))
	l.server.lock.Lock()
	defer l.server.lock.Unlock()
	l.server.open[c] = struct{}{}
	return c, nil
}

func (s *Server) forget(c *conn) {
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(s.open, c)
}

// Shutdown does as http.Server's: it lets the requests under way end until ctx does.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closing.Store(true)
	ended := make(chan error, 1)
	go func() { ended <- s.HTTP.Shutdown(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for rested := false; ; {
		busy := s.closeResting()
		select {
		case err := <-ended:
			if err != nil {
				return err
			}
			rested = true
			ended = nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if rested && busy == 0 {
			return nil
		}
	}
}

// closeResting closes the connections on which nothing but requests taken have come, unless one is being
// answered: net/http holds them for new. It returns how many are being answered.
func (s *Server) closeResting() (busy int) {
	s.lock.Lock()
	var resting []*conn
	for c := range s.open {
		switch c.stage.Load() {
		case answering, closing:
			busy++
		case rested:
			resting = append(resting, c)
		}
	}
	s.lock.Unlock()
	for _, c := range resting {
		c.Close()
	}
	return busy
}

// Close ends all connections at once.
func (s *Server) Close() error {
	s.closing.Store(true)
	err := s.HTTP.Close()
	s.lock.Lock()
	defer s.lock.Unlock()
	for c := range s.open {
		c.Conn.Close()
	}
	return err
}
