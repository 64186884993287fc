package jail

import (
	"net"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"cirro/internal/sandbox/jail/cgroup"
	"cirro/internal/sandbox/jail/entry"
)

// spawner starts supervisors from a thread of its own: the kernel ends a process whose parent's thread
// ends, and this one does not while the program runs.
type spawner struct{ births chan birth }

type birth struct {
	role       string
	attributes *syscall.SysProcAttr
	group      *cgroup.Group // nil for none
	done       chan<- born
}

type born struct {
	spawned *spawned
	err     error
}

// spawned is a supervisor or a broker.
type spawned struct {
	process *os.Process
	conn    *net.UnixConn
	done    chan struct{} // closed at its end
}

func startSpawner() *spawner {
	s := &spawner{births: make(chan birth)}
	go func() {
		runtime.LockOSThread()
		for b := range s.births {
			b.done <- b.bear()
		}
	}()
	return s
}

// begin starts a process soon.
func (s *spawner) begin(role string, a *syscall.SysProcAttr, g *cgroup.Group) <-chan born {
	done := make(chan born, 1)
	s.births <- birth{role, a, g, done}
	return done
}

func (b birth) bear() (p born) {
	if b.group == nil {
		p.spawned, p.err = spawn(b.role, b.attributes)
		return p
	}
	p.err = b.group.Bear(func() (int, error) {
		var err error
		if p.spawned, err = spawn(b.role, b.attributes); err != nil {
			return 0, err
		}
		return p.spawned.process.Pid, nil
	})
	return p
}

func (s *spawner) close() { close(s.births) }

// birth is how the first process of a jail is made: in namespaces of its own, in a group of version 2
// where there is one. The namespace of control groups comes later, from inside, once the process is in
// all its groups.
func (h *walledHost) birth(group int) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		Setsid:     true, Pdeathsig: syscall.SIGKILL,
	}
	if group >= 0 {
		a.UseCgroupFD, a.CgroupFD = true, group
	}
	if h.mode == Rootless {
		inUserNamespace(a)
	}
	return a
}

// insideUser is the user and the group that a program sees itself as where only one can be had.
const insideUser = 993

// inUserNamespace gives a process all rights inside a namespace, of which the host knows only that it is
// this user's.
func inUserNamespace(a *syscall.SysProcAttr) {
	a.Cloneflags |= unix.CLONE_NEWUSER
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: insideUser, HostID: os.Geteuid(), Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: insideUser, HostID: os.Getegid(), Size: 1}}
	a.AmbientCaps = []uintptr{
		unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_NET_BIND_SERVICE, unix.CAP_SETPCAP, unix.CAP_KILL,
	}
}

// spawn starts this program again in a role, with a connection to it.
func spawn(role string, a *syscall.SysProcAttr) (*spawned, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "jail"), os.NewFile(uintptr(pair[1]), "jail")
	defer ours.Close()
	defer theirs.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, err
	}
	process, err := os.StartProcess("/proc/self/exe", []string{"cirro-" + role}, &os.ProcAttr{
		Dir: "/",
		// Small and single: it mostly waits. Nothing is ever garbage enough to collect.
		Env:   []string{entry.Marker + "=" + role, "GOGC=off", "GOMAXPROCS=1", "GOTRACEBACK=none"},
		Files: []*os.File{null, null, os.Stderr, theirs},
		Sys:   a,
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	p := &spawned{process: process, conn: conn.(*net.UnixConn), done: make(chan struct{})}
	go func() {
		awaitEnd(process)
		process.Wait()
		close(p.done)
	}()
	return p, nil
}

// awaitEnd waits for a process's end without a thread of its own, of which hundreds of jails would need
// hundreds. Where the kernel cannot tell so (before Linux 5.10) it returns at once.
func awaitEnd(p *os.Process) {
	fd, err := unix.PidfdOpen(p.Pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), "process")
	defer f.Close()
	conn, err := f.SyscallConn()
	if err != nil {
		return
	}
	conn.Read(func(fd uintptr) bool {
		var ended unix.Siginfo
		err := unix.Waitid(unix.P_PIDFD, int(fd), &ended, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		return err != nil || ended.Signo != 0
	})
}
