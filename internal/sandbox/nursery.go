package sandbox

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/jail"
)

// nursery makes blanks ahead, one after the other and when nobody else wants the processor, and sees
// that all together keep within their budget.
type nursery struct {
	fleet  *Fleet
	budget int64         // bytes for all blanks
	wake   chan struct{} // tells that there may be something to do
	busy   atomic.Int64  // starts under way
	last   atomic.Int64  // when the latest start ended, in Unix nanoseconds
	short  atomic.Bool   // the machine runs short of memory
	made   interruptible // the program that is getting ready to wait

	lock  sync.Mutex
	pools map[string]*pool
	used  map[string]bool // names of runtimes that functions were made with
}

func newNursery(f *Fleet, budget int64) *nursery {
	return &nursery{fleet: f, budget: budget, wake: make(chan struct{}, 1), pools: map[string]*pool{}, used: map[string]bool{}}
}

// none says that there are no blanks: without walls a program knows its paths only once it is assigned.
func (n *nursery) none() bool { return n.fleet.options.Jail.Mode() == jail.Unwalled || n.budget <= 0 }

// pool returns the pool of a kind.
func (n *nursery) pool(r *family.Runtime, ahead family.Ahead) *pool {
	var key strings.Builder
	if ahead != nil {
		key.WriteString(ahead.Key())
	}
	for _, b := range r.Binds {
		key.WriteString("\x00" + b.Source + "\x00" + b.Target)
	}
	n.lock.Lock()
	defer n.lock.Unlock()
	p := n.pools[key.String()]
	if p == nil {
		p = &pool{runtime: r, ahead: ahead}
		n.pools[key.String()] = p
	}
	return p
}

// all lists the pools.
func (n *nursery) all() []*pool {
	n.lock.Lock()
	defer n.lock.Unlock()
	pools := make([]*pool, 0, len(n.pools))
	for _, p := range n.pools {
		pools = append(pools, p)
	}
	return pools
}

// blank returns a blank for a function: one made ahead, or a new one.
func (n *nursery) blank(ctx context.Context, r *family.Runtime, s *Spec) (*blank, error) {
	ahead := r.Ahead
	if ahead != nil && !ahead.Fits(s.Environment) {
		ahead = nil
	}
	if n.fleet.options.Jail.Mode() == jail.Unwalled {
		return n.fleet.newBlank(ctx, r, nil, 0, false)
	}
	n.fleet.Expect(s.Runtime)
	tmp := limits(s).Tmp
	if tmp == usualTmp && !n.none() {
		defer n.nudge()
		if b := n.pool(r, ahead).take(time.Now()); b != nil {
			return b, nil
		}
	}
	return n.fleet.newBlank(ctx, r, fork(ahead), tmp, false)
}

// fork is how a program that waits is made when one is needed at once, nil where starting one anew, for the
// function alone, is as fast.
func fork(a family.Ahead) starter {
	if f, ok := a.(family.Forker); ok {
		return f.Fork
	}
	return nil
}

// nudge has the nursery look whether there is something to do.
func (n *nursery) nudge() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// started tells the nursery that a start begins. What it returns tells that it ended.
func (n *nursery) started() (ended func()) {
	n.busy.Add(1)
	n.made.pause()
	return func() {
		n.last.Store(time.Now().UnixNano())
		if n.busy.Add(-1) == 0 {
			n.made.resume()
		}
	}
}

// quiet is how long nothing must have been started before blanks are made, and patience how long the
// nursery waits for that. Under a load that never rests it goes on slowly.
const (
	quiet    = 20 * time.Millisecond
	patience = 250 * time.Millisecond
)

// rest waits for a quiet moment. It returns false at the fleet's end.
func (n *nursery) rest() bool {
	until := time.Now().Add(patience)
	for {
		now := time.Now()
		since := now.Sub(time.Unix(0, n.last.Load()))
		if now.After(until) || n.busy.Load() == 0 && since >= quiet {
			return true
		}
		pause := max(quiet-since, 5*time.Millisecond)
		select {
		case <-n.fleet.stop:
			return false
		case <-time.After(pause):
		}
	}
}

// settle is how long after its start a fleet begins to make blanks for runtimes that were used before:
// who waits for the platform has it ready by then.
const settle = 300 * time.Millisecond

