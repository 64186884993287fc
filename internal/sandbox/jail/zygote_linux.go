package jail

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"cirro/internal/sandbox/jail/control"
	"cirro/internal/sandbox/jail/entry"
)

// zygotes are the zygotes of a host.
type zygotes struct {
	lock     sync.Mutex
	all      map[string]*zygote
	starting sync.WaitGroup
	closed   bool
}

// zygote is the one of a template, or the place of one.
type zygote struct {
	process  *spawned // nil while there is none
	asking   sync.Mutex
	starting chan struct{} // closed when a start has ended, nil while there is none
	failures int
	resumes  time.Time // when it may be started again
}

// How long a zygote may take to load, and to answer.
const (
	zygoteLoads   = 60 * time.Second
	zygoteAnswers = 10 * time.Second
)

// forkRequest is what a zygote is asked.
type forkRequest struct {
	UID    int64  `json:"uid"` // -1 where the jail has a user namespace
	GID    int64  `json:"gid"`
	Files  int    `json:"files"`  // descriptors it may open
	Group  bool   `json:"group"`  // a descriptor of a control group comes along
	Filter string `json:"filter"` // of system calls, in hexadecimal digits
	// Words are for the program.
	Words []string `json:"words"`
}

// forkAnswer is what it answers.
type forkAnswer struct {
	PID   int
	Errno syscall.Errno
}

// Fork implements Forker.
func (j *walledJail) Fork(t *Template, c Command) (Process, error) {
	h := j.host
	if !j.confined {
		return nil, ErrNoZygote
	}
	z, p, _ := h.zygotes.take(h, t)
	if p == nil {
		return nil, ErrNoZygote
	}
	j.group.Mark()
	f, err := z.fork(p, j, c)
	// It has ended, and what it was asked has not been read.
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return nil, ErrNoZygote
	}
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("%w: %w", ErrZygoteLost, err)
	}
	if err != nil {
		return nil, fmt.Errorf("fork a zygote: %w", err)
	}
	if err := j.forks.add(f); err != nil {
		f.Signal(syscall.SIGKILL)
		return nil, err
	}
	return f, nil
}

