package sandbox

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"cirro/internal/sandbox/extensionsapi"
	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/jail"
	"cirro/internal/sandbox/provided"
	"cirro/internal/sandbox/runtimeapi"
	"cirro/internal/sandbox/telemetryapi"
)

// environment is one execution environment: a jail with a runtime and extensions in it. It runs one
// invocation at a time.
type environment struct {
	fleet   *Fleet
	spec    *Spec
	shelf   *shelf // nil until it belongs to one
	journal *journal

	jail        jail.Jail
	blank       *blank // where the runtime's program waits already
	server      *runtimeapi.Server
	connections connections
	entry       string // of a custom runtime: its program, inside
	entryErr    error
	runtime     *runtimeapi.Runtime
	pause       *pause       // nil without SnapStart
	process     jail.Process // the runtime's
	exited      chan struct{}
	printing    []*output // of the runtime, and of each extension

	extensions *extensions

	memoryRead time.Time
	memoryPeak int // MB

	freezing sync.Mutex // held while processes are stopped or let go
	freezer  *time.Timer
	timed    bool // the freezer runs
	frozen   bool

	compiling compiling

	saving  *saving // nil but for one that is to be saved
	image   *image  // that it starts from, nil for none
	unsaved error   // why it could not be saved
	refused string  // why it could not start from the image

	initTook  time.Duration // until an invocation's REPORT has told it
	restored  bool          // from a snapshot of memory: another environment was initialised
	idleSince time.Time
	expires   time.Time // of its credentials; 0 for never
	stopOnce  sync.Once
	endOnce   sync.Once
	ended     chan struct{}
}

// The most connections at a time that an environment's processes have to the APIs of its runtime, and to
// the platform's. Each takes a file of the platform's, of which there are not many: more wait.
const (
	mostToRuntime  = 128
	mostToPlatform = 512
)

// place makes an environment out of a jail: its limits, its code, and the APIs that answer inside.
// Nothing runs yet.
func (f *Fleet) place(ctx context.Context, s *Spec, custom bool, b *blank, log *journal, saving *saving) (*environment, error) {
	binds, opt, err := f.contents(s)
	if err != nil {
		return nil, err
	}
	l := limits(s)
	if saving != nil {
		l.Memory += saving.order.Most // what is saved counts too
	}
	l.CPU = 0 // an initialization has the whole machine
	binds = append(binds, f.compiledBinds(s)...)
	j := b.jail
	if err := j.Assign(ctx, l, binds); err != nil {
		return nil, err
	}
	e := &environment{
		fleet: f, spec: s, journal: log, jail: j, blank: b,
		runtime: runtimeapi.New(),
		exited:  b.exited,
		ended:   make(chan struct{}),

		extensions: newExtensions(s, log, opt, dialer(j)),
		saving:     saving,
	}
	if s.SnapStart {
		e.pause = newPause(f.token(s))
	}
	if custom {
		e.entry, e.entryErr = provided.Entrypoint(s.Code, opt)
	}
	e.server = runtimeapi.NewServer(e.runtime, e, e.exited)
	go e.server.Serve(netutil.LimitListener(e.connections.listen(j.Listener(0)), mostToRuntime))
	if f.endpoint != nil {
		go f.endpoint.Serve(netutil.LimitListener(j.Listener(1), mostToPlatform))
	}
	return e, nil
}

// contents are what an environment shows of a Spec: its code, and its layers, in a directory of the host's
// that is "" for none.
func (f *Fleet) contents(s *Spec) (binds []jail.Bind, opt string, err error) {
	binds = []jail.Bind{{Source: s.Code, Target: family.Task}}
	if opt, err = f.merged(s.Layers); err == nil && opt != "" {
		binds = append(binds, jail.Bind{Source: opt, Target: family.Opt})
	}
	return binds, opt, err
}

// limits are an environment's limits as Lambda's: a vCPU for each 1,769 MB, 1,024 processes and
// threads, 1,024 open files.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
func limits(s *Spec) jail.Limits {
	const mib = 1 << 20
	return jail.Limits{
		Memory: int64(s.Memory) * mib,
		CPU:    float64(s.Memory) / 1769,
		Pids:   1024,
		Tmp:    int64(max(s.Tmp, 512)) * mib,
		Files:  openFiles,
	}
}

const openFiles = 1024

