package jail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// unwalledHost runs plain processes: no limits and no isolation. Paths and addresses of the inside are
// rewritten to those of the machine in a program's path, directory, arguments and environment.
type unwalledHost struct {
	dir   string
	owned *os.File // holds the lock on dir
	why   string
	lock  sync.Mutex
	jail  map[*unwalledJail]struct{}
}

func openUnwalled(dir string, owned *os.File, why string) (Host, error) {
	stale, _ := filepath.Glob(filepath.Join(dir, "plain-*"))
	for _, d := range stale {
		os.RemoveAll(d)
	}
	return &unwalledHost{dir: dir, owned: owned, why: why, jail: map[*unwalledJail]struct{}{}}, nil
}

func (h *unwalledHost) Mode() Mode { return Unwalled }

func (h *unwalledHost) Warnings() []string {
	return []string{
		"Functions run as plain processes with your own rights: they can read and change whatever you can (" + h.why + ").",
		"Limits of memory, processor, processes and /tmp are not enforced.",
	}
}

func (h *unwalledHost) New(_ context.Context, c Config) (Jail, error) {
	dir, err := os.MkdirTemp(h.dir, "plain-")
	if err != nil {
		return nil, err
	}
	j := &unwalledJail{host: h, dir: dir, processes: map[*plainProcess]struct{}{}}
	if err := j.open(c); err != nil {
		j.Close()
		return nil, err
	}
	h.lock.Lock()
	h.jail[j] = struct{}{}
	h.lock.Unlock()
	return j, nil
}

func (h *unwalledHost) Close() error {
	h.lock.Lock()
	jails := make([]*unwalledJail, 0, len(h.jail))
	for j := range h.jail {
		jails = append(jails, j)
	}
	h.lock.Unlock()
	var errs []error
	for _, j := range jails {
		errs = append(errs, j.Close())
	}
	h.owned.Close()
	return errors.Join(errs...)
}

// unwalledJail is a group of plain processes with a directory of their own for /tmp.
type unwalledJail struct {
	host      *unwalledHost
	dir       string
	listeners []net.Listener
	binds     []Bind
	rewrite   []rewrite // of listener addresses

	lock      sync.Mutex
	processes map[*plainProcess]struct{}
	used      Usage
	closed    bool
}

// rewrite replaces what a program knows from inside by what is true outside.
type rewrite struct{ inside, outside string }

func (j *unwalledJail) open(c Config) error {
	tmp := filepath.Join(j.dir, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return err
	}
	j.binds = append([]Bind{{Source: tmp, Target: "/tmp"}}, c.Binds...)
	for _, address := range c.Listeners {
		// Every jail asks for the same ports, and here they share one network: any free port does.
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return err
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return err
		}
		j.listeners = append(j.listeners, l)
		j.rewrite = append(j.rewrite, rewrite{address, l.Addr().String()})
	}
	return nil
}

func (j *unwalledJail) Assign(_ context.Context, _ Limits, binds []Bind) error {
	j.binds = append(j.binds, binds...)
	return nil
}

func (j *unwalledJail) SetCPU(float64) error { return nil }

func (j *unwalledJail) Start(c Command) (Process, error) {
	j.lock.Lock()
	defer j.lock.Unlock()
	if j.closed {
		return nil, os.ErrClosed
	}
	cmd := &exec.Cmd{
		Path: j.outsidePath(c.Path), Args: []string{c.Path}, Dir: j.outsidePath(c.Dir),
		Stdout: c.Stdout, Stderr: c.Stderr, SysProcAttr: plainAttributes(),
	}
	for _, a := range c.Args {
		cmd.Args = append(cmd.Args, j.outside(a))
	}
	cmd.Env = []string{"TMPDIR=" + j.outsidePath("/tmp")}
	for _, e := range c.Env {
		name, value, _ := strings.Cut(e, "=")
		cmd.Env = append(cmd.Env, name+"="+j.outside(value))
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	p := &plainProcess{jail: j, cmd: cmd, done: make(chan struct{})}
	j.processes[p] = struct{}{}
	go p.wait()
	return p, nil
}

// outside rewrites an argument or the value of a variable: a path, a list of paths, or text with an
// address in it.
func (j *unwalledJail) outside(value string) string {
	for _, r := range j.rewrite {
		value = strings.ReplaceAll(value, r.inside, r.outside)
	}
	parts := strings.Split(value, string(os.PathListSeparator))
	for i, p := range parts {
		parts[i] = j.outsidePath(p)
	}
	return strings.Join(parts, string(os.PathListSeparator))
}

// outsidePath says where a path of the inside lies; the last bind over it counts.
func (j *unwalledJail) outsidePath(path string) string {
	for i := len(j.binds) - 1; i >= 0; i-- {
		b := j.binds[i]
		if rest, ok := strings.CutPrefix(path, b.Target); ok && (rest == "" || rest[0] == '/') {
			return b.Source + rest
		}
	}
	return path
}

func (j *unwalledJail) Dial(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

func (j *unwalledJail) Listener(i int) net.Listener { return j.listeners[i] }

func (j *unwalledJail) Usage() (Usage, error) {
	j.lock.Lock()
	defer j.lock.Unlock()
	return j.used, nil
}

func (j *unwalledJail) Freeze() error { return j.signal(stopSignal) }
func (j *unwalledJail) Thaw() error   { return j.signal(continueSignal) }

func (j *unwalledJail) signal(s syscall.Signal) error {
	j.lock.Lock()
	defer j.lock.Unlock()
	var errs []error
	for p := range j.processes {
		errs = append(errs, p.signalGroup(s))
	}
	return errors.Join(errs...)
}

func (j *unwalledJail) Close() error {
	j.lock.Lock()
	j.closed = true
	running := make([]*plainProcess, 0, len(j.processes))
	for p := range j.processes {
		running = append(running, p)
	}
	j.lock.Unlock()
	for _, p := range running {
		p.signalGroup(syscall.SIGKILL)
		<-p.done
	}
	for _, l := range j.listeners {
		l.Close()
	}
	j.host.lock.Lock()
	delete(j.host.jail, j)
	j.host.lock.Unlock()
	return os.RemoveAll(j.dir)
}

// plainProcess is a process without walls; it leads a process group.
type plainProcess struct {
	jail *unwalledJail
	cmd  *exec.Cmd
	done chan struct{}
	exit Exit
}

func (p *plainProcess) wait() {
	p.cmd.Wait()
	p.exit = exitOf(p.cmd.ProcessState)
	// What the program left running in its group ends with it.
	p.signalGroup(syscall.SIGKILL)
	j := p.jail
	j.lock.Lock()
	delete(j.processes, p)
	j.used.MemoryPeak = max(j.used.MemoryPeak, peakMemory(p.cmd.ProcessState))
	j.used.CPU += p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	j.lock.Unlock()
	close(p.done)
}

func (p *plainProcess) Wait() Exit {
	<-p.done
	return p.exit
}

func (p *plainProcess) Signal(s os.Signal) error {
	err := p.cmd.Process.Signal(s)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// exitOf says how a plain process ended.
func exitOf(s *os.ProcessState) Exit {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return Exit{Code: -1, Signal: w.Signal().String()}
	}
	return Exit{Code: s.ExitCode()}
}
