package jail

import (
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// verdict runs the filter over a system call of this architecture.
func verdict(t *testing.T, vm *bpf.VM, arch, number uint32, arguments ...uint32) uint32 {
	t.Helper()
	data := make([]byte, 64) // as the machine of package bpf reads it: the highest byte first
	binary.BigEndian.PutUint32(data[numberAt:], number)
	binary.BigEndian.PutUint32(data[archAt:], arch)
	for i, a := range arguments {
		binary.BigEndian.PutUint32(data[firstAt+8*i:], a)
	}
	r, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(r)
}

func TestFilterRefusesExactlyWhatItShould(t *testing.T) {
	program := seccompProgram()
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	arch := program[1].(bpf.JumpIf).Val
	const (
		allowed = unix.SECCOMP_RET_ALLOW
		eperm   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		enosys  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		enomem  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOMEM)
		proto   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPROTONOSUPPORT)
		family  = unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)
	)
	for n := uint32(0); n < newestCall+100; n++ {
		want := uint32(allowed)
		switch {
		case n > newestCall, n == unix.SYS_CLONE3:
			want = enosys
		case slices.Contains(forbidden, n):
			want = eperm
		case n == unix.SYS_SOCKET, n == unix.SYS_SOCKETPAIR:
			want = family // of family 0
		}
		if got := verdict(t, vm, arch, n, 0, 0); got != want {
			t.Errorf("call %d: %#x; want %#x", n, got, want)
		}
	}
	for _, c := range []struct {
		number, first, second, want uint32
	}{
		{unix.SYS_CLONE, unix.CLONE_VM | unix.CLONE_THREAD, 0, allowed},
		{unix.SYS_CLONE, unix.CLONE_NEWUSER | unix.CLONE_VM, 0, eperm},
		{unix.SYS_CLONE, unix.CLONE_NEWNET, 0, eperm},
		{unix.SYS_CLONE, unix.CLONE_PARENT, 0, eperm},
		{unix.SYS_FCNTL, 0, unix.F_SETLEASE, eperm},
		{unix.SYS_FCNTL, 0, unix.F_NOTIFY, eperm},
		{unix.SYS_FCNTL, 0, unix.F_SETFL, allowed},
		{unix.SYS_MEMFD_CREATE, 0, unix.MFD_HUGETLB | unix.MFD_CLOEXEC, enomem},
		{unix.SYS_MEMFD_CREATE, 0, unix.MFD_CLOEXEC, allowed},
		{unix.SYS_SOCKET, unix.AF_UNIX, 0, allowed},
		{unix.SYS_SOCKET, unix.AF_NETLINK, 0, allowed},
		{unix.SYS_SOCKET, unix.AF_VSOCK, 0, family},
		{unix.SYS_PERSONALITY, 0xffffffff, 0, allowed},
		{unix.SYS_PERSONALITY, 0x20000, 0, eperm},
		{unix.SYS_PRLIMIT64, 1, 0, eperm},
		{unix.SYS_IOCTL, 0, unix.TIOCSTI, eperm},
		{unix.SYS_IOCTL, 0, unix.TIOCLINUX, eperm},
		{unix.SYS_IOCTL, 0, unix.TIOCINQ, allowed},
	} {
		if got := verdict(t, vm, arch, c.number, c.first, c.second); got != c.want {
			t.Errorf("%+v: %#x", c, got)
		}
	}
	for _, c := range []struct {
		number, first, third, fourth, want uint32
	}{
		{unix.SYS_SOCKET, unix.AF_NETLINK, unix.NETLINK_ROUTE, 0, allowed},
		{unix.SYS_SOCKET, unix.AF_NETLINK, unix.NETLINK_AUDIT, 0, proto},
		{unix.SYS_SOCKET, unix.AF_NETLINK, unix.NETLINK_KOBJECT_UEVENT, 0, proto},
		{unix.SYS_SOCKET, unix.AF_INET, unix.IPPROTO_TCP, 0, allowed},
		{unix.SYS_SOCKET, unix.AF_INET6, unix.IPPROTO_UDP, 0, allowed},
		{unix.SYS_SOCKET, unix.AF_INET, unix.IPPROTO_SCTP, 0, proto},
		{unix.SYS_SOCKET, unix.AF_INET6, unix.IPPROTO_MPTCP, 0, proto},
		{unix.SYS_SOCKET, unix.AF_UNIX, 0, 0, allowed},
		{unix.SYS_INOTIFY_ADD_WATCH, 0, unix.IN_MODIFY | unix.IN_OPEN, 0, eperm},
		{unix.SYS_INOTIFY_ADD_WATCH, 0, unix.IN_MODIFY | unix.IN_CREATE, 0, allowed},
		{unix.SYS_SHMGET, 0, hugeSharedMemory | 0o600, 0, enomem},
		{unix.SYS_SHMGET, 0, 0o1600, 0, allowed},
		{unix.SYS_MMAP, 0, 0, unix.MAP_HUGETLB | unix.MAP_PRIVATE, enomem},
		{unix.SYS_MMAP, 0, 0, unix.MAP_PRIVATE, allowed},
	} {
		if got := verdict(t, vm, arch, c.number, c.first, 0, c.third, c.fourth); got != c.want {
			t.Errorf("%+v: %#x", c, got)
		}
	}
	if got := verdict(t, vm, arch+1, unix.SYS_READ, 0, 0); got != unix.SECCOMP_RET_KILL_PROCESS {
		t.Errorf("another architecture: %#x", got)
	}
}