// Hatch implements Forker.
func (j *walledJail) Hatch(ctx context.Context, t *Template) error {
	_, p, starting := j.host.zygotes.take(j.host, t)
	if p == nil && starting != nil {
		select {
		case <-starting:
			_, p, _ = j.host.zygotes.take(j.host, t)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if p == nil {
		return ErrNoZygote
	}
	return nil
}

// take returns a template's zygote. Where there is none one is started, for later: the channel is closed
// when that has ended.
func (zs *zygotes) take(h *walledHost, t *Template) (*zygote, *spawned, <-chan struct{}) {
	zs.lock.Lock()
	defer zs.lock.Unlock()
	if zs.closed {
		return nil, nil, nil
	}
	if zs.all == nil {
		zs.all = map[string]*zygote{}
	}
	z := zs.all[t.Key]
	if z == nil {
		z = &zygote{}
		zs.all[t.Key] = z
	}
	if z.process != nil && z.process.ended() {
		z.process.conn.Close()
		z.process = nil
	}
	if z.process == nil && z.starting == nil && !time.Now().Before(z.resumes) {
		z.starting = make(chan struct{})
		zs.starting.Go(func() { zs.start(h, z, t) })
	}
	return z, z.process, z.starting
}

// start starts a zygote. What fails is tried again, later and later.
func (zs *zygotes) start(h *walledHost, z *zygote, t *Template) {
	p, err := h.hatch(t)
	zs.lock.Lock()
	defer zs.lock.Unlock()
	close(z.starting)
	z.starting = nil
	switch {
	case err != nil:
		if z.failures == 0 && !zs.closed {
			h.log.Warn("sandbox: programs are started one by one, as there is nothing to fork them from", "program", t.Command.Path, "error", err)
		}
		z.resumes = time.Now().Add(min(time.Second<<min(z.failures, 6), time.Minute))
		z.failures++
	case zs.closed:
		p.end()
	default:
		z.failures, z.process = 0, p
	}
}

func (zs *zygotes) close() {
	zs.lock.Lock()
	zs.closed = true
	for _, z := range zs.all {
		if z.process != nil {
			z.process.end()
		}
	}
	zs.lock.Unlock()
	zs.starting.Wait()
}

// hatch starts a zygote and waits until it has loaded.
func (h *walledHost) hatch(t *Template) (*spawned, error) {
	binds := append(rootBinds(), t.Binds...)
	if h.mode == Rootless {
		// The kernel makes one for a new namespace of processes only, and it has none.
		binds = append(binds, Bind{Source: "/proc", Target: "/proc"})
	}
	mounts, err := h.mounts.open(sources(binds))
	defer closeAll(mounts)
	if err != nil {
		return nil, err
	}
	p, err := h.bearer.bear(entry.Zygote, nil)
	if err != nil {
		return nil, err
	}
	if err := p.load(t, targets(binds), mounts); err != nil {
		p.end()
		return nil, err
	}
	return p, nil
}

// load has a new process build its root and become the template's program.
func (p *spawned) load(t *Template, targets []string, mounts []int) error {
	p.conn.SetDeadline(time.Now().Add(zygoteLoads))
	defer p.conn.SetDeadline(time.Time{})
	// The dynamic loader remembers which directories are not there, and what forks from it would not look
	// into a function's.
	var files []control.File
	for _, dir := range []string{"/var/task/lib", "/opt/lib", "/opt/python"} {
		files = append(files, control.File{Path: dir + "/.none"})
	}
	if err := p.tell(&control.Build{Hostname: "zygote", Targets: targets, Files: files, Hide: hidden}, mounts); err != nil {
		return err
	}
	n, err := null()
	if err != nil {
		return err
	}
	m := &control.Start{Path: t.Command.Path, Args: append([]string{t.Command.Path}, t.Command.Args...), Env: t.Command.Env, Dir: "/"}
	if err := p.send(m, []int{int(n.Fd()), int(os.Stderr.Fd())}); err != nil {
		return err
	}
	_, err = p.hear()
	return err
}

// tell sends a message to a new process and waits for its answer.
func (p *spawned) tell(m control.Message, files []int) error {
	if err := p.send(m, files); err != nil {
		return err
	}
	buffer := make([]byte, 4096)
	n, err := p.conn.Read(buffer)
	if err != nil {
		return err
	}
	answer, err := control.Decode(buffer[:n])
	if f, ok := answer.(*control.Failed); ok {
		return fmt.Errorf("%s: %w", f.What, syscall.Errno(f.Errno))
	}
	return err
}

func (p *spawned) send(m control.Message, files []int) error {
	_, _, err := p.conn.WriteMsgUnix(control.Encode(m), syscall.UnixRights(files...), nil)
	return err
}

// hear waits for what a zygote says.
func (p *spawned) hear() (a forkAnswer, err error) {
	buffer := make([]byte, 256)
	n, err := p.conn.Read(buffer)
	if err == nil {
		err = json.Unmarshal(buffer[:n], &a)
	}
	if err == nil && a.Errno != 0 {
		err = a.Errno
	}
	return a, err
}

// fork has a zygote fork into a jail.
func (z *zygote) fork(p *spawned, j *walledJail, c Command) (*forked, error) {
	tasks, err := j.group.Tasks()
	defer func() {
		for _, f := range tasks {
			f.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	outputs, err := outputs(c)
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(outputs)
	if c.Control == nil {
		return nil, syscall.EINVAL
	}
	user := int64(-1)
	if j.host.mode == AsRoot {
		user = int64(firstUser + j.user)
	}
	r := forkRequest{UID: user, GID: user, Files: j.files, Group: j.group.Descriptor() >= 0, Filter: hex.EncodeToString(j.host.filter), Words: c.Args}
	message, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	var a forkAnswer
	broken := j.process.withHandle(func(first uintptr) {
		files := []int{int(first)}
		if r.Group {
			files = append(files, j.group.Descriptor())
		}
		for _, f := range append(tasks, outputs...) {
			files = append(files, int(f.Fd()))
		}
		a, err = z.ask(p, message, files)
	})
	if err = errors.Join(broken, err); err != nil {
		return nil, err
	}
	return follow(a.PID)
}

// ask asks a zygote. One that does not answer is ended.
func (z *zygote) ask(p *spawned, message []byte, files []int) (forkAnswer, error) {
	z.asking.Lock()
	defer z.asking.Unlock()
	p.conn.SetDeadline(time.Now().Add(zygoteAnswers))
	_, _, err := p.conn.WriteMsgUnix(message, syscall.UnixRights(files...), nil)
	if err != nil {
		p.kill()
		return forkAnswer{}, err
	}
	a, err := p.hear()
	if err != nil && a.Errno == 0 {
		p.kill()
	}
	return a, err
}

var _ Forker = (*walledJail)(nil)
