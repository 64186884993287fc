//go:build !linux

package rawio

import "syscall"

func (c *Conn) prepare() {}

// Read reads from a descriptor that does not block: EAGAIN says that there is nothing.
func Read(fd uintptr, p []byte) (int, error) { return syscall.Read(int(fd), p) }
