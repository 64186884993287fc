package rawio

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

func (c *Conn) prepare() {
	s, ok := c.Conn.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := s.SyscallConn(); err == nil {
		c.raw, c.in.step, c.out.step = raw, c.in.read, c.out.write
	}
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if c.raw == nil || len(p) == 0 {
		return c.Conn.Read(p)
	}
	c.in.begin(p)
	defer c.in.end()
	if err := c.raw.Read(c.in.step); err != nil {
		return 0, named("read", err)
	}
	if c.in.err != nil {
		return 0, c.failed("read", c.in.err)
	}
	if c.in.n == 0 {
		return 0, io.EOF
	}
	return c.in.n, nil
}

// read reads what there is, and is done unless there is nothing.
func (t *transfer) read(fd uintptr) bool {
	for {
		t.n, t.err = Read(fd, t.p)
		switch t.err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			return true
		}
	}
}

// Write implements net.Conn.
func (c *Conn) Write(p []byte) (int, error) {
	if c.raw == nil || len(p) == 0 || len(p) > maxAtOnce {
		return c.Conn.Write(p)
	}
	c.out.begin(p)
	defer c.out.end()
	if err := c.raw.Write(c.out.step); err != nil {
		return c.out.n, named("write", err)
	}
	if c.out.err != nil {
		return c.out.n, c.failed("write", c.out.err)
	}
	return c.out.n, nil
}

// write writes what there is room for, and is done when nothing is left.
func (t *transfer) write(fd uintptr) bool {
	for t.n < len(t.p) {
		n, errno := call(syscall.SYS_WRITE, fd, t.p[t.n:])
		switch errno {
		case 0:
			t.n += n
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			t.err = errno
			return true
		}
	}
	return true
}

// Read reads from a descriptor that does not block: EAGAIN says that there is nothing.
func Read(fd uintptr, p []byte) (int, error) {
	n, errno := call(syscall.SYS_READ, fd, p)
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}

func call(number, fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	return int(n), errno
}

// named makes an error of the connection's one of an operation, as the net package has it.
func named(operation string, err error) error {
	if e, ok := err.(*net.OpError); ok {
		e.Op = operation
	}
	return err
}

// failed is an error of the kernel's, as the net package has it.
func (c *Conn) failed(operation string, err error) error {
	return &net.OpError{Op: operation, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(),
		Err: os.NewSyscallError(operation, err)}
}
