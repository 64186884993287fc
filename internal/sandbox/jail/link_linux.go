package jail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"

	"cirro/internal/sandbox/jail/control"
)

// link is the connection to a supervisor or the keeper: questions one at a time, and news of programs
// that ended between the answers.
type link struct {
	conn    *net.UnixConn
	asking  sync.Mutex
	answers chan answer

	lock     sync.Mutex
	programs map[int64]*program
	serial   int64
	ended    bool
}

type answer struct {
	message control.Message
	files   []int
}

// errGone says that a jail's first process has ended, and so has all inside.
var errGone = errors.New("the jail is gone")

func newLink(conn *net.UnixConn) *link {
	l := &link{conn: conn, answers: make(chan answer, 1), programs: map[int64]*program{}}
	go l.read()
	return l
}

func (l *link) close() error { return l.conn.Close() }

// read passes on what comes until the other side ends.
func (l *link) read() {
	defer l.end()
	buffer, rights := make([]byte, 4096), make([]byte, 4096)
	for {
		n, nr, flags, _, err := l.conn.ReadMsgUnix(buffer, rights)
		if err != nil || n == 0 {
			return
		}
		files, err := control.Files(rights[:nr])
		for _, fd := range files {
			syscall.CloseOnExec(fd)
		}
		m, broken := control.Decode(buffer[:n])
		if err != nil || broken != nil || flags&(syscall.MSG_TRUNC|syscall.MSG_CTRUNC) != 0 {
			closeAll(files)
			return
		}
		if e, ok := m.(*control.Exited); ok {
			l.exited(e)
			continue
		}
		l.answers <- answer{m, files}
	}
}

// end ends what ran behind the link.
func (l *link) end() {
	close(l.answers)
	l.lock.Lock()
	defer l.lock.Unlock()
	l.ended = true
	for id, p := range l.programs {
		p.end(Exit{Code: -1, Signal: syscall.SIGKILL.String()})
		delete(l.programs, id)
	}
}

func (l *link) exited(e *control.Exited) {
	l.lock.Lock()
	defer l.lock.Unlock()
	p, ok := l.programs[e.ID]
	if !ok {
		return
	}
	delete(l.programs, e.ID)
	x := Exit{Code: int(e.Code)}
	if e.Signal != 0 {
		x = Exit{Code: -1, Signal: syscall.Signal(e.Signal).String()}
	}
	p.end(x)
}

// ask sends a message with descriptors and waits for its answer. After an error that is not the other
// side's word the link is of no more use.
func (l *link) ask(ctx context.Context, m control.Message, files []int) (control.Message, []int, error) {
	return l.askWhile(ctx, m, files, func() error { return nil })
}

// askWhile asks, and does something else while the supervisor is at work.
func (l *link) askWhile(ctx context.Context, m control.Message, files []int, other func() error) (control.Message, []int, error) {
	l.asking.Lock()
	defer l.asking.Unlock()
	if err := l.send(m, files); err != nil {
		return nil, nil, err
	}
	failed := other()
	answer, files, err := l.answer(ctx)
	return answer, files, errors.Join(err, failed)
}

// answer waits for the next answer.
func (l *link) answer(ctx context.Context) (control.Message, []int, error) {
	select {
	case a, ok := <-l.answers:
		if !ok {
			return nil, nil, errGone
		}
		if f, ok := a.message.(*control.Failed); ok {
			return nil, a.files, fmt.Errorf("%s: %w", f.What, syscall.Errno(f.Errno))
		}
		return a.message, a.files, nil
	case <-ctx.Done():
		l.conn.Close()
		return nil, nil, ctx.Err()
	}
}

func (l *link) send(m control.Message, files []int) error {
	b := control.Encode(m)
	if len(b) > control.MaxSize || len(files) > control.MaxFiles {
		return syscall.E2BIG
	}
	var rights []byte
	if len(files) > 0 {
		rights = syscall.UnixRights(files...)
	}
	_, _, err := l.conn.WriteMsgUnix(b, rights, nil)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) {
		return errGone
	}
	return err
}

// program is a program that runs in a jail.
type program struct {
	link *link
	id   int64
	done chan struct{}
	exit Exit
}

func (l *link) start(c Command) (*program, error) {
	files, err := outputs(c)
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(files)
	p := &program{link: l, done: make(chan struct{})}
	if err := l.register(p); err != nil {
		return nil, err
	}
	dir := c.Dir
	if dir == "" {
		dir = "/"
	}
	m := &control.Start{ID: p.id, Path: c.Path, Args: append([]string{c.Path}, c.Args...), Env: c.Env, Dir: dir}
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	_, _, err = l.ask(context.Background(), m, fds)
	if err != nil {
		l.lock.Lock()
		delete(l.programs, p.id)
		l.lock.Unlock()
		return nil, err
	}
	return p, nil
}

func (l *link) register(p *program) error {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.ended {
		return errGone
	}
	l.serial++
	p.id = l.serial
	l.programs[p.id] = p
	return nil
}

// null is where the output of a command goes that has no other.
var null = sync.OnceValues(func() (*os.File, error) { return os.OpenFile(os.DevNull, os.O_WRONLY, 0) })

// outputs are a command's descriptors. Go makes pipes that do not block, which no program expects of its
// output.
func outputs(c Command) (files []*os.File, err error) {
	for _, f := range []*os.File{c.Stdout, c.Stderr} {
		if f == nil {
			if f, err = null(); err != nil {
				return nil, err
			}
		}
		if err := syscall.SetNonblock(int(f.Fd()), false); err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if c.Control != nil {
		files = append(files, c.Control)
	}
	return files, nil
}

func (p *program) end(e Exit) {
	p.exit = e
	close(p.done)
}

func (p *program) Wait() Exit {
	<-p.done
	return p.exit
}

func (p *program) Signal(s os.Signal) error {
	n, ok := s.(syscall.Signal)
	if !ok {
		return syscall.EINVAL
	}
	err := p.link.send(&control.Signal{ID: p.id, Signal: int64(n)}, nil)
	if errors.Is(err, errGone) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func closeAll(files []int) {
	for _, fd := range files {
		syscall.Close(fd)
	}
}
