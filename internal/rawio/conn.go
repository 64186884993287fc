package rawio

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// maxAtOnce is how much may be written in this way: a greater piece takes its time.
const maxAtOnce = 64 << 10

// Conn is a net.Conn whose Read and Write go this way, where it is made of a socket of the kernel's.
type Conn struct {
	net.Conn
	raw     syscall.RawConn // nil where it is made of something else
	in, out transfer
}

// transfer is a Read or a Write under way.
type transfer struct {
	turn sync.Mutex
	step func(fd uintptr) (done bool) // goes on with it
	p    []byte
	n    int
	err  error
}

// ReadFrom implements io.ReaderFrom: it writes what r has, a file within the kernel.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	c.out.turn.Lock()
	defer c.out.turn.Unlock()
	if to, ok := c.Conn.(io.ReaderFrom); ok {
		return to.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}

// begin lets a Read or Write begin when the one before has ended.
func (t *transfer) begin(p []byte) {
	t.turn.Lock()
	t.p, t.n, t.err = p, 0, nil
}

// end ends it.
func (t *transfer) end() {
	t.p = nil
	t.turn.Unlock()
}

// New makes a Conn of a connection, which is used through it alone from then on.
func New(nc net.Conn) *Conn {
	c := &Conn{Conn: nc}
	c.prepare()
	return c
}
