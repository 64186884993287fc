package jail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"cirro/internal/sandbox/jail/cgroup"
	"cirro/internal/sandbox/jail/control"
	"cirro/internal/sandbox/jail/egress"
)

// walledJail is one jail, with the connection to its supervisor.
type walledJail struct {
	host      *walledHost
	user      int
	memory    int64       // bytes that /tmp may take of the memory
	confined  bool        // programs can be started
	*cell                 // nil until there is one
	way       *egress.Way // nil without one
	link      *link       // nil until then
	listeners []net.Listener
	files     int  // descriptors that a process may open
	yields    bool // to other jails
	forks     forks
	closing   sync.Once
	closed    error
}

func (h *walledHost) New(ctx context.Context, c Config) (Jail, error) {
	j := &walledJail{host: h}
	if err := h.admit(j); err != nil {
		return nil, err
	}
	defer h.making.Done()
	if err := j.open(ctx, c); err != nil {
		j.Close()
		return nil, fmt.Errorf("make a jail: %w", err)
	}
	return j, nil
}

func (j *walledJail) open(ctx context.Context, c Config) (err error) {
	h := j.host
	cell := h.cells.take()
	// While its process may still be starting, what it will need is made.
	binds := append(rootBinds(), c.Binds...)
	mounts, err := h.mounts.open(sources(binds))
	defer func() { closeAll(mounts) }()
	t := <-cell
	j.cell = t.cell
	if err = errors.Join(err, t.err); err != nil {
		return err
	}
	j.link = newLink(j.process.conn)
	if j.yields = c.Ahead; j.yields {
		if err := j.group.Yield(true); err != nil {
			return err
		}
	}
	if err := j.openWay(ctx); err != nil {
		return err
	}
	m := &control.Build{
		Hostname: c.Hostname, Targets: targets(binds), Files: j.etc(c.Hostname), Hide: hidden, Listeners: c.Listeners,
	}
	if c.Tmp > 0 {
		mounts, m.Targets = j.confine(&m.Confine, c.Tmp, c.Files, mounts, m.Targets)
	}
	_, sockets, err := j.link.ask(ctx, m, mounts)
	if err != nil {
		closeAll(sockets)
		return err
	}
	return j.listen(sockets)
}

// listen takes the sockets that listen inside.
func (j *walledJail) listen(sockets []int) error {
	for i, fd := range sockets {
		f := os.NewFile(uintptr(fd), "listener")
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			closeAll(sockets[i+1:])
			return err
		}
		j.listeners = append(j.listeners, l)
	}
	return nil
}

func (j *walledJail) Assign(ctx context.Context, l Limits, binds []Bind) error {
	if err := j.assign(ctx, l, binds); err != nil {
		return fmt.Errorf("assign a jail: %w", err)
	}
	return nil
}

func (j *walledJail) assign(ctx context.Context, l Limits, binds []Bind) error {
	h := j.host
	mounts, err := h.mounts.open(sources(binds))
	defer func() { closeAll(mounts) }()
	if err != nil {
		return err
	}
	if j.yields {
		if err := j.group.Yield(false); err != nil {
			return err
		}
		j.yields = false
	}
	m := &control.Assign{Targets: targets(binds)}
	if !j.confined {
		mounts, m.Targets = j.confine(&m.Confine, l.Tmp, l.Files, mounts, m.Targets)
	}
	each := h.limitEach(l)
	m.Data, m.Tasks = each.data, each.tasks
	memory := l.Memory
	if memory > 0 {
		memory += j.memory
	}
	_, _, err = j.link.askWhile(ctx, m, mounts, func() error {
		return errors.Join(j.forks.limit(each), j.group.Limit(cgroup.Limits{Memory: memory, CPU: l.CPU, Pids: l.Pids}))
	})
	return err
}

