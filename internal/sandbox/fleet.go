package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/node"
	"cirro/internal/sandbox/provided"
	"cirro/internal/sandbox/python"
)

// defaultIdle is how long an environment is kept that nobody uses.
const defaultIdle = 7 * time.Minute

// errClosed answers what comes after Close.
var errClosed = errors.New("the fleet of environments is closed")

// Fleet is all environments of this process. It is a Runner, and may be used by many at once.
type Fleet struct {
	options  Options
	families map[string]family.Family // by the letters that a runtime's name begins with

	endpoint *http.Server // answers inside every environment, nil for none

	shelves sync.Map // of *shelf, by Spec.ID
	secret  [32]byte // that tokens are made of
	starts  admission
	nursery *nursery
	memory  func() memoryState
	empty   string // a directory with nothing in it
	merging sync.Mutex
	toSave  chan struct{} // tells that there may be something to save
	imaged  atomic.Int64  // bytes that images take
	stop    chan struct{}
	running sync.WaitGroup // invocations, starts and the reaper

	lock   sync.Mutex
	closed bool
	live   map[*environment]struct{}
}

var _ Snapshotter = (*Fleet)(nil)

// New makes a Fleet. It starts nothing but the reaper of idle environments; Close ends it. Options.Jail
// stays its owner's.
func New(o Options) (*Fleet, error) {
	if o.Jail == nil {
		return nil, errors.New("sandbox: Options.Jail is missing")
	}
	if o.IdleFor <= 0 {
		o.IdleFor = defaultIdle
	}
	if o.FreezeAfter == 0 {
		o.FreezeAfter = defaultFreeze
	}
	if o.InitLimit <= 0 {
		o.InitLimit = defaultInit
	}
	if o.RestoreLimit <= 0 {
		o.RestoreLimit = defaultRestore
	}
	if o.PoolMemory == 0 {
		o.PoolMemory = defaultPoolMemory()
	}
	if o.Runtimes == "" {
		o.Runtimes = besideProgram()
	}
	boot := filepath.Join(o.Dir, "boot")
	if err := os.MkdirAll(boot, 0o755); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(o.Dir, "layers"), 0o755); err != nil {
		return nil, err
	}
	empty := filepath.Join(o.Dir, "empty")
	if err := os.MkdirAll(empty, 0o755); err != nil {
		return nil, err
	}
	f := &Fleet{
		options: o,
		empty:   empty,
		memory:  readMemory,
		families: map[string]family.Family{
			"python":   python.New(filepath.Join(boot, "python"), o.Runtimes),
			"nodejs":   node.New(filepath.Join(boot, "node"), o.Runtimes),
			"provided": provided.New(),
		},
		starts: newAdmission(),
		stop:   make(chan struct{}),
		toSave: make(chan struct{}, 1),
		live:   map[*environment]struct{}{},
	}
	if o.Endpoint != nil {
		f.endpoint = &http.Server{Handler: o.Endpoint}
	}
	rand.Read(f.secret[:])
	f.nursery = newNursery(f, o.PoolMemory)
	f.running.Add(1)
	go f.reap()
	if !f.nursery.none() {
		f.running.Go(f.nursery.run)
		f.running.Go(f.saver)
	}
	return f, nil
}

// besideProgram is where the files of managed runtimes are that came with the program.
func besideProgram() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return ""
	}
	return filepath.Join(filepath.Dir(path), "runtimes")
}

// runtime finds how a runtime is run on this machine.
func (f *Fleet) runtime(name string) (*family.Runtime, error) {
	letters := strings.TrimRight(name, "0123456789.x")
	fam := f.families[letters]
	if strings.HasPrefix(name, "provided") {
		fam = f.families["provided"]
	}
	if fam == nil {
		return nil, fmt.Errorf("the runtime %s cannot be run", name)
	}
	return fam.Find(name)
}

