//go:build unix

package jail

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

// The signals that freeze and thaw plain processes.
const (
	stopSignal     = syscall.SIGSTOP
	continueSignal = syscall.SIGCONT
)

// plainAttributes puts a process at the head of a group of its own, so that it can be ended with all
// that it started.
func plainAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func (p *plainProcess) signalGroup(s syscall.Signal) error {
	err := syscall.Kill(-p.cmd.Process.Pid, s)
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EPERM) {
		return nil // the group has ended
	}
	return err
}

// peakMemory is the most that a process had resident, in bytes.
func peakMemory(s *os.ProcessState) int64 {
	usage, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return usage.Maxrss // bytes there, KiB elsewhere
	}
	return usage.Maxrss * 1024
}