// confine says how programs are confined, and adds a /tmp of a size to what is mounted.
func (j *walledJail) confine(c *control.Confine, tmp int64, files int, mounts []int, targets []string) ([]int, []string) {
	h := j.host
	j.confined, j.files = true, files
	c.UID, c.GID, c.Filter, c.Files = -1, -1, h.filter, int64(files)
	if h.mode == AsRoot {
		c.UID, c.GID = int64(firstUser+j.user), int64(firstUser+j.user)
	}
	if volume := h.volume(tmp); volume >= 0 {
		return append(mounts, volume), append(targets, "/tmp")
	}
	// What lies in such a /tmp is counted as memory.
	c.Tmp = max(tmp, 4<<10)
	j.memory = c.Tmp
	return mounts, targets
}

// volume is a file system on disk of a size, or -1 where there is none to be had.
func (h *walledHost) volume(size int64) int {
	if h.volumes == nil || size <= 0 {
		return -1
	}
	v, err := h.volumes.take(size)
	if err != nil {
		h.lock.Lock()
		h.late = "Files in /tmp take memory, " + errNoVolumes.Error() + " (" + err.Error() + ")."
		h.lock.Unlock()
		return -1
	}
	return v
}

// limitEach bounds single processes where the machine does not bound them together. It is coarse: a
// process reserves more data than it uses, and the supervisor's threads count.
func (h *walledHost) limitEach(l Limits) (e eachLimits) {
	const reserve, threads = 256 << 20, 10 // of the supervisor
	missing := h.groups.Missing()
	if slices.Contains(missing, "memory") && l.Memory > 0 {
		e.data = l.Memory + reserve
	}
	if slices.Contains(missing, "pids") && l.Pids > 0 && h.mode == Rootless && countsByNamespace() {
		e.tasks = int64(l.Pids + threads)
	}
	return e
}

// countsByNamespace tells whether the kernel counts a user's processes in each user namespace apart, as
// it does since Linux 5.14: before, what the user runs elsewhere would count.
var countsByNamespace = sync.OnceValue(func() bool {
	var u unix.Utsname
	var major, minor int
	if err := unix.Uname(&u); err != nil {
		return false
	}
	n, _ := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	return n == 2 && (major > 5 || major == 5 && minor >= 14)
})

func (j *walledJail) SetCPU(cores float64) error { return j.group.LimitCPU(cores) }

func (j *walledJail) Start(c Command) (Process, error) {
	j.group.Mark()
	p, err := j.link.start(c)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	return p, nil
}

func (j *walledJail) Dial(ctx context.Context, address string) (net.Conn, error) {
	// The supervisor answers at once; a caller in a hurry must not break the link.
	_, sockets, err := j.link.ask(context.WithoutCancel(ctx), &control.Dial{Address: address}, nil)
	if err == nil && len(sockets) != 1 {
		err = syscall.EBADMSG
	}
	if err != nil {
		closeAll(sockets)
		return nil, fmt.Errorf("connect to %s in a jail: %w", address, err)
	}
	f := os.NewFile(uintptr(sockets[0]), "connection")
	defer f.Close()
	return net.FileConn(f)
}

func (j *walledJail) Listener(i int) net.Listener { return j.listeners[i] }

func (j *walledJail) Usage() (Usage, error) {
	u, err := j.group.Usage()
	return Usage{MemoryPeak: u.MemoryPeak, OOMKills: u.OOMKills, CPU: u.CPU}, err
}

func (j *walledJail) Freeze() error { return j.freeze(true, syscall.SIGSTOP) }
func (j *walledJail) Thaw() error   { return j.freeze(false, syscall.SIGCONT) }

// freeze uses signals, which the programs can tell, where the machine has no freezer for this user.
func (j *walledJail) freeze(frozen bool, otherwise syscall.Signal) error {
	err := j.group.Freeze(frozen)
	if errors.Is(err, cgroup.ErrNoFreezer) {
		return j.link.send(&control.Signal{ID: control.All, Signal: int64(otherwise)}, nil)
	}
	return err
}

func (j *walledJail) Close() error {
	j.closing.Do(func() { j.closed = j.close() })
	return j.closed
}

func (j *walledJail) close() error {
	defer j.host.release(j)
	for _, l := range j.listeners {
		l.Close()
	}
	if j.cell == nil {
		return nil
	}
	if j.way != nil {
		defer j.way.Close()
	}
	return j.destroy()
}
