package jail

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// forked is a program that was forked into a jail. It is a child of this process.
type forked struct {
	pid  int
	file *os.File // a pidfd
	done chan struct{}
	exit Exit

	lock   sync.Mutex // held while the number is in use
	reaped bool
}

// follow follows a child until its end.
func follow(pid int) (*forked, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("follow process %d: %w", pid, err)
	}
	f := &forked{pid: pid, file: os.NewFile(uintptr(fd), "pidfd"), done: make(chan struct{})}
	go f.reap()
	return f, nil
}

// reap waits without holding a thread.
func (f *forked) reap() {
	defer close(f.done)
	defer f.file.Close()
	f.exit = Exit{Code: -1, Signal: syscall.SIGKILL.String()}
	conn, err := f.file.SyscallConn()
	if err != nil {
		return
	}
	conn.Read(func(uintptr) bool {
		f.lock.Lock()
		defer f.lock.Unlock()
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(f.pid, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR || err == nil && pid == 0 {
			return false
		}
		f.reaped = true
		if err == nil {
			f.exit = ending(status)
		}
		return true
	})
}

func ending(status syscall.WaitStatus) Exit {
	if status.Signaled() {
		return Exit{Code: -1, Signal: status.Signal().String()}
	}
	return Exit{Code: status.ExitStatus()}
}

func (f *forked) ended() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// Wait implements Process.
func (f *forked) Wait() Exit {
	<-f.done
	return f.exit
}

// Signal implements Process.
func (f *forked) Signal(s os.Signal) error {
	n, ok := s.(syscall.Signal)
	if !ok {
		return syscall.EINVAL
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.reaped {
		return nil
	}
	return syscall.Kill(f.pid, n)
}

// limit bounds what a program may use for itself.
func (f *forked) limit(l eachLimits) error {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.reaped {
		return nil
	}
	for resource, most := range map[int]int64{unix.RLIMIT_DATA: l.data, unix.RLIMIT_NPROC: l.tasks} {
		if most <= 0 {
			continue
		}
		err := unix.Prlimit(f.pid, resource, &unix.Rlimit{Cur: uint64(most), Max: uint64(most)}, nil)
		if err != nil && err != unix.ESRCH {
			return fmt.Errorf("limit process %d: %w", f.pid, err)
		}
	}
	return nil
}

// eachLimits bound single processes; 0 is no bound.
type eachLimits struct {
	data  int64 // bytes
	tasks int64 // processes and threads of the user in the jail
}

// forks are what was forked into a jail: the first process knows only of what it started.
type forks struct {
	lock  sync.Mutex
	all   []*forked
	bound eachLimits
}

func (fs *forks) add(f *forked) error {
	fs.lock.Lock()
	defer fs.lock.Unlock()
	fs.all = append(slices.DeleteFunc(fs.all, (*forked).ended), f)
	return f.limit(fs.bound)
}

// limit bounds those that run and all that come.
func (fs *forks) limit(l eachLimits) error {
	fs.lock.Lock()
	defer fs.lock.Unlock()
	fs.bound = l
	for _, f := range fs.all {
		if err := f.limit(l); err != nil {
			return err
		}
	}
	return nil
}
