package entry

import (
	"syscall"
	"unsafe"
)

// The rights of landlock, in the order of its versions.
// https://docs.kernel.org/userspace-api/landlock.html
const (
	mayExecute   = 1 << 0
	mayWrite     = 1 << 1
	mayRead      = 1 << 2
	mayReadDir   = 1 << 3
	mayMakeChar  = 1 << 6
	mayMakeBlock = 1 << 11
	mayTruncate  = 1 << 14 // from version 3
	mayIoctl     = 1 << 15 // from version 5

	scopes         = 3 // abstract sockets and signals, from version 6
	rulePathUnder  = 1
	landlockNumber = 1 // asks for the version
)

// landlock lets this thread write in /tmp and to devices only. A kernel without it has the read-only
// mounts alone, which forbid the same.
func landlock() error {
	version, err := call(sysLandlockCreate, 0, 0, landlockNumber)
	if err != nil {
		return nil
	}
	attributes := [3]uint64{handled(version)} // files, network, scopes
	size := uintptr(8)
	if version >= 6 {
		attributes[2], size = scopes, 24
	}
	fd, err := call(sysLandlockCreate, uintptr(unsafe.Pointer(&attributes)), size, 0)
	if err != nil {
		return wrap("make landlock rules", err)
	}
	defer syscall.Close(int(fd))
	rules := []struct {
		path   string
		rights uint64
	}{
		{"/", mayExecute | mayRead | mayReadDir},
		{"/dev", mayRead | mayReadDir | mayWrite | mayTruncate | mayIoctl},
		{"/tmp", ^uint64(mayMakeChar | mayMakeBlock)},
	}
	for _, r := range rules {
		if err := allow(fd, r.path, r.rights&attributes[0]); err != nil {
			return wrap("allow "+r.path, err)
		}
	}
	_, err = call(sysLandlockRestrict, fd, 0)
	return wrap("restrict by landlock", err)
}

// handled is all rights that a version knows.
func handled(version uintptr) uint64 {
	bits := []uint{0, 13, 14, 15, 15, 16}
	return 1<<bits[min(version, uintptr(len(bits)-1))] - 1
}

func allow(ruleset uintptr, at string, rights uint64) error {
	dir, err := syscall.Open(at, oPath|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(dir)
	// The kernel's struct is packed: eight bytes of rights, four of the descriptor.
	var rule [12]byte
	*(*uint64)(unsafe.Pointer(&rule[0])) = rights
	for i := range 4 {
		rule[8+i] = byte(dir >> (8 * i))
	}
	_, err = call(sysLandlockAddRule, ruleset, rulePathUnder, uintptr(unsafe.Pointer(&rule)), 0)
	return err
}