// run makes blanks until the fleet ends.
func (n *nursery) run() {
	settled := time.After(settle)
	for {
		for n.rest() && n.makeOne() {
		}
		select {
		case <-n.fleet.stop:
			n.close()
			return
		case <-settled:
			n.remember()
		case <-n.wake:
		}
	}
}

// makeOne makes the blank that is missed most, and returns false if none is.
func (n *nursery) makeOne() bool {
	now := time.Now()
	share := n.share(now)
	for _, p := range n.all() {
		if !p.begin(now, share(p)) {
			continue
		}
		p.add(time.Now(), n.raise(p))
		return true
	}
	return false
}

// raise makes a blank for a pool, nil if it cannot be made.
func (n *nursery) raise(p *pool) *blank {
	var start starter
	if p.ahead != nil {
		start = p.ahead.Wait
	}
	b, err := n.fleet.newBlank(context.Background(), p.runtime, start, usualTmp, true)
	if err != nil {
		return nil // whoever needs one next meets the error
	}
	n.made.begin(b.process)
	err = b.ready()
	n.made.end()
	if err != nil {
		b.close()
		return nil
	}
	if u, err := b.jail.Usage(); err == nil {
		p.lock.Lock()
		p.cost = leastCost + u.MemoryPeak
		p.lock.Unlock()
	}
	return b
}

// share says how many blanks each pool may hold: what it wants, or less where all that is wanted costs
// more than the budget. A pool in use always has one.
func (n *nursery) share(now time.Time) func(*pool) int {
	var total int64
	for _, p := range n.all() {
		wanted, cost := p.price(now)
		total += int64(wanted) * cost
	}
	scale := 1.0
	if budget := n.budget - n.fleet.imaged.Load(); total > budget {
		scale = float64(budget) / float64(total)
	}
	if n.short.Load() {
		return func(*pool) int { return 0 }
	}
	return func(p *pool) int {
		wanted, _ := p.price(now)
		return max(min(wanted, 1), int(float64(wanted)*scale))
	}
}

// tidy ends the blanks that are wanted no more.
func (n *nursery) tidy(now time.Time) {
	share := n.share(now)
	for _, p := range n.all() {
		for _, b := range p.shed(share(p)) {
			b.close()
		}
	}
	n.nudge()
}

// shrink ends all blanks, and returns how many there were.
func (n *nursery) shrink() (ended int) {
	for _, p := range n.all() {
		for _, b := range p.shed(0) {
			b.close()
			ended++
		}
	}
	return ended
}

// close ends all blanks, side by side.
func (n *nursery) close() {
	var wg sync.WaitGroup
	for _, p := range n.all() {
		for _, b := range p.shed(0) {
			wg.Go(func() { b.close() })
		}
	}
	wg.Wait()
}

// Expect says that functions of a runtime will be started soon: what that needs is made ahead, in the
// background, now and after each later start of this fleet's program.
func (f *Fleet) Expect(runtime string) {
	n := f.nursery
	if n.none() {
		return
	}
	n.lock.Lock()
	known := n.used[runtime]
	n.used[runtime] = true
	n.lock.Unlock()
	if known || !f.enter() {
		return
	}
	go func() {
		defer f.running.Done()
		n.expect(runtime)
		n.save()
	}()
}

func (n *nursery) expect(name string) {
	r, err := n.fleet.runtime(name)
	if err != nil {
		return // whoever invokes the function is told
	}
	n.pool(r, r.Ahead).expect(time.Now())
	n.nudge()
}

// notes is the file that remembers which runtimes were used.
func (n *nursery) notes() string { return filepath.Join(n.fleet.options.Dir, "runtimes.json") }

func (n *nursery) save() {
	n.lock.Lock()
	var names []string
	for name := range n.used {
		names = append(names, name)
	}
	n.lock.Unlock()
	slices.Sort(names)
	b, err := json.Marshal(names)
	if err != nil {
		return
	}
	os.WriteFile(n.notes(), b, 0o644) // a hint: without it the first start is slower
}

// remember expects the runtimes that were used before this program was started.
func (n *nursery) remember() {
	b, err := os.ReadFile(n.notes())
	var names []string
	if err != nil || json.Unmarshal(b, &names) != nil {
		return
	}
	for _, name := range names {
		n.fleet.Expect(name)
	}
}
