package entry

import (
	"syscall"
	"unsafe"
)

// What package syscall does not name. These numbers are the same on every 64-bit architecture.
const (
	sysOpenTree            = 428
	sysMoveMount           = 429
	sysCloseRange          = 436
	sysMountSetattr        = 442
	sysLandlockCreate      = 444
	sysLandlockAddRule     = 445
	sysLandlockRestrict    = 446
	atFDCWD                = -100
	atEmptyPath            = 0x1000
	atRecursive            = 0x8000
	openTreeClone          = 1
	moveMountFromEmptyPath = 4
	oPath                  = 0x200000

	attrReadOnly = 1
	attrNoSuid   = 2
	attrNoDev    = 4
	attrNoExec   = 8

	prSetParentDeathSignal = 1

	prSetDumpable   = 4
	prSetName       = 15
	prSetSeccomp    = 22
	prCapBsetDrop   = 24
	prSetNoNewPrivs = 38
	prCapAmbient    = 47
	ambientClearAll = 4
	seccompFilter   = 2
	newCgroup       = 0x02000000
	cloneParent     = 0x8000

	limitNumberOfProcesses = 6
	limitPendingSignals    = 11

	umountDetach = 2
	idAll        = 0
)

// call makes a system call. What its arguments point to stays where it is meanwhile.
//
//go:uintptrescapes
func call(number uintptr, a ...uintptr) (uintptr, error) {
	var v [6]uintptr
	copy(v[:], a)
	r, _, errno := syscall.Syscall6(number, v[0], v[1], v[2], v[3], v[4], v[5])
	if errno != 0 {
		return 0, errno
	}
	return r, nil
}

// path is a string as the kernel reads it. A text with a NUL in it names nothing.
func path(s string) *byte {
	p, err := syscall.BytePtrFromString(s)
	if err != nil {
		p, _ = syscall.BytePtrFromString("")
	}
	return p
}

//go:uintptrescapes
func prctl(option, a, b uintptr) error {
	_, err := call(syscall.SYS_PRCTL, option, a, b)
	return err
}

// undumpable keeps every process without privileges from reading or tracing this one.
func undumpable() error { return prctl(prSetDumpable, 0, 0) }

// openTree makes a detached copy of the mounts at and under a path.
func openTree(at string) (int, error) {
	cwd := atFDCWD
	fd, err := call(sysOpenTree, uintptr(cwd), uintptr(unsafe.Pointer(path(at))),
		openTreeClone|atRecursive|syscall.O_CLOEXEC)
	return int(fd), err
}

// moveMount attaches a detached mount at a path.
func moveMount(fd int, to string) error {
	cwd := atFDCWD
	_, err := call(sysMoveMount, uintptr(fd), uintptr(unsafe.Pointer(path(""))), uintptr(cwd), uintptr(unsafe.Pointer(path(to))),
		moveMountFromEmptyPath)
	return err
}

// restrict sets attributes of a mount, and of those under it if asked.
func restrict(fd int, at string, flags, attributes uintptr) error {
	change := [4]uint64{uint64(attributes)} // set, clear, propagation, user namespace
	_, err := call(sysMountSetattr, uintptr(fd), uintptr(unsafe.Pointer(path(at))), flags, uintptr(unsafe.Pointer(&change)), 32)
	return err
}
