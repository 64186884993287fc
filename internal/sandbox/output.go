package sandbox

import (
	"io"
	"os"
	"sync"
	"syscall"

	"cirro/internal/rawio"
)

// output reads what processes of an environment print. Standard output and standard error are one
// pipe, so that their lines stay in order.
type output struct {
	read  *os.File
	write *os.File
	ended chan struct{}

	lock  sync.Mutex // held while bytes on their way out of the pipe are not yet in the log
	lines splitter
	kept  []string
}

// buffers are what pipes are read with; few are in use at a time.
var buffers = sync.Pool{New: func() any { return new([32 * 1024]byte) }}

// pipeSize is how much a pipe holds: what was printed before a moment is within that many bytes.
const pipeSize = 64 * 1024

// newOutput makes a pipe and starts to read it. Without emit, to has to follow: until then what is read
// is kept.
func newOutput(emit func(record string)) (*output, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	w.Fd() // makes this end block, as programs expect of what they print to
	o := &output{read: r, write: w, ended: make(chan struct{})}
	o.lines.emit = emit
	if emit == nil {
		o.lines.emit = func(record string) { o.kept = append(o.kept, record) }
	}
	go o.follow()
	return o, nil
}

// to says where records go, from the first one on.
func (o *output) to(emit func(record string)) {
	o.lock.Lock()
	defer o.lock.Unlock()
	for _, record := range o.kept {
		emit(record)
	}
	o.kept, o.lines.emit = nil, emit
}

// follow reads until the pipe's other end is closed everywhere.
func (o *output) follow() {
	defer close(o.ended)
	conn, err := o.read.SyscallConn()
	if err != nil {
		return
	}
	conn.Read(func(fd uintptr) bool {
		for {
			o.lock.Lock()
			n, err := o.step(fd)
			o.lock.Unlock()
			if err == syscall.EAGAIN {
				return false // wait until there is more
			}
			if err != nil || n == 0 {
				return true
			}
		}
	})
}

// step moves what the pipe has at once into the log.
func (o *output) step(fd uintptr) (int, error) {
	buffer := buffers.Get().(*[32 * 1024]byte)
	defer buffers.Put(buffer)
	for {
		n, err := rawio.Read(fd, buffer[:])
		if err == syscall.EINTR {
			continue
		}
		if n > 0 {
			o.lines.Write(buffer[:n])
		}
		return n, err
	}
}

// drain returns when everything that was printed before it was called is in the log, a last line
// without an end included.
func (o *output) drain() {
	conn, err := o.read.SyscallConn()
	if err != nil {
		return
	}
	o.lock.Lock()
	defer o.lock.Unlock()
	conn.Control(func(fd uintptr) {
		for total := 0; total < pipeSize; {
			n, err := o.step(fd)
			if n <= 0 || err != nil {
				return
			}
			total += n
		}
	})
	o.lines.flush(false)
}

// started closes this side's copy of the end that processes write to, once they have theirs.
func (o *output) started() { o.write.Close() }

// close ends the reading; what is printed later is lost.
func (o *output) close() {
	o.write.Close()
	o.read.Close()
	<-o.ended
}

var _ io.Writer = (*splitter)(nil)
