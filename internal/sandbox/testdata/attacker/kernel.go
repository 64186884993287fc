package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// i386 makes a system call by the numbers of another architecture.
func i386(number, first uint32) uint32

// Of linux/personality.h.
const readImpliesExec, pageZero, oldLayout, shortInode = 0x0400000, 0x0100000, 0x0200000, 0x1000000

// namespaces are the flags of all kinds there are.
var namespaces = []uintptr{
	unix.CLONE_NEWNS, unix.CLONE_NEWCGROUP, unix.CLONE_NEWUTS, unix.CLONE_NEWIPC, unix.CLONE_NEWUSER,
	unix.CLONE_NEWPID, unix.CLONE_NEWNET, unix.CLONE_NEWTIME,
}

func init() {
	attempts["clone3"] = func(facts) string {
		var outcomes []string
		for _, flag := range append(namespaces, unix.CLONE_PARENT, unix.CLONE_INTO_CGROUP, 0) {
			arguments := [11]uint64{uint64(flag)}
			outcomes = append(outcomes, call(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&arguments)), 88))
		}
		return all(outcomes...)
	}
	attempts["namespaces"] = func(facts) string {
		outcomes := []string{call(unix.SYS_CLONE, unix.CLONE_PARENT|uintptr(unix.SIGCHLD))}
		for _, flag := range namespaces {
			outcomes = append(outcomes, call(unix.SYS_UNSHARE, flag), call(unix.SYS_UNSHARE, flag|1<<40))
			if flag != unix.CLONE_NEWTIME { // its bit belongs to the signal there
				outcomes = append(outcomes, call(unix.SYS_CLONE, flag|uintptr(unix.SIGCHLD)), call(unix.SYS_CLONE, flag|unix.CLONE_PARENT|1<<40))
			}
		}
		return all(outcomes...)
	}
	attempts["setns"] = func(facts) string {
		var outcomes []string
		names, _ := os.ReadDir("/proc/self/ns")
		for _, n := range names {
			fd, err := unix.Open("/proc/self/ns/"+n.Name(), unix.O_RDONLY, 0)
			if err != nil {
				return outcome(err)
			}
			outcomes = append(outcomes, call(unix.SYS_SETNS, uintptr(fd), 0))
			unix.Close(fd)
		}
		pidfd, err := unix.PidfdOpen(1, 0)
		if err != nil {
			return outcome(err)
		}
		defer unix.Close(pidfd)
		for _, flag := range namespaces {
			outcomes = append(outcomes, call(unix.SYS_SETNS, uintptr(pidfd), flag))
		}
		return all(outcomes...)
	}
	attempts["high bits"] = func(facts) string {
		const above = 1 << 32
		return all(call(above|unix.SYS_UNSHARE, unix.CLONE_NEWUSER), call(above|unix.SYS_PTRACE, unix.PTRACE_TRACEME),
			call(above|unix.SYS_MOUNT), call(unix.SYS_SOCKET, above|unix.AF_INET, unix.SOCK_RAW, above|unix.IPPROTO_SCTP),
			call(unix.SYS_IOCTL, 0, above|unix.TIOCSTI, buffer()), call(unix.SYS_PERSONALITY, above|readImpliesExec))
	}
	attempts["x32"] = func(facts) string {
		const x32 = 0x40000000
		outcomes := []string{}
		for _, n := range []uintptr{
			unix.SYS_MOUNT, unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_PTRACE, unix.SYS_BPF, unix.SYS_KEYCTL, unix.SYS_IO_URING_SETUP,
		} {
			outcomes = append(outcomes, call(x32|n))
		}
		for n := uintptr(512); n < 548; n++ { // x32's own, ptrace and kexec_load among them
			outcomes = append(outcomes, call(x32|n), call(n))
		}
		return all(outcomes...)
	}
	const i386Uring, i386Mount = 425, 21
	attempts["i386 io_uring"] = func(facts) string { return fmt.Sprint(i386(i386Uring, 8)) }
	attempts["i386 mount"] = func(facts) string { return fmt.Sprint(i386(i386Mount, 0)) }
	attempts["mount API"] = func(facts) string {
		here := uintptr(unix.AT_FDCWD & (1<<64 - 1))
		set := [4]uint64{0, unix.MOUNT_ATTR_RDONLY}
		return all(
			each(unix.SYS_FSOPEN, []uintptr{text("tmpfs")}, []uintptr{text("proc")}, []uintptr{text("overlay")}, []uintptr{text("sysfs")}),
			each(unix.SYS_FSCONFIG, []uintptr{0, 6}, []uintptr{3, 6}), call(unix.SYS_FSMOUNT, 3), call(unix.SYS_FSPICK, here, text("/"), 0),
			each(unix.SYS_OPEN_TREE, []uintptr{here, text("/"), unix.OPEN_TREE_CLONE | 0x8000}, []uintptr{here, text("/proc"), unix.OPEN_TREE_CLONE}),
			call(467, here, text("/"), unix.OPEN_TREE_CLONE), // open_tree_attr
			call(unix.SYS_MOVE_MOUNT, here, text("/tmp"), here, text("/var/task")),
			call(unix.SYS_MOUNT_SETATTR, here, text("/"), 0x8000, uintptr(unsafe.Pointer(&set)), 32),
			call(unix.SYS_MOUNT, text("/proc/self"), text("/tmp"), 0, unix.MS_BIND), call(unix.SYS_MOUNT, 0, text("/"), 0, unix.MS_REC|unix.MS_SHARED),
			each(unix.SYS_UMOUNT2, []uintptr{text("/proc"), unix.MNT_DETACH}, []uintptr{text("/dev/null"), 0}),
			call(unix.SYS_PIVOT_ROOT, text("/tmp"), text("/tmp")), call(unix.SYS_CHROOT, text("/tmp")))
	}
	attempts["other mounts"] = func(facts) string {
		// Those of a namespace of mounts that is not its own: the initial one and its successors.
		var outcomes []string
		for id := uint64(1); id < 64; id++ {
			request := [4]uint64{32, ^uint64(0), 0, id}
			outcomes = append(outcomes, call(458, uintptr(unsafe.Pointer(&request)), buffer(), 64, 0),
				call(457, uintptr(unsafe.Pointer(&request)), buffer(), uintptr(len(memory)), 0))
		}
		return all(append(outcomes, call(470, buffer(), buffer(), 64, 0))...) // listns
	}
	attempts["handles"] = func(facts) string {
		here := uintptr(unix.AT_FDCWD & (1<<64 - 1))
		var outcomes []string
		for _, at := range []string{"/", "/usr", "/tmp", "/var/task"} {
			h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, at, 0)
			if err != nil {
				continue // a file system without: then it is made up
			}
			b := append([]byte{byte(h.Size()), 0, 0, 0, byte(h.Type()), 0, 0, 0}, h.Bytes()...)
			outcomes = append(outcomes, call(unix.SYS_OPEN_BY_HANDLE_AT, here, uintptr(unsafe.Pointer(&b[0])), unix.O_RDONLY))
		}
		root := [16]byte{0: 8, 4: 1, 8: 2}
		return all(append(outcomes, call(unix.SYS_OPEN_BY_HANDLE_AT, here, uintptr(unsafe.Pointer(&root)), unix.O_RDONLY))...)
	}
	attempts["machine"] = func(facts) string {
		const magic, magic2, restart, sleep = 0xfee1dead, 672274793, 0x1234567, 0xd000fce2
		return all(
			each(unix.SYS_REBOOT, []uintptr{magic, magic2, restart}, []uintptr{magic, magic2, sleep}, []uintptr{magic, magic2, 0x89abcdef}),
			call(unix.SYS_KEXEC_LOAD, 0, 0, 0, 0), call(unix.SYS_KEXEC_FILE_LOAD, 0, 0, 0, 0, 0), call(unix.SYS_INIT_MODULE, buffer(), 8, text("")),
			call(unix.SYS_FINIT_MODULE, 0, text(""), 0), call(unix.SYS_DELETE_MODULE, text("tun"), 0), call(unix.SYS_ACCT, text("/tmp/x")),
			call(unix.SYS_SWAPON, text("/tmp/x"), 0), call(unix.SYS_SWAPOFF, text("/tmp/x")), call(unix.SYS_QUOTACTL, 0, 0, 0, buffer()),
			call(unix.SYS_QUOTACTL_FD, 0, 0, 0, buffer()), call(unix.SYS_SYSLOG, 5, 0, 0), call(unix.SYS_VHANGUP), call(unix.SYS_SYSFS, 3),
			call(unix.SYS_USELIB, text("/bin/sh")), call(unix.SYS_USTAT, 1, buffer()), call(unix.SYS__SYSCTL, buffer()),
			call(unix.SYS_SETHOSTNAME, text("x"), 1), call(unix.SYS_SETDOMAINNAME, text("x"), 1), call(unix.SYS_LOOKUP_DCOOKIE, 1, buffer(), 8),
			each(unix.SYS_IOPL, []uintptr{0}, []uintptr{3}), call(unix.SYS_IOPERM, 0x70, 2, 1), each(unix.SYS_MODIFY_LDT, []uintptr{0, buffer(), 64}, []uintptr{1, buffer(), 16}),
			each(unix.SYS_PERSONALITY, []uintptr{readImpliesExec}, []uintptr{pageZero}, []uintptr{oldLayout}, []uintptr{8 | shortInode}))
	}
	attempts["clocks"] = func(facts) string {
		clear(memory[:256])
		outcomes := []string{call(unix.SYS_SETTIMEOFDAY, buffer(), 0), call(unix.SYS_SETTIMEOFDAY, 0, buffer()), call(unix.SYS_ADJTIMEX, buffer())}
		for clock := uintptr(0); clock < 12; clock++ {
			outcomes = append(outcomes, call(unix.SYS_CLOCK_SETTIME, clock, buffer()), call(unix.SYS_CLOCK_ADJTIME, clock, buffer()))
		}
		return all(outcomes...)
	}
	attempts["watchers"] = func(facts) string {
		return all(each(unix.SYS_BPF, []uintptr{0, buffer(), 64}, []uintptr{5, buffer(), 64}, []uintptr{18, buffer(), 64}),
			each(unix.SYS_USERFAULTFD, []uintptr{0}, []uintptr{1}), each(unix.SYS_IO_URING_SETUP, []uintptr{8, buffer()}), call(unix.SYS_IO_URING_ENTER, 3),
			each(unix.SYS_IO_URING_REGISTER, []uintptr{3}, []uintptr{^uintptr(0), 31}), each(unix.SYS_PERF_EVENT_OPEN, []uintptr{buffer(), 0, ^uintptr(0), ^uintptr(0)}, []uintptr{buffer(), ^uintptr(0), 0, ^uintptr(0)}),
			each(unix.SYS_KEYCTL, []uintptr{0, ^uintptr(2)}, []uintptr{1, text("x")}, []uintptr{6, ^uintptr(3)}, []uintptr{11, 1, buffer(), 64}), call(unix.SYS_ADD_KEY, text("user"), text("x"), text("y"), 1, ^uintptr(2)),
			call(unix.SYS_REQUEST_KEY, text("user"), text("x"), 0, 0), each(unix.SYS_FANOTIFY_INIT, []uintptr{0, 0}, []uintptr{0x200, 0}, []uintptr{4, 0}))
	}
	attempts["seccomp"] = notified
	attempts["prctl"] = func(facts) string {
		map1 := [13]uint64{}
		return all(call(unix.SYS_PRCTL, unix.PR_SET_MM, unix.PR_SET_MM_EXE_FILE, 0), call(unix.SYS_PRCTL, unix.PR_SET_MM, unix.PR_SET_MM_MAP, uintptr(unsafe.Pointer(&map1)), 104),
			call(unix.SYS_PRCTL, unix.PR_SET_MM, unix.PR_SET_MM_ARG_START, buffer()), call(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 0), call(unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, 0),
			call(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, 0), call(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, 21))
	}
	attempts["pages"] = func(facts) string {
		const huge = 0o4000
		return all(call(unix.SYS_MMAP, 0, 2<<20, 3, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_HUGETLB, ^uintptr(0), 0),
			call(unix.SYS_MMAP, 0, 1<<30, 3, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_HUGETLB|30<<26, ^uintptr(0), 0),
			call(unix.SYS_MEMFD_CREATE, text("x"), unix.MFD_HUGETLB), call(unix.SYS_SHMGET, 0, 2<<20, huge|0o1600))
	}
	attempts["aio"] = func(facts) string {
		clear(memory[:8])
		return each(unix.SYS_IO_SETUP, []uintptr{1 << 15, buffer()}, []uintptr{1, buffer()})
	}
}

// notified tries to answer its own forbidden calls by a listener for notifications.
func notified(facts) string {
	result := make(chan string)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its filter
		const load, jump, ret = 0x20, 0x15, 0x06
		program := []unix.SockFilter{
			{Code: load, K: 0}, {Code: jump, Jf: 1, K: unix.SYS_MOUNT}, {Code: ret, K: unix.SECCOMP_RET_USER_NOTIF}, {Code: ret, K: unix.SECCOMP_RET_ALLOW},
		}
		p := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
		fd, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&p)))
		if e != 0 {
			result <- outcome(e)
			return
		}
		defer unix.Close(int(fd))
		// A listener that nobody answers for would keep this call waiting.
		result <- call(unix.SYS_MOUNT, text("x"), text("/tmp"), text("tmpfs"))
	}()
	return <-result
}

// status is what the kernel says of this process's rights.
func status() string {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return outcome(err)
	}
	var found []string
	for _, line := range strings.Split(string(b), "\n") {
		for _, name := range []string{"CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"} {
			if value, ok := strings.CutPrefix(line, name+":\t"); ok {
				found = append(found, strings.TrimLeft(value, "0"))
			}
		}
	}
	return strings.Join(found, "/")
}
