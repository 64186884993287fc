package jail

import (
	"encoding/binary"
	"runtime"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// newestCall is the highest number of a system call that was thought about here (listns): what the
// kernel gained since answers ENOSYS, as on a kernel without it.
const newestCall = 470

// forbidden are the system calls that no function needs and that widen what an attacker can reach: the
// ones that Docker's default profile keeps from a process without capabilities, and those with a
// history of holes (keyrings, bpf, io_uring, userfaultfd).
var forbidden = append([]uint32{
	unix.SYS_ACCT, unix.SYS_ADD_KEY, unix.SYS_ADJTIMEX, unix.SYS_BPF, unix.SYS_CHROOT, unix.SYS_CLOCK_ADJTIME,
	unix.SYS_CLOCK_SETTIME, unix.SYS_DELETE_MODULE, unix.SYS_FANOTIFY_INIT, unix.SYS_FINIT_MODULE,
	unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSOPEN, unix.SYS_FSPICK, unix.SYS_INIT_MODULE,
	unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, unix.SYS_IO_URING_SETUP, unix.SYS_KCMP,
	unix.SYS_KEXEC_FILE_LOAD, unix.SYS_KEXEC_LOAD, unix.SYS_KEYCTL, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_MBIND,
	unix.SYS_MIGRATE_PAGES, unix.SYS_MOUNT, unix.SYS_MOUNT_SETATTR, unix.SYS_MOVE_MOUNT, unix.SYS_MOVE_PAGES,
	unix.SYS_NFSSERVCTL, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_OPEN_TREE,
	unix.SYS_PERF_EVENT_OPEN, unix.SYS_PIDFD_GETFD, unix.SYS_PIVOT_ROOT, unix.SYS_PROCESS_MADVISE,
	unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PTRACE, unix.SYS_QUOTACTL,
	unix.SYS_QUOTACTL_FD, unix.SYS_REBOOT, unix.SYS_REQUEST_KEY, unix.SYS_SETDOMAINNAME, unix.SYS_SETHOSTNAME,
	unix.SYS_SETNS, unix.SYS_SETTIMEOFDAY, unix.SYS_SWAPOFF, unix.SYS_SWAPON, unix.SYS_SYSLOG,
	unix.SYS_UMOUNT2, unix.SYS_UNSHARE, unix.SYS_USERFAULTFD, unix.SYS_VHANGUP,
	unix.SYS_IO_SETUP, // the machine has a number of these contexts for all together
	467,               // open_tree_attr
	468, 469, 470,
}, forbiddenHere...)

// families are the kinds of sockets that reach no further than the jail's own network. Others, of which
// AF_VSOCK reaches the machine's hypervisor, are not there.
var families = []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

// personalities are those that programs ask for: the usual one, with or without fixed addresses, and
// what it is now.
var personalities = []uint32{0, 8, 0x40000, 0x40008, 0xffffffff}

// transports are the protocols of the internet's sockets: others are in kernels for few, loaded when one
// asks, and lead nowhere from a jail.
var transports = []uint32{0, unix.IPPROTO_ICMP, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMPV6}

// othersReads are the events of inotify that tell of readers. What jails share is read-only, so that by
// these alone one could watch what runs in another.
const othersReads = unix.IN_ACCESS | unix.IN_OPEN | unix.IN_CLOSE_NOWRITE

// fileEvents are the commands of fcntl by which a process learns what others do with a file, or keeps them
// waiting at it: leases, delegations (F_SETDELEG) and directory notifications.
var fileEvents = []uint32{unix.F_SETLEASE, unix.F_SETLEASE + 16, unix.F_NOTIFY}

// hugeSharedMemory asks shmget for huge pages (SHM_HUGETLB of linux/shm.h).
const hugeSharedMemory = 0o4000

// namespaces are the flags of clone that make any.
const namespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWTIME

// Where the data of a system call lies: see seccomp_data in linux/seccomp.h. Arguments have eight bytes,
// the lower four first.
const (
	numberAt = 0
	archAt   = 4
	firstAt  = 16
	secondAt = 24
	thirdAt  = 32
	fourthAt = 40
)

// seccompFilter is what may be called inside, as instructions for the kernel.
func seccompFilter() ([]byte, error) {
	raw, err := bpf.Assemble(seccompProgram())
	if err != nil {
		return nil, err
	}
	var b []byte
	for _, i := range raw {
		b = binary.NativeEndian.AppendUint16(b, i.Op)
		b = append(b, i.Jt, i.Jf)
		b = binary.NativeEndian.AppendUint32(b, i.K)
	}
	return b, nil
}

func seccompProgram() []bpf.Instruction {
	arch := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	// Calls by another architecture's numbers would pass by all that follows.
	p := []bpf.Instruction{
		bpf.LoadAbsolute{Off: archAt, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: arch, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS},
		bpf.LoadAbsolute{Off: numberAt, Size: 4},
		// Among the higher numbers are those of the x32 ABI too.
		bpf.JumpIf{Cond: bpf.JumpGreaterThan, Val: newestCall, SkipFalse: 1},
		refuse(unix.ENOSYS),
		// The flags of clone3 lie in memory, where a filter cannot look: libraries fall back to clone.
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SYS_CLONE3, SkipFalse: 1},
		refuse(unix.ENOSYS),
	}
	p = append(p, whenCalled(unix.SYS_CLONE,
		// A sibling of what was forked into the jail would be nobody's in it to take away, and the jail
		// could not end.
		withoutBits(firstAt, namespaces|unix.CLONE_PARENT, unix.EPERM)...,
	)...)
	// Huge pages are counted for no group.
	p = append(p, whenCalled(unix.SYS_MMAP, withoutBits(fourthAt, unix.MAP_HUGETLB, unix.ENOMEM)...)...)
	p = append(p, whenCalled(unix.SYS_MEMFD_CREATE, withoutBits(secondAt, unix.MFD_HUGETLB, unix.ENOMEM)...)...)
	p = append(p, whenCalled(unix.SYS_SHMGET, withoutBits(thirdAt, hugeSharedMemory, unix.ENOMEM)...)...)
	p = append(p, whenCalled(unix.SYS_INOTIFY_ADD_WATCH, withoutBits(thirdAt, othersReads, unix.EPERM)...)...)
	p = append(p, whenCalled(unix.SYS_FCNTL, neverSecond(fileEvents, unix.EPERM)...)...)
	p = append(p, whenCalled(unix.SYS_SOCKET, slices.Concat(
		onlyProtocols(unix.AF_NETLINK, routes), onlyProtocols(unix.AF_INET, transports), onlyProtocols(unix.AF_INET6, transports),
		onlyFirst(families, unix.EAFNOSUPPORT))...)...)
	p = append(p, whenCalled(unix.SYS_SOCKETPAIR, onlyFirst(families, unix.EAFNOSUPPORT)...)...)
	p = append(p, whenCalled(unix.SYS_PERSONALITY, onlyFirst(personalities, unix.EPERM)...)...)
	// Of other processes the supervisor is one.
	p = append(p, whenCalled(unix.SYS_PRLIMIT64, onlyFirst([]uint32{0}, unix.EPERM)...)...)
	// Typing into a terminal.
	p = append(p, whenCalled(unix.SYS_IOCTL, neverSecond([]uint32{unix.TIOCSTI, unix.TIOCLINUX}, unix.EPERM)...)...)
	return append(p, search(slices.Sorted(slices.Values(forbidden)))...)
}