// Invoke implements Runner.
func (f *Fleet) Invoke(ctx context.Context, s *Spec, inv *Invocation) (*Result, error) {
	if !f.enter() {
		return nil, errClosed
	}
	defer f.running.Done()
	sh := f.shelf(s.ID)
	if e := sh.take(); e != nil {
		return e.invoke(ctx, inv)
	}
	return f.coldInvoke(ctx, sh, s, inv)
}

// enter counts a user of the fleet in, unless it is closed.
func (f *Fleet) enter() bool {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.closed {
		return false
	}
	f.running.Add(1)
	return true
}

// Prepare implements Runner.
func (f *Fleet) Prepare(ctx context.Context, s *Spec, n int) (int, error) {
	if !f.enter() {
		return 0, errClosed
	}
	defer f.running.Done()
	sh := f.shelf(s.ID)
	missing := sh.keep(n)
	errs := make([]error, missing)
	var wg sync.WaitGroup
	for i := range missing {
		wg.Go(func() { errs[i] = f.prepareOne(ctx, s, sh) })
	}
	wg.Wait()
	return min(n, sh.count()), errors.Join(errs...)
}

func (f *Fleet) prepareOne(ctx context.Context, s *Spec, sh *shelf) error {
	place, err := f.starts.enter(ctx)
	if err != nil {
		return err
	}
	defer place.leave()
	e, failed, err := f.start(ctx, sh, s, place, nil, phaseInit, f.options.InitLimit)
	if err != nil {
		return err
	}
	if failed != nil {
		failed.journal.close()
		return &InitError{Type: failed.Type, Body: failed.body("")}
	}
	e.initTook = 0 // no invocation waited for it
	sh.put(e)
	return nil
}

// Retire implements Runner.
func (f *Fleet) Retire(id string) {
	v, ok := f.shelves.LoadAndDelete(id)
	if !ok {
		return
	}
	f.dropCompiled(id)
	v.(*shelf).kept.close()
	for _, e := range append(v.(*shelf).retire(), v.(*shelf).held.close()...) {
		f.end(e, spindown)
	}
}

// end shuts an environment down without waiting for it.
func (f *Fleet) end(e *environment, reason string) { go e.shutDown(reason) }

// Close implements Runner.
func (f *Fleet) Close() error {
	f.lock.Lock()
	if f.closed {
		f.lock.Unlock()
		return nil
	}
	f.closed = true
	f.lock.Unlock()
	close(f.stop)
	f.endAll()
	f.running.Wait()
	f.endAll() // what an invocation that was running put back
	f.dropImages()
	if f.endpoint != nil {
		return f.endpoint.Close()
	}
	return nil
}

// endAll ends all environments, and waits.
func (f *Fleet) endAll() {
	var wg sync.WaitGroup
	f.lock.Lock()
	for e := range f.live {
		wg.Go(func() { e.shutDown(spindown) })
	}
	f.lock.Unlock()
	wg.Wait()
}

// replenish starts an environment in place of one that was to be kept and broke.
func (f *Fleet) replenish(s *Spec, sh *shelf) {
	if !f.enter() {
		return
	}
	go func() {
		defer f.running.Done()
		f.prepareOne(context.Background(), s, sh)
	}()
}

// shelf returns the shelf of a Spec.
func (f *Fleet) shelf(id string) *shelf {
	if v, ok := f.shelves.Load(id); ok {
		return v.(*shelf)
	}
	v, _ := f.shelves.LoadOrStore(id, &shelf{fleet: f})
	return v.(*shelf)
}

// reap ends environments that were idle for too long.
func (f *Fleet) reap() {
	defer f.running.Done()
	tick := time.NewTicker(min(max(f.options.IdleFor/8, 10*time.Millisecond), watchEvery))
	defer tick.Stop()
	for {
		select {
		case <-f.stop:
			return
		case now := <-tick.C:
			f.reclaim()
			f.nursery.tidy(now)
			f.trimImages(f.imageMemory())
			f.shelves.Range(func(_, v any) bool {
				f.renew(v.(*shelf), now)
				for _, e := range v.(*shelf).expired(now.Add(-f.options.IdleFor)) {
					f.end(e, spindown)
				}
				return true
			})
		}
	}
}
