package control

import "syscall"

// Conn is the supervisor's end: a connected socket that keeps datagrams apart. One goroutine may
// receive while others send.
type Conn struct {
	fd     int
	buffer []byte
}

// NewConn speaks over a socket.
func NewConn(fd int) *Conn { return &Conn{fd: fd, buffer: make([]byte, MaxSize)} }

// Send sends a message with descriptors beside it.
func (c *Conn) Send(m Message, files ...int) error {
	var rights []byte
	if len(files) > 0 {
		rights = syscall.UnixRights(files...)
	}
	for {
		err := syscall.Sendmsg(c.fd, Encode(m), rights, nil, syscall.MSG_NOSIGNAL)
		if err != syscall.EINTR {
			return err
		}
	}
}

// Receive waits for the next message. At the end of the connection the message is nil. The descriptors
// are closed on exec.
func (c *Conn) Receive() (Message, []int, error) {
	var rights [4096]byte
	for {
		n, nr, flags, _, err := syscall.Recvmsg(c.fd, c.buffer, rights[:], syscall.MSG_CMSG_CLOEXEC)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil || n == 0:
			return nil, nil, err
		}
		files, err := Files(rights[:nr])
		if err != nil || flags&(syscall.MSG_TRUNC|syscall.MSG_CTRUNC) != 0 {
			return nil, files, ErrMalformed
		}
		m, err := Decode(c.buffer[:n])
		return m, files, err
	}
}

// Files takes the descriptors from the ancillary data of a datagram.
func Files(rights []byte) ([]int, error) {
	if len(rights) == 0 {
		return nil, nil
	}
	parts, err := syscall.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, err
	}
	var files []int
	for i := range parts {
		fds, err := syscall.ParseUnixRights(&parts[i])
		if err != nil {
			return files, err
		}
		files = append(files, fds...)
	}
	return files, nil
}
