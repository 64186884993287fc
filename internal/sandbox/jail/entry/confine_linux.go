package entry

import (
	"syscall"
	"unsafe"

	"cirro/internal/sandbox/jail/control"
)

// confine takes from the calling thread, and from all that it starts, every right that a program in a
// jail has no need of. Identity, capabilities, landlock and seccomp are attributes of a thread: the
// supervisor's other threads keep theirs.
func confine(m *control.Confine) error {
	// The view of the cgroup hierarchies begins where the jail is, not at the host's root.
	if _, err := call(syscall.SYS_UNSHARE, newCgroup); err != nil && err != syscall.EINVAL {
		return wrap("unshare the cgroup namespace", err)
	}
	dropBounding()
	if m.UID >= 0 {
		if err := become(int(m.UID), int(m.GID)); err != nil {
			return err
		}
	}
	if err := prctl(prCapAmbient, ambientClearAll, 0); err != nil {
		return wrap("drop ambient capabilities", err)
	}
	if err := keepCapabilities(0); err != nil {
		return err
	}
	if err := prctl(prSetNoNewPrivs, 1, 0); err != nil {
		return wrap("set no_new_privs", err)
	}
	if err := landlock(); err != nil {
		return err
	}
	return filterCalls(m.Filter)
}

// dropBounding empties the set that no later exec can go beyond.
func dropBounding() {
	for n := uintptr(0); n < 64; n++ {
		if prctl(prCapBsetDrop, n, 0) == syscall.EINVAL {
			return // the kernel's last
		}
	}
}

// become changes the identity of this thread alone; package syscall's functions change all threads.
func become(uid, gid int) error {
	if _, err := call(syscall.SYS_SETGROUPS, 0, 0); err != nil {
		return wrap("drop groups", err)
	}
	if _, err := call(syscall.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid)); err != nil {
		return wrap("set the group", err)
	}
	if _, err := call(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); err != nil {
		return wrap("set the user", err)
	}
	return wrap("stay unreadable", undumpable()) // a change of user may have reset it
}

// keepCapabilities leaves this thread the capabilities of a bit set of the first 32, and no others.
func keepCapabilities(set uint32) error { return setCapabilities(set, 0) }

// handOnCapabilities leaves them to the programs that it executes too: to root's by what root is, to
// others' where they are ambient.
func handOnCapabilities(set uint32) error { return setCapabilities(set, set) }

func setCapabilities(set, inheritable uint32) error {
	header := struct {
		version uint32
		pid     int32
	}{version: 0x20080522}
	data := [2]struct{ effective, permitted, inheritable uint32 }{{set, set, inheritable}}
	_, err := call(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)))
	return wrap("drop capabilities", err)
}

// filterCalls installs a seccomp filter: instructions of eight bytes.
func filterCalls(filter []byte) error {
	if len(filter) < 8 {
		return &fault{"read the seccomp filter", syscall.EINVAL}
	}
	program := struct {
		length uint16
		first  *byte
	}{uint16(len(filter) / 8), &filter[0]}
	return wrap("install the seccomp filter", prctl(prSetSeccomp, seccompFilter, uintptr(unsafe.Pointer(&program))))
}

// limitProcesses bounds what each process may use: this one, those that run and all that come.
func limitProcesses(m *control.Assign, running []int) error {
	for _, l := range []struct {
		what     string
		resource int
		most     int64
	}{
		{"data", syscall.RLIMIT_DATA, m.Data},
		{"processes", limitNumberOfProcesses, m.Tasks},
	} {
		if l.most <= 0 {
			continue
		}
		limit := syscall.Rlimit{Cur: uint64(l.most), Max: uint64(l.most)}
		for _, pid := range append(running, 0) {
			if err := limitProcess(pid, l.resource, &limit); err != nil && err != syscall.ESRCH {
				return wrap("limit "+l.what, err)
			}
		}
	}
	return nil
}

// limitProcess sets a limit of a process; 0 is this one.
func limitProcess(pid, resource int, limit *syscall.Rlimit) error {
	_, err := call(syscall.SYS_PRLIMIT64, uintptr(pid), uintptr(resource), uintptr(unsafe.Pointer(limit)), 0)
	return err
}

// limitFiles bounds how many descriptors this process and all that it starts may open; 0 is no bound.
func limitFiles(most int64) error {
	if most <= 0 {
		return nil
	}
	limit := syscall.Rlimit{Cur: uint64(most), Max: uint64(most)}
	return wrap("limit descriptors", limitProcess(0, syscall.RLIMIT_NOFILE, &limit))
}

// signalsWaiting is how many signals may wait to be delivered to the processes of a jail, and how many
// timers they may have.
const signalsWaiting = 1024

// limitSignals bounds what the kernel keeps of signals for this process's user.
func limitSignals() error {
	limit := syscall.Rlimit{Cur: signalsWaiting, Max: signalsWaiting}
	return wrap("limit signals", limitProcess(0, limitPendingSignals, &limit))
}

// forbidDumps keeps this process, and all that it starts, from leaving its memory in a file.
func forbidDumps() error {
	return wrap("forbid core dumps", limitProcess(0, syscall.RLIMIT_CORE, &syscall.Rlimit{}))
}
