package entry

import (
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"cirro/internal/sandbox/jail/control"
)

// supervisor is the first process of a jail. Three threads share its work: one listens to the host,
// one, confined like the programs, starts them, and one waits for their ends.
type supervisor struct {
	conn   *control.Conn
	null   int                   // /dev/null, the programs' standard input
	become chan *control.Confine // to the thread to be confined, once
	start  chan request          // to the confined thread
	answer chan error            // its answer
	begun  chan struct{}         // tells the waiting thread that there is something to wait for

	lock sync.Mutex
	pids map[int64]int
	ids  map[int]int64
}

// request is a program to start, with its descriptors from 1 on.
type request struct {
	program *control.Start
	files   []int
}

// supervise serves a jail until the host lets go of it.
func supervise(conn *control.Conn) {
	s := &supervisor{
		conn: conn, become: make(chan *control.Confine), start: make(chan request), answer: make(chan error),
		begun: make(chan struct{}, 1), pids: map[int64]int{}, ids: map[int]int64{},
	}
	go s.launch()
	go s.reap()
	makeThreads()
	for {
		m, files, err := conn.Receive()
		if m == nil {
			if err != nil {
				conn.Send(failed(wrap("receive", err)))
			}
			return
		}
		s.serve(m, files)
	}
}

// makeThreads makes the threads ahead that Go's scheduler may want later: then the programs may have
// used up all that the jail is allowed.
func makeThreads() {
	const spare = 6 // of which four were ever seen in use
	var made, done sync.WaitGroup
	made.Add(spare)
	for range spare {
		done.Go(func() {
			runtime.LockOSThread()
			made.Done()
			made.Wait()
			runtime.UnlockOSThread()
		})
	}
	done.Wait()
}

func (s *supervisor) serve(m control.Message, files []int) {
	switch m := m.(type) {
	case *control.Build:
		sockets, err := build(m, files)
		if err == nil {
			err = s.confine(&m.Confine)
		}
		if err != nil {
			s.conn.Send(failed(err))
			return
		}
		s.conn.Send(&control.Built{}, sockets...)
		for _, fd := range sockets {
			syscall.Close(fd)
		}
	case *control.Route:
		s.route(m)
	case *control.Assign:
		if err := s.complete(m, files); err != nil {
			s.conn.Send(failed(err))
			return
		}
		s.conn.Send(&control.Assigned{})
	case *control.Start:
		s.start <- request{m, files}
		if err := <-s.answer; err != nil {
			s.conn.Send(failed(err))
		}
		for _, fd := range files {
			syscall.Close(fd)
		}
	case *control.Dial:
		fd, err := dial(m.Address)
		if err != nil {
			s.conn.Send(failed(err))
			return
		}
		s.conn.Send(&control.Dialed{}, fd)
		syscall.Close(fd)
	case *control.Signal:
		s.signal(m.ID, syscall.Signal(m.Signal))
	}
}

// signal sends a signal to a program, or to all processes of the jail but this one.
func (s *supervisor) signal(id int64, n syscall.Signal) {
	if id == control.All {
		syscall.Kill(-1, n)
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if pid, ok := s.pids[id]; ok {
		syscall.Kill(pid, n)
	}
}

// complete adds what the jail was assigned, and gives up the rights that it took to build it.
func (s *supervisor) complete(m *control.Assign, mounts []int) error {
	if err := attach(m.Targets, mounts); err != nil {
		return err
	}
	if err := limitProcesses(m, s.running()); err != nil {
		return err
	}
	if err := s.confine(&m.Confine); err != nil {
		return err
	}
	if err := seal(); err != nil {
		return err
	}
	const kill = 1 << 5 // to pass on the host's signals
	return keepCapabilities(kill)
}

// confine makes the thread ready that starts programs. Without a filter it is another message's to do.
func (s *supervisor) confine(c *control.Confine) error {
	if len(c.Filter) == 0 {
		return nil
	}
	if err := mountTmp(c.Tmp); err != nil {
		return err
	}
	if err := limitFiles(c.Files); err != nil {
		return err
	}
	if err := limitSignals(); err != nil {
		return err
	}
	if err := forbidDumps(); err != nil {
		return err
	}
	var err error
	if s.null, err = syscall.Open("/dev/null", syscall.O_RDWR|syscall.O_CLOEXEC, 0); err != nil {
		return wrap("open /dev/null", err)
	}
	s.become <- c
	return <-s.answer
}

// running lists the programs that run.
func (s *supervisor) running() []int {
	s.lock.Lock()
	defer s.lock.Unlock()
	var pids []int
	for _, pid := range s.pids {
		pids = append(pids, pid)
	}
	return pids
}

// launch starts programs from a thread that is confined as they are to be.
func (s *supervisor) launch() {
	runtime.LockOSThread()
	err := confine(<-s.become)
	s.answer <- err
	if err != nil {
		return
	}
	for r := range s.start {
		s.answer <- s.exec(r)
	}
}

func (s *supervisor) exec(r request) error {
	if len(r.files) < 2 || len(r.files) > 3 {
		return &fault{"count descriptors", syscall.EBADMSG}
	}
	descriptors := []uintptr{uintptr(s.null)}
	for _, fd := range r.files {
		descriptors = append(descriptors, uintptr(fd))
	}
	// Held until the program is known, so that its end is not reported before its start.
	s.lock.Lock()
	defer s.lock.Unlock()
	pid, err := syscall.ForkExec(r.program.Path, r.program.Args, &syscall.ProcAttr{
		Dir: r.program.Dir, Env: r.program.Env,
		Files: descriptors,
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return wrap("start "+r.program.Path, err)
	}
	s.pids[r.program.ID], s.ids[pid] = pid, r.program.ID
	s.conn.Send(&control.Started{ID: r.program.ID})
	select {
	case s.begun <- struct{}{}:
	default:
	}
	return nil
}

// reap waits for the ends of all processes of the jail, orphans among them, and reports those that
// were started from outside.
func (s *supervisor) reap() {
	for {
		// Wait without taking the process away: until it is, its number names nothing else.
		var info [128]byte
		_, err := call(syscall.SYS_WAITID, idAll, 0, uintptr(unsafe.Pointer(&info)),
			syscall.WEXITED|syscall.WNOWAIT, 0)
		switch err {
		case nil:
			s.collect()
		case syscall.ECHILD:
			<-s.begun
		}
	}
}

// collect takes all ended processes away.
func (s *supervisor) collect() {
	s.lock.Lock()
	defer s.lock.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		id, ok := s.ids[pid]
		if !ok {
			continue
		}
		delete(s.ids, pid)
		delete(s.pids, id)
		e := &control.Exited{ID: id, Code: int64(status.ExitStatus())}
		if status.Signaled() {
			e.Signal = int64(status.Signal())
		}
		s.conn.Send(e)
	}
}
