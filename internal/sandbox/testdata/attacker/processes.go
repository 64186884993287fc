package main

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

func init() {
	attempts["signals"] = func(facts) string {
		info := [16]uint64{} // siginfo_t: from a queue, by itself
		code := int32(-1)    // SI_QUEUE
		*(*int32)(unsafe.Pointer(uintptr(unsafe.Pointer(&info)) + 8)) = code
		queued := uintptr(unsafe.Pointer(&info))
		return others(func(pid int) []string {
			p := uintptr(pid)
			outcomes := []string{
				call(unix.SYS_KILL, p, uintptr(unix.SIGKILL)), call(unix.SYS_TKILL, p, uintptr(unix.SIGSTOP)), call(unix.SYS_TGKILL, p, p, uintptr(unix.SIGKILL)),
				call(unix.SYS_RT_SIGQUEUEINFO, p, uintptr(unix.SIGKILL), queued), call(unix.SYS_RT_TGSIGQUEUEINFO, p, p, uintptr(unix.SIGKILL), queued),
			}
			if fd, err := unix.PidfdOpen(pid, 0); err == nil {
				outcomes = append(outcomes, call(unix.SYS_PIDFD_SEND_SIGNAL, uintptr(fd), uintptr(unix.SIGKILL), 0, 0))
				unix.Close(fd)
			}
			return outcomes
		})
	}
	attempts["owner"] = func(facts) string {
		// The kernel sends the owner of a descriptor a signal: any that was asked for.
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			return outcome(err)
		}
		defer unix.Close(fds[0])
		defer unix.Close(fds[1])
		const setSignal = 10 // F_SETSIG
		call(unix.SYS_FCNTL, uintptr(fds[0]), setSignal, uintptr(unix.SIGKILL))
		call(unix.SYS_FCNTL, uintptr(fds[0]), unix.F_SETFL, unix.O_ASYNC)
		return others(func(pid int) []string {
			o := call(unix.SYS_FCNTL, uintptr(fds[0]), unix.F_SETOWN, uintptr(pid))
			if o == "ok" {
				unix.Write(fds[1], []byte("x"))
			}
			return []string{o}
		})
	}
	attempts["trace"] = func(facts) string {
		return all(call(unix.SYS_PTRACE, unix.PTRACE_TRACEME), others(func(pid int) []string {
			p := uintptr(pid)
			return []string{call(unix.SYS_PTRACE, unix.PTRACE_ATTACH, p), call(unix.SYS_PTRACE, unix.PTRACE_SEIZE, p)}
		}))
	}
	attempts["memory"] = func(facts) string {
		local := [2]uintptr{buffer(), 64}
		vector := uintptr(unsafe.Pointer(&local))
		return others(func(pid int) []string {
			p := uintptr(pid)
			return []string{
				call(unix.SYS_PROCESS_VM_READV, p, vector, 1, vector, 1), call(unix.SYS_PROCESS_VM_WRITEV, p, vector, 1, vector, 1),
				call(unix.SYS_KCMP, p, uintptr(os.Getpid()), 0), call(unix.SYS_MOVE_PAGES, p, 0), call(unix.SYS_MIGRATE_PAGES, p, 0),
			}
		})
	}
	attempts["descriptors of others"] = func(facts) string {
		var outcomes []string
		for _, pid := range []int{1, os.Getpid()} {
			pidfd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				return outcome(err)
			}
			for fd := uintptr(0); fd < 8; fd++ {
				outcomes = append(outcomes, call(unix.SYS_PIDFD_GETFD, uintptr(pidfd), fd, 0))
			}
			outcomes = append(outcomes, call(unix.SYS_PROCESS_MADVISE, uintptr(pidfd), buffer(), 0, unix.MADV_PAGEOUT))
			unix.Close(pidfd)
		}
		return all(outcomes...)
	}
	attempts["first process"] = func(facts) string {
		var outcomes []string
		for _, name := range []string{"mem", "maps", "environ", "fd/3", "ns/user", "ns/mnt", "root/etc/shadow", "cwd/etc/shadow", "exe", "io", "syscall", "stack"} {
			fd, err := unix.Open("/proc/1/"+name, unix.O_RDONLY, 0)
			if err == nil {
				_, err = unix.Read(fd, memory[:])
				unix.Close(fd)
			}
			outcomes = append(outcomes, outcome(err))
		}
		return all(outcomes...)
	}
	attempts["priorities"] = func(facts) string {
		real := struct {
			size, policy uint32
			flags        uint64
			nice         int32
			priority     uint32
			deadline     [3]uint64
		}{size: 48, policy: 6, deadline: [3]uint64{1e6, 1e7, 1e7}} // SCHED_DEADLINE
		outcomes := []string{call(unix.SYS_SCHED_SETATTR, 0, uintptr(unsafe.Pointer(&real)), 0)}
		one := [2]uint32{1}
		for _, policy := range []uintptr{1, 2} { // SCHED_FIFO and SCHED_RR
			outcomes = append(outcomes, call(unix.SYS_SCHED_SETSCHEDULER, 0, policy, uintptr(unsafe.Pointer(&one))))
		}
		for which := uintptr(0); which < 3; which++ {
			outcomes = append(outcomes, call(unix.SYS_SETPRIORITY, which, 0, ^uintptr(19)))
		}
		const realTime = 1 << 13
		return all(append(outcomes, call(unix.SYS_IOPRIO_SET, 1, 0, realTime))...)
	}
	attempts["everybody's priority"] = func(facts) string {
		const user = 2
		call(unix.SYS_SETPRIORITY, user, 0, 19)
		call(unix.SYS_SETPRIORITY, user, uintptr(os.Getuid()), 19)
		call(unix.SYS_IOPRIO_SET, 3, uintptr(os.Getuid()), 3<<13)
		return "tried"
	}
	attempts["limits of others"] = func(facts) string {
		none := [2]uint64{}
		return others(func(pid int) []string {
			return []string{call(unix.SYS_PRLIMIT64, uintptr(pid), unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&none)), 0)}
		})
	}
	attempts["pinned memory"] = func(facts) string {
		const size = 1 << 30
		at, _, e := unix.Syscall6(unix.SYS_MMAP, 0, size, 3, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE, ^uintptr(0), 0)
		if e != 0 {
			return outcome(e)
		}
		defer unix.Syscall(unix.SYS_MUNMAP, at, size, 0)
		return all(call(unix.SYS_MLOCK, at, size), call(unix.SYS_MLOCK2, at, size, 1),
			call(unix.SYS_MMAP, 0, size, 3, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_LOCKED, ^uintptr(0), 0))
	}
	attempts["timers"] = func(facts) string {
		var made []int32
		event := [8]uint64{}
		*(*int32)(unsafe.Pointer(uintptr(unsafe.Pointer(&event)) + 12)) = 1 // SIGEV_NONE
		result := "without end"
		for len(made) < 1<<14 {
			var id int32
			if o := call(unix.SYS_TIMER_CREATE, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&event)), uintptr(unsafe.Pointer(&id))); o != "ok" {
				result = o
				break
			}
			made = append(made, id)
		}
		for _, id := range made {
			call(unix.SYS_TIMER_DELETE, uintptr(id))
		}
		return result
	}
	attempts["barriers"] = func(facts) string {
		// Interrupts for all processors that run this process, or for all.
		for range 200 {
			call(unix.SYS_MEMBARRIER, 1<<4)
			call(unix.SYS_MEMBARRIER, 1<<3)
			call(unix.SYS_MEMBARRIER, 1<<1)
		}
		return all(call(unix.SYS_RSEQ, buffer()+1, 32, 0, 0), call(unix.SYS_RSEQ, ^uintptr(63), 32, 0, 0), call(unix.SYS_MEMBARRIER, 1<<30))
	}
}
