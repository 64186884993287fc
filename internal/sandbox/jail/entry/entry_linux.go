package entry

import (
	"runtime"
	"syscall"
	"unsafe"

	"cirro/internal/sandbox/jail/control"
)

func init() {
	role, ok := syscall.Getenv(Marker)
	if !ok {
		return
	}
	// Attributes of this thread are changed below: it must be the one that the kernel counts as the
	// process.
	runtime.LockOSThread()
	takeDefaultSignals()
	prctl(prSetName, uintptr(unsafe.Pointer(path("cirro-jail"))), 0)
	// Whoever ended before this says so by the end of the connection.
	if err := prctl(prSetParentDeathSignal, uintptr(syscall.SIGKILL), 0); err != nil {
		syscall.Exit(126)
	}
	if role == underKeeper {
		if err := nameUser(); err != nil {
			syscall.Exit(126)
		}
		role = Supervisor
	}
	if err := undumpable(); err != nil {
		syscall.Exit(126)
	}
	// What the host itself inherited must not reach the programs inside.
	syscall.CloseOnExec(ControlFD)
	if _, err := call(sysCloseRange, ControlFD+1, ^uintptr(0)>>32, 0); err != nil {
		syscall.Exit(126)
	}
	conn := control.NewConn(ControlFD)
	switch role {
	case Supervisor:
		supervise(conn)
	case Zygote:
		hatch(conn)
	case Keeper:
		keep(conn)
	}
	syscall.Exit(0)
}

// takeDefaultSignals undoes Go's handlers. The kernel then drops what the programs inside send to
// their supervisor: the first process of a namespace only gets signals from inside that it handles.
func takeDefaultSignals() {
	for n := syscall.Signal(1); n < 64; n++ {
		var action [4]uint64 // SIG_DFL, no flags, an empty mask
		call(syscall.SYS_RT_SIGACTION, uintptr(n), uintptr(unsafe.Pointer(&action)), 0, 8)
	}
}

// ignore has the kernel drop a signal.
func ignore(n syscall.Signal) error {
	action := [4]uint64{1} // SIG_IGN
	_, err := call(syscall.SYS_RT_SIGACTION, uintptr(n), uintptr(unsafe.Pointer(&action)), 0, 8)
	return err
}

// fault is what could not be done, and why.
type fault struct {
	what string
	err  syscall.Errno
}

func (f *fault) Error() string { return f.what + ": " + f.err.Error() }

// wrap names what failed; no failure stays none.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	if f, ok := err.(*fault); ok {
		return f
	}
	errno, ok := err.(syscall.Errno)
	if !ok {
		errno = syscall.EIO
	}
	return &fault{what, errno}
}

// failed is the answer to the host for an error.
func failed(err error) control.Message {
	f, ok := wrap("", err).(*fault)
	if !ok {
		return &control.Failed{}
	}
	return &control.Failed{What: f.what, Errno: int64(f.err)}
}
