package sandbox

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// newImageFile makes a file in memory.
func newImageFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("snapshot", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), "snapshot"), nil
}

// seal sees that nobody changes the file any more, whoever has it.
func (i *image) seal() error {
	const all = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	conn, err := i.file.SyscallConn()
	if err != nil {
		return err
	}
	failed := conn.Control(func(fd uintptr) { _, err = unix.FcntlInt(fd, unix.F_ADD_SEALS, all) })
	if failed != nil {
		return failed
	}
	return err
}
