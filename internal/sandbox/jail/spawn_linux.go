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

// bearer starts this program again in a role, in a group unless that is nil.
type bearer interface {
	bear(role string, g *cgroup.Group) (*spawned, error)
}

// spawner starts processes from a thread of its own: the kernel ends a process whose parent's thread
// ends, and this one does not while the program runs.
type spawner struct{ births chan birth }

type birth struct {
	bear func() (*spawned, error)
	done chan<- born
}

type born struct {
	spawned *spawned
	err     error
}

func startSpawner() *spawner {
	s := &spawner{births: make(chan birth)}
	go func() {
		runtime.LockOSThread()
		for b := range s.births {
			p, err := b.bear()
			b.done <- born{p, err}
		}
	}()
	return s
}

// do bears on the spawner's thread.
func (s *spawner) do(bear func() (*spawned, error)) (*spawned, error) {
	done := make(chan born, 1)
	s.births <- birth{bear, done}
	b := <-done
	return b.spawned, b.err
}

// bear starts a supervisor or a zygote by root's rights: in namespaces of its own, in a group of version 2
// where there is one.
func (s *spawner) bear(role string, g *cgroup.Group) (*spawned, error) {
	a := &syscall.SysProcAttr{Cloneflags: entry.Namespaces(role), Setsid: true}
	return s.do(func() (*spawned, error) {
		if g == nil {
			return spawn(role, a)
		}
		if g.Descriptor() >= 0 {
			a.UseCgroupFD, a.CgroupFD = true, g.Descriptor()
		}
		var p *spawned
		err := g.Bear(func() (pid int, err error) {
			if p, err = spawn(role, a); err != nil {
				return 0, err
			}
			return p.pid, nil
		})
		return p, err
	})
}

func (s *spawner) close() { close(s.births) }

// spawned is a process that was started for this one: a supervisor, a zygote or the keeper. This one need
// not be its parent.
type spawned struct {
	pid    int
	handle *os.File // its pidfd, until it has ended
	conn   *net.UnixConn
	done   chan struct{} // closed at its end
}

// spawn starts this program again in a role, with a connection to it.
func spawn(role string, a *syscall.SysProcAttr) (*spawned, error) {
	conn, theirs, err := connection()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		conn.Close()
		return nil, err
	}
	defer null.Close()
	process := -1
	a.PidFD = &process
	pid, err := syscall.ForkExec(entry.Self, entry.Arguments(role), &syscall.ProcAttr{
		Dir: "/", Env: entry.Environment(role),
		Files: []uintptr{null.Fd(), null.Fd(), os.Stderr.Fd(), theirs.Fd()},
		Sys:   a,
	})
	if err != nil {
		conn.Close()
		return nil, os.NewSyscallError("start a "+role, err)
	}
	return attend(pid, process, conn), nil
}

// connection makes the two ends of a connection to a process: this one's and its.
func connection() (*net.UnixConn, *os.File, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "jail"), os.NewFile(uintptr(pair[1]), "jail")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn.(*net.UnixConn), theirs, nil
}

// attend follows a process until its end.
func attend(pid, process int, conn *net.UnixConn) *spawned {
	syscall.SetNonblock(process, true)
	p := &spawned{pid: pid, handle: os.NewFile(uintptr(process), "process"), conn: conn, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		defer p.handle.Close()
		p.awaitEnd()
	}()
	return p
}

// awaitEnd waits for a process's end without a thread of its own, of which hundreds of jails would need
// hundreds, and takes it away where it is this one's child.
func (p *spawned) awaitEnd() {
	conn, err := p.handle.SyscallConn()
	if err != nil {
		return
	}
	conn.Read(func(fd uintptr) bool {
		ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(ready, 0)
		if err == unix.EINTR || err == nil && n == 0 {
			return false
		}
		unix.Waitid(unix.P_PIDFD, int(fd), nil, unix.WEXITED|unix.WNOHANG, nil)
		return true
	})
}

// withHandle lends the descriptor of a process that has not ended.
func (p *spawned) withHandle(f func(process uintptr)) error {
	conn, err := p.handle.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Control(f)
}

// kill kills a process. One that has ended is no error.
func (p *spawned) kill() {
	p.withHandle(func(process uintptr) { unix.PidfdSendSignal(int(process), unix.SIGKILL, nil, 0) })
}

// ended tells whether a process has ended.
func (p *spawned) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// end ends a process.
func (p *spawned) end() {
	p.kill()
	<-p.done
	p.conn.Close()
}
