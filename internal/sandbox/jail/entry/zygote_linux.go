package entry

import (
	"syscall"

	"cirro/internal/sandbox/jail/control"
)

// hatch builds a root as that of the jails and becomes the program that jails' programs are forked from.
// The program inherits the connection to the host.
func hatch(conn *control.Conn) {
	for {
		m, files, err := conn.Receive()
		if m == nil || err != nil {
			return
		}
		switch m := m.(type) {
		case *control.Build:
			if _, err = build(m, files); err == nil {
				err = seal()
			}
			if err != nil {
				conn.Send(failed(err))
				return
			}
			conn.Send(&control.Built{})
		case *control.Start:
			turnInto(m, files)
			return
		}
	}
}

// turnInto executes a program in place of this one.
func turnInto(m *control.Start, files []int) {
	if len(files) != 2 || forbidDumps() != nil || limitSignals() != nil {
		return
	}
	for i, fd := range files {
		if syscall.Dup3(fd, i+1, 0) != nil {
			return
		}
	}
	if handOnCapabilities(zygoteRights) != nil || prctl(prSetNoNewPrivs, 1, 0) != nil {
		return
	}
	if _, err := call(syscall.SYS_FCNTL, ControlFD, syscall.F_SETFD, 0); err != nil {
		return
	}
	syscall.Exec(m.Path, m.Args, m.Env)
}
