package entry

import (
	"syscall"

	"cirro/internal/sandbox/jail/control"
)

// openForever opens mounts for a host without the right to, from inside a user namespace that has it.
func openForever(conn *control.Conn) {
	for {
		m, _, err := conn.Receive()
		open, ok := m.(*control.Open)
		if !ok || err != nil {
			return
		}
		mounts, err := openAll(open.Paths)
		if err != nil {
			conn.Send(failed(err))
		} else {
			conn.Send(&control.Opened{}, mounts...)
		}
		for _, fd := range mounts {
			syscall.Close(fd)
		}
	}
}

func openAll(paths []string) ([]int, error) {
	var mounts []int
	for _, p := range paths {
		fd, err := OpenMount(p)
		if err != nil {
			for _, fd := range mounts {
				syscall.Close(fd)
			}
			return nil, err
		}
		mounts = append(mounts, fd)
	}
	return mounts, nil
}

// OpenMount makes a detached copy of what lies at a path, with the mounts under it: read-only, without
// set-uid and, but for the devices under /dev themselves, without devices.
func OpenMount(at string) (int, error) {
	fd, err := openTree(at)
	if err != nil {
		return -1, wrap("open "+at, err)
	}
	attributes := uintptr(attrReadOnly | attrNoSuid | attrNoDev)
	if len(at) > 5 && at[:5] == "/dev/" {
		attributes = attrReadOnly | attrNoSuid | attrNoExec
	}
	if err := restrict(fd, "", atEmptyPath|atRecursive, attributes); err != nil {
		syscall.Close(fd)
		return -1, wrap("restrict "+at, err)
	}
	return fd, nil
}
