// Package jail walls a group of processes in by the kernel: namespaces, a read-only root, a /tmp of
// fixed size, cgroup limits, a uid of its own, no capabilities, seccomp and landlock.
//
// It knows nothing of functions: package sandbox decides what runs inside. Where the kernel or the
// operating system refuses isolation it runs plain processes and says so.
package jail

import (
	"context"
	"net"
	"os"
	"time"
)

// Mode is how strong the walls are.
type Mode string

// The modes: made as root; made in a user namespace by an unprivileged user; none at all.
const (
	AsRoot   Mode = "root"
	Rootless Mode = "rootless"
	Unwalled Mode = "process"
)

// Host makes jails on this machine. Open makes one.
type Host interface {
	// Mode is the mode of its jails.
	Mode() Mode
	// Warnings says, in sentences for a person, what protection this machine lacks; none is none.
	Warnings() []string
	// New makes a jail in which nothing runs yet. It may be made long before it is needed.
	New(ctx context.Context, c Config) (Jail, error)
	// Close destroys all jails and what the host keeps for them.
	Close() error
}

// Config is what a jail is made of before it is known what it will run.
type Config struct {
	Binds     []Bind   // of the root, which is otherwise empty but for /dev, /proc, /etc and /tmp
	Listeners []string // TCP addresses to listen on inside ("127.0.0.1:9001"), for the platform to serve
	Hostname  string
	// Tmp, if more than 0, is how many bytes /tmp holds, and Files how many descriptors a process may
	// open; those of Limits then count for nothing. In such a jail programs may be started before it is
	// assigned: they see what Assign adds.
	Tmp   int64
	Files int
	// Ahead says that nobody waits for the jail yet: until it is assigned, what runs inside leaves the
	// processor to other jails.
	Ahead bool
}

// Bind shows a file or directory of the host inside, read-only and without set-uid or devices. What is
// in it must be readable by everybody: programs inside run as a user whom the host does not know.
type Bind struct{ Source, Target string }

// Limits bound what a jail's processes may use together. 0 is no limit, but for Tmp: then /tmp holds
// nothing.
type Limits struct {
	Memory int64   // bytes; what lies in /tmp does not count
	CPU    float64 // cores
	Pids   int
	Tmp    int64 // bytes that /tmp holds
	Files  int   // open descriptors a process
}

// Command is a program to run inside. Its standard input is empty.
type Command struct {
	Path   string   // inside
	Args   []string // what follows the program's name
	Env    []string
	Dir    string // inside
	Stdout *os.File
	Stderr *os.File
	// Control is its descriptor 3, nil for none: a socket that it is told more through, as it is.
	Control *os.File
}

// Jail is one jail.
type Jail interface {
	// Assign gives the jail its limits and more binds (code, layers). It is called once, before Start but
	// for programs that need nothing of it (Config.Tmp).
	Assign(ctx context.Context, l Limits, binds []Bind) error
	// SetCPU changes how many cores the jail's processes get; 0 is as many as there are. A function
	// may start at full speed and get its share after.
	SetCPU(cores float64) error
	// Start runs a program in the jail.
	Start(c Command) (Process, error)
	// Listener is the i-th of Config.Listeners.
	Listener(i int) net.Listener
	// Dial connects to what listens inside at an IPv4 address and port. The connection may be refused
	// as late as at its first use.
	Dial(ctx context.Context, address string) (net.Conn, error)
	// Usage is what the jail used since it was made.
	Usage() (Usage, error)
	// Freeze stops all processes in their tracks, and Thaw lets them go on.
	Freeze() error
	Thaw() error
	// Close kills every process inside and removes the jail and its /tmp.
	Close() error
}

// Usage is what a jail has used.
type Usage struct {
	MemoryPeak int64 // bytes, of all its processes together
	OOMKills   int   // processes that the kernel killed for the memory limit
	CPU        time.Duration
}

// Process is a program that runs in a jail.
type Process interface {
	// Wait waits for its end. It may be called more than once.
	Wait() Exit
	// Signal sends it a signal; an ended process is no error.
	Signal(s os.Signal) error
}

// Exit is how a process ended: by a signal ("killed"), or with a code.
type Exit struct {
	Code   int
	Signal string // "" for none
}
