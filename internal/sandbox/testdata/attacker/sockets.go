package main

import (
	"strings"

	"golang.org/x/sys/unix"
)

func init() {
	attempts["families"] = func(facts) string {
		var outcomes []string
		for family := uintptr(0); family < 64; family++ {
			switch family {
			case unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK:
				continue
			}
			for kind := uintptr(1); kind < 7; kind++ {
				outcomes = append(outcomes, call(unix.SYS_SOCKET, family, kind, 0), call(unix.SYS_SOCKETPAIR, family, kind, 0, buffer()))
			}
		}
		return all(outcomes...)
	}
	attempts["protocols"] = func(facts) string {
		var outcomes []string
		for _, family := range []uintptr{unix.AF_INET, unix.AF_INET6} {
			for protocol := uintptr(0); protocol < 300; protocol++ {
				switch protocol {
				case 0, unix.IPPROTO_ICMP, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_ICMPV6:
					// Raw ones are another matter.
					outcomes = append(outcomes, call(unix.SYS_SOCKET, family, unix.SOCK_RAW, protocol))
					continue
				}
				for kind := uintptr(1); kind < 7; kind++ {
					outcomes = append(outcomes, call(unix.SYS_SOCKET, family, kind, protocol))
				}
			}
		}
		return all(outcomes...)
	}
	attempts["netlink"] = func(facts) string {
		var outcomes []string
		for protocol := uintptr(1); protocol < 64; protocol++ {
			outcomes = append(outcomes, call(unix.SYS_SOCKET, unix.AF_NETLINK, unix.SOCK_RAW, protocol))
		}
		return all(outcomes...)
	}
	attempts["abstract sockets"] = func(f facts) string {
		var outcomes []string
		for _, name := range []string{f.Abstract, "neighbour"} {
			for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET} {
				fd, err := unix.Socket(unix.AF_UNIX, kind, 0)
				if err != nil {
					return outcome(err)
				}
				outcomes = append(outcomes, outcome(unix.Connect(fd, &unix.SockaddrUnix{Name: "@" + name})),
					outcome(unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrUnix{Name: "@" + name})))
				unix.Close(fd)
			}
		}
		return all(outcomes...)
	}
	attempts["passed descriptors"] = func(facts) string {
		// Sockets that lie within themselves and one another are the kernel's garbage to find.
		for range 500 {
			a, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			if err != nil {
				return outcome(err)
			}
			b, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
			if err != nil {
				return outcome(err)
			}
			for _, fd := range append(a[:], b[:]...) {
				unix.Sendmsg(a[0], []byte("x"), unix.UnixRights(a[1], b[0], fd), nil, unix.MSG_DONTWAIT)
				unix.Sendmsg(b[0], []byte("x"), unix.UnixRights(b[1], a[0], fd), nil, unix.MSG_DONTWAIT)
			}
			for _, fd := range append(a[:], b[:]...) {
				unix.Close(fd)
			}
		}
		return "still here"
	}
	attempts["IPC"] = func(facts) string {
		const statAny, semStatAny, messageStatAny = 15, 20, 13
		var outcomes []string
		for n := uintptr(0); n < 256; n++ {
			outcomes = append(outcomes, call(unix.SYS_SHMCTL, n, statAny, buffer()), call(unix.SYS_SEMCTL, n, 0, semStatAny, buffer()), call(unix.SYS_MSGCTL, n, messageStatAny, buffer()),
				call(unix.SYS_SHMAT, n, 0, 0), call(unix.SYS_SHMGET, 4242, 0, 0))
		}
		for _, name := range []string{"neighbour", "x"} {
			outcomes = append(outcomes, call(unix.SYS_MQ_OPEN, text(name), unix.O_RDWR, 0, 0))
		}
		return all(outcomes...)
	}
	attempts["devices"] = func(facts) string {
		var outcomes []string
		for _, name := range strings.Fields("mem kmem port kmsg kvm fuse net/tun ptmx tty console loop-control loop0 sda vda nvme0 vhost-net vsock userfaultfd uinput input/event0 snd/seq hwrng rtc0 watchdog btrfs-control mapper/control shm/x mqueue") {
			fd, err := unix.Open("/dev/"+name, unix.O_RDWR, 0)
			if err == nil {
				unix.Close(fd)
			}
			outcomes = append(outcomes, outcome(err), outcome(unix.Mknod("/tmp/device", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 1)))))
		}
		return all(outcomes...)
	}
}
