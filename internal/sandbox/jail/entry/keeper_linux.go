package entry

import (
	"syscall"

	"cirro/internal/sandbox/jail/control"
)

// keep does for a host of an unprivileged user what that user may in a user namespace alone: it opens
// mounts, and bears the processes whose namespaces lie under its own.
func keep(conn *control.Conn) {
	// Nobody here waits for a supervisor's end: the host learns of it by the process's descriptor.
	if err := ignore(syscall.SIGCHLD); err != nil {
		return
	}
	for {
		m, files, err := conn.Receive()
		if m == nil || err != nil {
			return
		}
		var answer []int
		switch m := m.(type) {
		case *control.Open:
			answer, err = openAll(m.Paths)
			reply(conn, err, &control.Opened{}, answer...)
		case *control.Bear:
			pid, process, err := bear(m, files)
			answer = []int{process}
			reply(conn, err, &control.Born{PID: int64(pid)}, answer...)
		}
		for _, fd := range append(answer, files...) {
			syscall.Close(fd)
		}
	}
}

// reply answers the host: with a message, or an error.
func reply(conn *control.Conn, err error, m control.Message, files ...int) {
	if err != nil {
		conn.Send(failed(err))
		return
	}
	conn.Send(m, files...)
}

// bear starts this program again in a role.
//
// A supervisor gets a user namespace of its own under this one's, which owns its other namespaces: it has
// no rights over another's. A zygote stays in this one's, from where it has the rights to enter all. What
// it forks is to be the host's child, so that it has to be that too.
func bear(m *control.Bear, files []int) (pid, process int, err error) {
	if len(files) != 1 && len(files) != 2 {
		return 0, -1, &fault{"count descriptors", syscall.EBADMSG}
	}
	a := &syscall.SysProcAttr{Cloneflags: Namespaces(m.Role), Setsid: true, PidFD: &process}
	role := m.Role
	switch role {
	case Supervisor:
		role = underKeeper
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.AmbientCaps = supervisorRights
		if len(files) == 2 {
			a.UseCgroupFD, a.CgroupFD = true, files[1]
		}
	case Zygote:
		a.Cloneflags |= cloneParent
	}
	null, err := syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, -1, wrap("open /dev/null", err)
	}
	defer syscall.Close(null)
	pid, err = syscall.ForkExec(Self, Arguments(role), &syscall.ProcAttr{
		Env: Environment(role), Files: []uintptr{uintptr(null), uintptr(null), 2, uintptr(files[0])}, Sys: a,
	})
	if err != nil {
		return 0, -1, wrap("start a "+m.Role, err)
	}
	return pid, process, nil
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
