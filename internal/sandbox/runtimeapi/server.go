package runtimeapi

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// Server serves the connections of what runs in one environment. Of a runtime's two usual requests, for
// its next invocation and with a buffered response, it reads and writes the bytes itself: that costs a
// third of what net/http's general way does. A connection on which anything else is asked goes over to
// net/http, with what was read of it, before any of the request is acted upon.
type Server struct {
	runtime *Runtime
	rest    *http.Server
	exited  <-chan struct{}

	lock     sync.Mutex
	listener net.Listener
	open     map[*conn]struct{}
	closed   bool
}

// NewServer makes a server in which rest answers what a Runtime's quick way does not: all that is under
// Prefix it must give to rt. exited is closed when the runtime's program has ended.
func NewServer(rt *Runtime, rest http.Handler, exited <-chan struct{}) *Server {
	return &Server{runtime: rt, exited: exited, rest: &http.Server{Handler: rest}, open: map[*conn]struct{}{}}
}

// Serve accepts connections until Close.
func (s *Server) Serve(l net.Listener) error {
	s.lock.Lock()
	s.listener = l
	closed := s.closed
	s.lock.Unlock()
	if closed {
		l.Close()
		return http.ErrServerClosed
	}
	for {
		nc, err := l.Accept()
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED) {
			time.Sleep(5 * time.Millisecond) // as net/http does: others give files back
			continue
		}
		if err != nil {
			return err
		}
		c := &conn{Conn: nc, runtime: s.runtime, exited: s.exited, sent: make(chan struct{}, 1)}
		if !s.remember(c) {
			nc.Close()
			return http.ErrServerClosed
		}
		go s.serve(c)
	}
}

// serve serves a connection to its end, or until it goes over to net/http.
func (s *Server) serve(c *conn) {
	usual := c.serve()
	s.lock.Lock()
	delete(s.open, c)
	s.lock.Unlock()
	if usual {
		c.Close()
		return
	}
	unread := append([]byte(nil), c.in[c.at:c.end]...)
	if s.rest.Serve(&single{conn: &resumed{Conn: c.Conn, unread: unread}}) == http.ErrServerClosed {
		c.Close()
	}
}

func (s *Server) remember(c *conn) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.closed {
		return false
	}
	s.open[c] = struct{}{}
	return true
}

// Close closes the listener and all connections.
func (s *Server) Close() error {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.closed = true
	if s.listener != nil {
		s.listener.Close()
	}
	for c := range s.open {
		c.Close()
	}
	return s.rest.Close()
}

// single is a listener that accepts one connection. net/http goes on serving it after the error that
// says there are no more.
type single struct{ conn net.Conn }

func (l *single) Accept() (net.Conn, error) {
	c := l.conn
	if c == nil {
		return nil, io.EOF
	}
	l.conn = nil
	return c, nil
}

func (l *single) Close() error   { return nil }
func (l *single) Addr() net.Addr { return &net.TCPAddr{} }

// resumed is a connection of which some bytes were read already.
type resumed struct {
	net.Conn
	unread []byte
}

func (c *resumed) Read(p []byte) (int, error) {
	if len(c.unread) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.unread)
	c.unread = c.unread[n:]
	return n, nil
}
