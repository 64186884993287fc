// Package headercase remembers how a client spelled the names of its headers. HTTP does not care, and
// net/http forgets; but an event for a function holds the names as they were sent, and functions look
// them up so.
//
// It works beside net/http: a listener whose connections keep the last bytes that they read, in which
// the head of the request under way is looked up. Where the server was not set up with it, or speaks
// HTTP/2, there are simply no other spellings to tell.
package headercase

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/textproto"
	"sync"
)

// maxHead is the size of a head that is remembered for sure: API Gateway takes no greater one.
const maxHead = 10 << 10

// Listener makes the connections of l remember. The server also needs ConnContext.
func Listener(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c}, nil
}

// conn keeps the tail of what was read: at least maxHead bytes, where there were so many.
type conn struct {
	net.Conn
	mu   sync.Mutex
	tail []byte
}

// NetConn returns the connection below.
func (c *conn) NetConn() net.Conn { return c.Conn }

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.keep(p[:n])
	return n, err
}

// ReadFrom implements io.ReaderFrom, by which net/http sends files.
func (c *conn) ReadFrom(r io.Reader) (int64, error) {
	if to, ok := c.Conn.(io.ReaderFrom); ok {
		return to.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

func (c *conn) keep(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(p) > 2*maxHead {
		p = p[len(p)-2*maxHead:]
	}
	if over := len(c.tail) + len(p) - 2*maxHead; over > 0 {
		// Room is made by halves, so that few reads have to.
		cut := min(len(c.tail), max(over, len(c.tail)-maxHead))
		c.tail = c.tail[:copy(c.tail, c.tail[cut:])]
	}
	c.tail = append(c.tail, p...)
}

type connKey struct{}

// ConnContext is for http.Server's field of that name.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*conn); ok {
		return context.WithValue(ctx, connKey{}, c)
	}
	return ctx
}

// Names returns the names of the request's headers that the client spelled otherwise than net/http
// does, by net/http's spelling. It is to be called before the body is read.
func Names(r *http.Request) map[string]string {
	c, ok := r.Context().Value(connKey{}).(*conn)
	if !ok || r.ProtoMajor != 1 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return find(c.tail, r.Method+" "+r.RequestURI+" "+r.Proto+"\r\n", r.Header)
}

// find looks for the head that starts with a request line and has all the given headers, from the end
// of the tail: a body may hold what looks like a head.
func find(tail []byte, requestLine string, header http.Header) map[string]string {
	for {
		at := bytes.LastIndex(tail, []byte(requestLine))
		if at < 0 {
			return nil
		}
		if names := parse(tail[at+len(requestLine):]); hasAll(names, header) {
			maps.DeleteFunc(names, func(canonical, name string) bool { return canonical == name })
			return names
		}
		tail = tail[:at]
	}
}

func hasAll(names map[string]string, header http.Header) bool {
	for name := range header {
		if _, ok := names[name]; !ok {
			return false
		}
	}
	return true
}

// parse returns the names of a head's headers by net/http's spelling.
func parse(head []byte) map[string]string {
	names := map[string]string{}
	for {
		line, rest, ok := bytes.Cut(head, []byte("\n"))
		name, _, isHeader := bytes.Cut(line, []byte(":"))
		if !ok || !isHeader {
			return names
		}
		head = rest
		names[textproto.CanonicalMIMEHeaderKey(string(name))] = string(name)
	}
}
