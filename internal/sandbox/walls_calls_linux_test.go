package sandbox_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"cirro/internal/sandbox"
)

// staticProgram builds testdata/attacker.
var staticProgram = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "cirro-attacker-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, "bootstrap"), "./testdata/attacker")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "bootstrap"))
})

func (w *walls) staticAttacker() *sandbox.Spec {
	w.bench.t.Helper()
	program, err := staticProgram()
	if err != nil {
		w.bench.t.Fatal(err)
	}
	s := w.function("provided.al2023", "attacker", map[string]string{"bootstrap": string(program)})
	s.ID, s.Function, s.Timeout = "static", "static", time.Minute
	return s
}

// callAttempts are those of testdata/attacker.
var callAttempts = []attempt{
	{static: true, name: "clone3 with every kind of namespace, another parent or group", code: "clone3", stops: "seccomp", want: "ENOSYS"},
	{static: true, name: "unshare and clone with every kind of namespace", code: "namespaces", stops: "seccomp", want: "EPERM"},
	{static: true, name: "setns by every file of /proc/self/ns, and by the first process", code: "setns", stops: "seccomp", want: "EPERM"},
	{static: true, name: "hide numbers, families and commands by bits that the kernel drops", code: "high bits", stops: "seccomp looks at what the kernel does", want: "EPERM EPROTONOSUPPORT"},
	{static: true, name: "every number that x32 has of its own", code: "x32", stops: "seccomp", want: "ENOSYS"},
	{static: true, name: "io_uring by i386's number", code: "i386 io_uring", stops: "seccomp kills the process", want: "Runtime.ExitError"},
	{static: true, name: "mount by i386's number", code: "i386 mount", stops: "seccomp kills the process", want: "Runtime.ExitError"},
	{static: true, name: "every call that makes, moves or changes mounts", code: "mount API", stops: "seccomp", want: "EPERM"},
	{static: true, name: "list the mounts of other mount namespaces, and namespaces (listmount, statmount, listns)", code: "other mounts", stops: "no capabilities, seccomp", want: refused},
	{static: true, name: "open by handle what has names in the jail, and the root", code: "handles", stops: "seccomp", want: "EPERM"},
	{static: true, name: "every call that is the administrator's of the machine", code: "machine", stops: "seccomp", want: "EPERM"},
	{static: true, name: "set every clock there is", code: "clocks", stops: "seccomp", want: "EPERM"},
	{static: true, name: "bpf, userfaultfd, io_uring, perf, keys and fanotify by their commands", code: "watchers", stops: "seccomp", want: "EPERM"},
	{static: true, name: "answer its own forbidden calls by seccomp's notifications", code: "seccomp", stops: "of several filters the strictest counts", want: "EPERM"},
	{static: true, name: "change what the process is (prctl)", code: "prctl", stops: "no capabilities, no_new_privs", want: refused},
	{static: true, name: "take huge pages, which no group counts", code: "pages", stops: "seccomp", want: "ENOMEM"},
	{static: true, name: "use up the machine's contexts of asynchronous input and output (io_setup)", code: "aio", stops: "seccomp", want: "EPERM"},

	{static: true, name: "signal every process number by every call", code: "signals", stops: "PID namespace, landlock; the kernel drops what is sent to the first process", want: "EPERM ESRCH ok"},
	{static: true, name: "have the kernel signal the owner of a descriptor (F_SETOWN, F_SETSIG)", code: "owner", stops: "PID namespace, landlock; the kernel drops what is sent to the first process", want: "ESRCH ok"},
	{static: true, name: "trace every process number", code: "trace", stops: "seccomp", want: "EPERM"},
	{static: true, name: "read and write the memory of every process number", code: "memory", stops: "seccomp", want: "EPERM"},
	{static: true, name: "take descriptors of the first process by its pidfd", code: "descriptors of others", stops: "seccomp", want: "EPERM"},
	{static: true, name: "read what /proc/1 has", code: "first process", stops: "it cannot be read; hidepid", want: refused},
	{static: true, name: "real time, deadlines and priorities", code: "priorities", stops: "no capabilities", want: "EACCES EPERM"},
	{static: true, name: "make all processes of the same user slower", code: "everybody's priority", stops: "PID namespace: they have no number there", want: "tried"},
	{static: true, name: "set limits of every process number", code: "limits of others", stops: "seccomp", want: "EPERM"},
	{static: true, name: "pin a gigabyte", code: "pinned memory", stops: "RLIMIT_MEMLOCK", want: refused},
	{static: true, name: "make timers without end", code: "timers", stops: "RLIMIT_SIGPENDING", want: "EAGAIN"},
	{static: true, name: "disturb other processors (membarrier, rseq)", code: "barriers", stops: "the kernel bounds what it costs others", want: refused},

	{static: true, name: "sockets of every family", code: "families", stops: "seccomp", want: "EAFNOSUPPORT"},
	{static: true, name: "every protocol of the internet's sockets, and raw ones", code: "protocols", stops: "seccomp, no capabilities", want: refused},
	{static: true, name: "every protocol of netlink", code: "netlink", stops: "seccomp", want: "EPROTONOSUPPORT"},
	{static: true, name: "abstract sockets of the host and the neighbour, of every kind", code: "abstract sockets", stops: "network namespace", want: refused},
	{static: true, name: "pass sockets within themselves", code: "passed descriptors", stops: "the kernel collects its garbage", want: "still here"},
	{static: true, name: "find others' shared memory, semaphores and queues by their index", code: "IPC", stops: "IPC namespace", want: refused},
	{static: true, name: "open and make devices", code: "devices", stops: "seven device files, and no others; no capabilities", want: refused},

	{static: true, name: "begin with descriptors that are not its own", code: "descriptors", stops: "descriptors are closed on exec, and none is passed on", want: "0 /dev/null, 1 pipe, 2 pipe"},
	{static: true, name: "type into a terminal by every descriptor", code: "terminal", stops: "seccomp", want: "EPERM"},
	{static: true, name: "go up from every descriptor", code: "upwards", stops: "none is a directory", want: "EBADF ENOTDIR"},
	{static: true, name: "execute a program that is nowhere but in memory", code: "memfd", stops: "it has no more rights than what executed it", want: "////1/2 true"},
	{static: true, name: "execute one that is root's and set-user-ID", code: "memfd that is root's", stops: "no_new_privs, no capabilities", want: "////1/2 true"},
	{static: true, name: "write to a read-only page by /proc/self/mem", code: "own memory", stops: "read-only /proc, landlock; a private page is a copy", want: "EACCES ok EACCES true|EACCES ok EROFS true"},
	{static: true, name: "write into a file's pages by a pipe (Dirty Pipe)", code: "dirty pipe", stops: "the kernel, since 5.16.11", want: "unchanged true"},
	{static: true, name: "keep others waiting at shared files by leases", code: "leases", stops: "seccomp", want: "EPERM"},
	{static: true, name: "watch what others read (inotify, directory notifications)", code: "watches", stops: "seccomp: of inotify only events of writers", want: "EPERM"},
}
