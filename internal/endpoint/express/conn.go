package express

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// usualBuffer is how much a connection's buffer holds as long as no request needs more.
	usualBuffer = 4 << 10
	// maxHead is how long a head may be, and maxBody a body, of a request that is taken.
	maxHead = 16 << 10
	maxBody = 64 << 10
)

// The stages of a connection. One that is closed while a request on it is being answered ends after that.
const (
	fresh     = iota // net/http knows best what happens here
	rested           // the request taken last was answered
	answering        // a request taken is being answered
	closing          // and is the last
)

// conn is a connection as net/http sees it. When net/http reads because it waits for a request, the
// requests that are taken are answered within that Read, until one comes that is net/http's. Of that one
// net/http gets all bytes, and of what follows none: so it is known where the next request begins.
type conn struct {
	net.Conn
	server *Server

	in      []byte
	at, end int // of in, what is not yet used

	idle    bool  // net/http waits for a request, or will when it reads next
	left    int64 // how much net/http has not yet read of its request
	ahead   int   // 1 where net/http has the next request's first byte: it watches whether the client goes
	through bool  // all that comes is net/http's
	timed   bool  // reading has a deadline that is to be lifted
	over    bool  // nothing more is read: net/http may ask twice, where it looks for HTTP/2 first

	lines []line // space for a head's
	reply reply
	last  lastTarget
	blank *http.Request // what all requests have in common

	stage  atomic.Int32
	forget sync.Once
}

// Read implements net.Conn for net/http.
func (c *conn) Read(p []byte) (int, error) {
	if c.over {
		return 0, io.EOF
	}
	if c.idle && c.left == 0 && !c.through {
		if err := c.advance(); err != nil {
			return 0, err
		}
	}
	if c.through {
		return c.readThrough(p)
	}
	if c.left == 0 {
		return c.watch(p)
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.readSome(p)
	c.left -= int64(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom for net/http, which sends files by it.
func (c *conn) ReadFrom(r io.Reader) (int64, error) { return c.Conn.(io.ReaderFrom).ReadFrom(r) }

// readSome reads what is there, or from the connection below.
func (c *conn) readSome(p []byte) (int, error) {
	if c.at == c.end {
		return c.Conn.Read(p)
	}
	n := copy(p, c.in[c.at:c.end])
	c.at += n
	return n, nil
}

// readThrough reads on a connection that is net/http's for good.
func (c *conn) readThrough(p []byte) (int, error) {
	n, err := c.readSome(p)
	if c.at == c.end {
		c.in = nil
		c.at, c.end = 0, 0
	}
	return n, err
}

// watch reads while net/http serves its request: it wants to know whether the client goes. What comes
// instead is the next request, of which it gets one byte.
func (c *conn) watch(p []byte) (int, error) {
	if c.ahead > 0 || len(p) == 0 {
		return 0, nil // net/http never asks for a second byte
	}
	if c.at == c.end {
		if err := c.fill(usualBuffer); err != nil {
			return 0, err
		}
	}
	p[0] = c.in[c.at]
	c.ahead = 1
	return 1, nil
}

// advance answers the requests that are taken, and returns when net/http is to read one.
func (c *conn) advance() error {
	for c.idle {
		h, size, plain, err := c.head()
		if err != nil {
			return err
		}
		c.lift()
		if !plain {
			c.pass(-1)
			continue
		}
		if c.ahead > 0 || h.length > maxBody || !c.server.Takes(&h) {
			c.pass(int64(size) + h.length)
			continue
		}
		if !c.answer(&h, size) {
			c.over = true
			return io.EOF // which net/http does not answer
		}
	}
	return nil
}

// pass leaves the next request to net/http: so many bytes, or all that come where that is not known.
func (c *conn) pass(size int64) {
	c.stage.CompareAndSwap(rested, fresh)
	c.idle = false
	c.through = size < 0
	c.left = size - int64(c.ahead)
	c.at += c.ahead
	c.ahead = 0
}

// head waits for the next request's head and reads it. Nothing of it is used up; size is its length.
func (c *conn) head() (h Head, size int, plain bool, err error) {
	for {
		if i := bytes.Index(c.in[c.at:c.end], []byte("\r\n\r\n")); i >= 0 {
			size = i + 4
			h, plain = parse(string(c.in[c.at:c.at+size]), c.lines)
			c.lines = h.lines
			return h, size, plain, nil
		}
		if c.end-c.at >= maxHead || c.end > c.at && !begins(c.in[c.at:c.end]) {
			return h, 0, false, nil
		}
		if limit := c.server.HTTP.ReadHeaderTimeout; c.end > c.at && limit > 0 && !c.timed {
			c.timed = true
			c.Conn.SetReadDeadline(time.Now().Add(limit))
		}
		if err := c.fill(usualBuffer); err != nil {
			return h, 0, false, err
		}
	}
}

// lift lifts the deadline that a head has.
func (c *conn) lift() {
	if c.timed {
		c.timed = false
		c.Conn.SetReadDeadline(time.Time{})
	}
}

// fill reads what there is to read, into a buffer of at least so many bytes.
func (c *conn) fill(size int) error {
	if c.at == c.end {
		c.at, c.end = 0, 0
		if cap(c.in) > usualBuffer && size <= usualBuffer {
			c.in = nil
		}
	}
	if c.end == len(c.in) || size > len(c.in) {
		in := c.in
		if size = max(size, 2*(c.end-c.at)); size > len(in) {
			in = make([]byte, size)
		}
		c.end = copy(in, c.in[c.at:c.end])
		c.in, c.at = in, 0
	}
	n, err := c.Conn.Read(c.in[c.end:])
	c.end += n
	if n > 0 {
		return nil
	}
	return err
}

// answer answers the request at the buffer's beginning. It returns false where the connection ends.
func (c *conn) answer(h *Head, size int) bool {
	if !c.stage.CompareAndSwap(fresh, answering) && !c.stage.CompareAndSwap(rested, answering) {
		return false
	}
	defer c.answered()
	whole := size + int(h.length)
	for c.end-c.at < whole {
		if c.fill(max(usualBuffer, whole)) != nil {
			return false
		}
	}
	x, ok := c.request(h, c.in[c.at+size:c.at+whole])
	if !ok { // it is in plain form, and wrong: net/http says so
		c.pass(int64(whole))
		return true
	}
	c.reply.begin(c)
	c.server.HTTP.Handler.ServeHTTP(&c.reply, &x.request)
	x.body.Close()
	if c.reply.postponed {
		c.pass(int64(whole))
		return true
	}
	c.at += whole
	return c.reply.end()
}

// answered ends an answer; also where the handler panics, which is net/http's to report.
func (c *conn) answered() {
	next := int32(rested)
	if !c.idle { // it was passed on
		next = fresh
	}
	if !c.stage.CompareAndSwap(answering, next) {
		c.Close()
	}
}

// Close implements net.Conn. net/http closes connections on which it waits for a request, when it shuts
// down: it does not know of the one that is being answered.
func (c *conn) Close() error {
	if c.stage.CompareAndSwap(answering, closing) {
		return nil
	}
	c.forget.Do(func() { c.server.forget(c) })
	return c.Conn.Close()
}
