package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Group is a group of processes.
type Group struct {
	manager    *Manager
	place      map[string]place
	dirs       []string // of version 1, in the order of the manager's
	unifiedDir string   // of version 2, "" for none
	unified    int      // the same as a descriptor, -1 for none
	base       int64    // bytes that the group used when it was marked
	tasks      int64    // processes and threads that it had then
	marked     bool
	timed      bool // its period is set
	bounded    bool // in processor time
}

// Limits bound what a group uses. 0 is no limit.
type Limits struct {
	Memory int64   // bytes over what the group used when it was marked
	CPU    float64 // cores
	Pids   int     // processes and threads over what the group had then
}

// Usage is what a group has used.
type Usage struct {
	MemoryPeak int64 // bytes over what the group used when it was marked
	OOMKills   int
	CPU        time.Duration
}

// Descriptor is the group of version 2, for a process to be born in; it is -1 where there is none.
func (g *Group) Descriptor() int { return g.unified }

func (g *Group) openUnified(dir string) error {
	if err := mkdir(dir, 0o755); err != nil {
		return err
	}
	g.unifiedDir = dir
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	g.unified = fd
	return nil
}

// Bear lets start begin a process in the group; start itself sees to Descriptor. The calling goroutine
// must be locked to its thread.
//
// In version 1 the thread enters the group, starts the process and goes home. To move the process
// later is simpler, but takes a lock that all of the machine's forks hold, 12 ms at times; a thread
// that moves itself does not need it.
func (g *Group) Bear(start func() (pid int, err error)) error {
	if !g.manager.threads {
		pid, err := start()
		if err != nil {
			return err
		}
		return g.Admit(pid)
	}
	err := writeAll(g.dirs, "tasks", "0")
	if err == nil {
		_, err = start()
	}
	return errors.Join(err, writeAll(g.manager.homes, "tasks", "0"))
}

// Admit moves a process into the group, but for version 2, where it is to be born in it.
func (g *Group) Admit(pid int) error { return writeAll(g.dirs, "cgroup.procs", strconv.Itoa(pid)) }

// Tasks opens the files of version 1 that a process which is forked elsewhere enters the group by: it
// writes 0 to each.
func (g *Group) Tasks() ([]*os.File, error) {
	name := "tasks" // as in Bear, for a process of one thread
	if !g.manager.threads {
		name = "cgroup.procs"
	}
	var files []*os.File
	for _, d := range g.dirs {
		f, err := os.OpenFile(filepath.Join(d, name), os.O_WRONLY, 0)
		if err != nil {
			return files, err
		}
		files = append(files, f)
	}
	return files, nil
}

func writeAll(dirs []string, file, value string) error {
	for _, d := range dirs {
		if err := write(d, file, value); err != nil {
			return err
		}
	}
	return nil
}

// Mark says that what the group uses from now on counts, if that was not said before. Limit says it too.
func (g *Group) Mark() {
	if g.marked {
		return
	}
	g.marked = true
	if p, ok := g.place[memory]; ok {
		name := "memory.usage_in_bytes"
		if p.v2 {
			name = "memory.current"
		}
		g.base, _ = number(p.dir, name)
	}
	if p, ok := g.place[pids]; ok {
		g.tasks, _ = number(p.dir, "pids.current")
	}
}

// Limit bounds the group.
func (g *Group) Limit(l Limits) error {
	g.Mark()
	if p, ok := g.place[memory]; ok && l.Memory > 0 {
		if err := g.limitMemory(p, l.Memory); err != nil {
			return err
		}
	}
	if p, ok := g.place[pids]; ok && l.Pids > 0 {
		if err := write(p.dir, "pids.max", strconv.FormatInt(g.tasks+int64(l.Pids), 10)); err != nil {
			return err
		}
	}
	return g.LimitCPU(l.CPU)
}

func (g *Group) limitMemory(p place, bytes int64) error {
	if p.v2 {
		if err := write(p.dir, "memory.swap.max", "0"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return write(p.dir, "memory.max", strconv.FormatInt(g.base+bytes, 10))
	}
	limit := strconv.FormatInt(g.base+bytes, 10)
	if err := write(p.dir, "memory.limit_in_bytes", limit); err != nil {
		return err
	}
	err := write(p.dir, "memory.memsw.limit_in_bytes", limit) // there only where swap is counted
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return nil
	}
	return err
}

// period is how often the group's share of the processor is given anew. It is AWS Lambda's own: a
// small function then waits 20 ms at most for its next share.
const period = 20 * time.Millisecond