// routes is what there is of netlink: one's own addresses and routes, as libraries ask for them. By other
// protocols the kernel tells of the machine: its devices' events are not a namespace's.
var routes = []uint32{unix.NETLINK_ROUTE}

// onlyProtocols refuses sockets of a family but of these protocols.
func onlyProtocols(family uint32, protocols []uint32) []bpf.Instruction {
	check := only(thirdAt, protocols, unix.EPROTONOSUPPORT)
	return append([]bpf.Instruction{
		bpf.LoadAbsolute{Off: firstAt, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: family, SkipTrue: uint8(len(check))},
	}, check...)
}

// withoutBits refuses calls that have one of the bits set in an argument.
func withoutBits(argument, bits uint32, e unix.Errno) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: argument, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: bits, SkipFalse: 1},
		refuse(e),
	}
}

// neverSecond refuses calls whose second argument is one of the values.
func neverSecond(values []uint32, e unix.Errno) []bpf.Instruction {
	p := []bpf.Instruction{bpf.LoadAbsolute{Off: secondAt, Size: 4}}
	for i, v := range values {
		p = append(p, bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: uint8(len(values) - i)})
	}
	return append(p, bpf.Jump{Skip: 1}, refuse(e))
}

// search refuses the calls in a sorted list and allows all others. It halves the list at every step: the
// kernel walks the whole filter for every number there is when it is installed.
func search(sorted []uint32) []bpf.Instruction {
	if len(sorted) > 4 {
		middle := len(sorted) / 2
		lower, upper := search(sorted[:middle]), search(sorted[middle:])
		p := []bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: sorted[middle], SkipTrue: uint8(len(lower))}}
		return append(append(p, lower...), upper...)
	}
	var p []bpf.Instruction
	for i, n := range sorted {
		p = append(p, bpf.JumpIf{Cond: bpf.JumpEqual, Val: n, SkipTrue: uint8(len(sorted) - i)})
	}
	return append(p, allow, refuse(unix.EPERM))
}

var allow = bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}

func refuse(e unix.Errno) bpf.Instruction {
	return bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(e)}
}

// whenCalled runs a check for one system call, and allows the call where the check does not refuse it.
func whenCalled(number uint32, check ...bpf.Instruction) []bpf.Instruction {
	p := []bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number, SkipTrue: uint8(len(check) + 1)}}
	return append(append(p, check...), allow)
}

// onlyFirst refuses calls whose first argument is none of the values.
func onlyFirst(values []uint32, e unix.Errno) []bpf.Instruction { return only(firstAt, values, e) }

func only(argument uint32, values []uint32, e unix.Errno) []bpf.Instruction {
	p := []bpf.Instruction{bpf.LoadAbsolute{Off: argument, Size: 4}}
	for i, v := range values {
		p = append(p, bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: uint8(len(values) - i)})
	}
	return append(p, refuse(e))
}