// ServeHTTP answers the processes inside: the Runtime, Extensions and Telemetry APIs.
func (e *environment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case e.pause != nil && (path == runtimeapi.RestoreNext || path == runtimeapi.RestoreError):
		e.pause.ServeHTTP(w, r)
	case e.pause != nil && path == runtimeapi.CredentialsPath:
		runtimeapi.ServeCredentials(w, r, e.pause.token, e.issue)
	case path == compiledPath:
		e.takeCompiled(w, r)
	case path == packagesPath:
		e.notePackages(w, r)
	case strings.HasPrefix(path, runtimeapi.Prefix):
		e.runtime.ServeHTTP(w, r)
	case strings.HasPrefix(path, extensionsapi.Prefix):
		e.extensions.registry.ServeHTTP(w, r)
	case path == telemetryapi.Path, path == telemetryapi.LogsPath:
		e.extensions.telemetry.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// run starts the runtime's program, or tells one that waits.
func (e *environment) run(r *family.Runtime, env []string) error {
	emit := func(record string) { e.journal.printed(telemetryapi.FunctionLine, record) }
	if b := e.blank; b.process != nil {
		e.printing = append(e.printing, b.out)
		b.out.to(emit)
		e.process = b.process
		return e.assign(env)
	}
	path, args := r.Path, r.Args
	switch wrapper := e.spec.Environment["AWS_LAMBDA_EXEC_WRAPPER"]; {
	case e.entryErr != nil:
		return e.entryErr
	case e.entry != "":
		path = e.entry
	case wrapper != "":
		// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
		path, args = wrapper, append([]string{path}, args...)
	}
	out, err := newOutput(emit)
	if err != nil {
		return err
	}
	e.printing = append(e.printing, out)
	p, err := e.jail.Start(jail.Command{
		Path: path, Args: args, Env: env, Dir: family.Task,
		Stdout: out.write, Stderr: out.write,
	})
	out.started()
	if err != nil {
		return err
	}
	e.process = p
	go func() {
		e.blank.exit = p.Wait()
		close(e.exited)
	}()
	return nil
}

// assign tells the runtime's program, which waits, what it is to be.
func (e *environment) assign(env []string) error {
	a := family.Assignment{Environment: asMap(env), Restore: e.image != nil}
	switch {
	case e.saving != nil:
		a.Save = &e.saving.order
		return e.blank.assign(a, e.saving.image.file)
	case e.image != nil:
		return e.blank.assign(a, e.image.file)
	}
	return e.blank.assign(a, nil)
}

// alive says whether the runtime still runs.
func (e *environment) alive() bool {
	select {
	case <-e.exited:
		return false
	default:
		return true
	}
}

// drain puts all that was printed until now into the log.
func (e *environment) drain() {
	for _, o := range e.printing {
		o.drain()
	}
}

// A busy environment's use of memory is read every memoryEvery, and after an invocation that took as long
// as memoryTakes: it hardly grows in a shorter one, which would cost little more than the reading. It is
// the environment's peak.
const (
	memoryEvery = time.Second
	memoryTakes = 10 * time.Millisecond
)

// memoryAfter is the most memory that the environment used, in MB, after an invocation.
func (e *environment) memoryAfter(took time.Duration, now time.Time) int {
	if took >= memoryTakes {
		e.memoryRead = time.Time{}
	}
	return e.memory(now)
}

// memory is the most memory that the environment used, in MB, as of at most memoryEvery ago.
func (e *environment) memory(now time.Time) int {
	if now.Sub(e.memoryRead) < memoryEvery {
		return e.memoryPeak
	}
	e.memoryRead = now
	e.memoryPeak, _ = e.usage()
	return e.memoryPeak
}

// usage reads the most memory that the environment used, in MB, and whether it ran out of it.
func (e *environment) usage() (peak int, exhausted bool) {
	u, err := e.jail.Usage()
	if err != nil {
		return 0, false
	}
	const mib = 1 << 20
	return min(int((u.MemoryPeak+mib-1)/mib), e.spec.Memory), u.OOMKills > 0
}

// processor is how much processor time the environment used, and whether that is known.
func (e *environment) processor() (time.Duration, bool) {
	u, err := e.jail.Usage()
	return u.CPU, err == nil && u.CPU > 0
}

// destroy kills what runs inside and removes the environment. Its log stays open.
func (e *environment) destroy() {
	e.endOnce.Do(func() {
		e.runtime.Close()
		e.extensions.registry.Close()
		err := e.jail.Close()
		e.server.Close()
		e.drain()
		for _, o := range e.printing {
			o.close()
		}
		e.blank.release()
		e.fleet.forget(e)
		if err != nil && !errors.Is(err, context.Canceled) {
			e.journal.line("The environment could not be removed: " + err.Error())
		}
		close(e.ended)
	})
	<-e.ended
}

// shutDown ends an environment: extensions are told first and have their time.
func (e *environment) shutDown(reason string) {
	e.wake()
	e.stopOnce.Do(func() { e.stopExtensions(reason) })
	e.destroy()
	e.journal.close()
}

// remember and forget keep the list of what Close has to end.
func (f *Fleet) remember(e *environment) error {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.closed {
		return errClosed
	}
	f.live[e] = struct{}{}
	return nil
}

func (f *Fleet) forget(e *environment) {
	f.lock.Lock()
	defer f.lock.Unlock()
	delete(f.live, e)
}