// LimitCPU bounds the processor time that the group gets; 0 lifts the bound.
func (g *Group) LimitCPU(cores float64) error {
	p, ok := g.place[cpu]
	if !ok {
		return nil
	}
	every := strconv.FormatInt(period.Microseconds(), 10)
	if !p.v2 && !g.timed {
		if err := write(p.dir, "cpu.cfs_period_us", every); err != nil {
			return err
		}
		g.timed = true
	}
	if cores <= 0 && !g.bounded {
		return nil // as it was born
	}
	g.bounded = cores > 0
	quota := max(int64(cores*float64(period.Microseconds())), 1000) // the kernel's least
	share := strconv.FormatInt(quota, 10)
	if p.v2 {
		if cores <= 0 {
			share = "max"
		}
		return write(p.dir, "cpu.max", share+" "+every)
	}
	if cores <= 0 {
		return write(p.dir, "cpu.cfs_quota_us", "-1")
	}
	return write(p.dir, "cpu.cfs_quota_us", share)
}

// Yield has the group's processes leave the processor to those of the manager's other groups, but for a
// fiftieth of what is usual, so that they come to an end in any case; or no more so. It makes no difference to
// what is outside all of the manager's groups.
func (g *Group) Yield(yes bool) error {
	p, ok := g.place[cpu]
	switch {
	case !ok:
		return nil
	case p.v2 && yes:
		return write(p.dir, "cpu.weight", "2")
	case p.v2:
		return write(p.dir, "cpu.weight", "100")
	case yes:
		return write(p.dir, "cpu.shares", "20")
	}
	return write(p.dir, "cpu.shares", "1024")
}

// Usage reads what the group has used.
func (g *Group) Usage() (Usage, error) {
	var u Usage
	if p, ok := g.place[memory]; ok {
		peak, kills := "memory.max_usage_in_bytes", "memory.oom_control"
		if p.v2 {
			peak, kills = "memory.peak", "memory.events"
		}
		n, err := number(p.dir, peak)
		if p.v2 && errors.Is(err, os.ErrNotExist) {
			n, err = number(p.dir, "memory.current") // before Linux 5.19
		}
		if err != nil {
			return u, err
		}
		u.MemoryPeak = max(n-g.base, 0)
		k, err := field(p.dir, kills, "oom_kill")
		if err != nil {
			return u, err
		}
		u.OOMKills = int(k)
	}
	if p, ok := g.place[cpuacct]; ok {
		var n int64
		var err error
		if p.v2 {
			n, err = field(p.dir, "cpu.stat", "usage_usec")
			n *= 1000
		} else {
			n, err = number(p.dir, "cpuacct.usage")
		}
		if err != nil {
			return u, err
		}
		u.CPU = time.Duration(n)
	}
	return u, nil
}

// ErrNoFreezer says that the machine cannot freeze groups.
var ErrNoFreezer = errors.New("this machine has no freezer for control groups")

// Freeze stops all processes of the group, or lets them go on.
func (g *Group) Freeze(frozen bool) error {
	p, ok := g.place[freezer]
	switch {
	case !ok:
		return ErrNoFreezer
	case p.v2 && frozen:
		return settle(p.dir, "cgroup.freeze", "1", "cgroup.events", "frozen 1")
	case p.v2:
		return write(p.dir, "cgroup.freeze", "0")
	case frozen:
		return settle(p.dir, "freezer.state", "FROZEN", "freezer.state", "FROZEN")
	}
	return write(p.dir, "freezer.state", "THAWED")
}

// settle writes a control file and waits until another says that the kernel is done. A process in a call
// that cannot be interrupted may keep it from being so: then it stops after the call.
func settle(dir, file, value, report, done string) error {
	if err := write(dir, file, value); err != nil {
		return err
	}
	for range 100 {
		b, err := os.ReadFile(filepath.Join(dir, report))
		if err != nil || strings.Contains(string(b), done) {
			return err
		}
		time.Sleep(100 * time.Microsecond)
	}
	return nil
}

// Remove removes the group, whose processes have ended.
func (g *Group) Remove() error {
	if g.unified >= 0 {
		syscall.Close(g.unified)
		g.unified = -1
	}
	var errs []error
	for _, d := range append([]string{g.unifiedDir}, g.dirs...) {
		if d != "" {
			errs = append(errs, remove(d))
		}
	}
	return errors.Join(errs...)
}

// number reads a file that holds one number.
func number(dir, file string) (int64, error) {
	text, err := contents(dir, file)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(text), 10, 64)
}

// contents reads a small file of the kernel's: what a group used is read so often that os.ReadFile, which is
// made for any kind of file, would cost as much as all the rest of a small invocation.
func contents(dir, file string) (string, error) {
	path := filepath.Join(dir, file)
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer syscall.Close(fd)
	var b [4096]byte
	for {
		n, err := syscall.Read(fd, b[:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return "", &os.PathError{Op: "read", Path: path, Err: err}
		}
		return string(b[:n]), nil
	}
}

// field reads a number from a file of lines, each a name and a number; 0 where the name is not there.
func field(dir, file, name string) (int64, error) {
	text, err := contents(dir, file)
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(l, name+" "); ok {
			return strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		}
	}
	return 0, nil
}

// Directory is where the files of one controller lie, "" where the group lacks it.
func (g *Group) Directory(controller string) string { return g.place[controller].dir }
