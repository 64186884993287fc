package sandbox

import (
	"context"
	"os"
	"time"

	"cirro/internal/sandbox/jail"
)

// SetMemory makes a fleet believe that the machine has so much memory.
func (f *Fleet) SetMemory(total, available int64) {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.memory = func() memoryState { return memoryState{total, available} }
}

// Reclaim ends what is idle if memory is short.
func (f *Fleet) Reclaim() { f.reclaim() }

// Live is how many environments there are.
func (f *Fleet) Live() int {
	f.lock.Lock()
	defer f.lock.Unlock()
	return len(f.live)
}

// Waiting is how many blanks there are of a runtime; ahead says whether those with a program.
func (f *Fleet) Waiting(runtime string, ahead bool) int {
	p := f.poolOf(runtime, ahead)
	return p.size()
}

// KillWaiting ends the programs that wait, but not their jails.
func (f *Fleet) KillWaiting(runtime string) {
	p := f.poolOf(runtime, true)
	p.lock.Lock()
	defer p.lock.Unlock()
	for _, b := range p.ready {
		b.process.Signal(os.Kill)
		<-b.exited
	}
}

func (f *Fleet) poolOf(name string, ahead bool) *pool {
	r, err := f.runtime(name)
	if err != nil {
		panic(err)
	}
	if !ahead {
		return f.nursery.pool(r, nil)
	}
	return f.nursery.pool(r, r.Ahead)
}

// Image is how many bytes the image of a Spec's programs has, 0 for none.
func (f *Fleet) Image(id string) int64 {
	size, _ := f.shelf(id).kept.state()
	return size
}

// EndIdle ends the idle environments of a Spec, and waits.
func (f *Fleet) EndIdle(id string) {
	for _, e := range f.shelf(id).expired(time.Now().Add(time.Hour)) {
		e.shutDown(spindown)
	}
}

// Blank makes a blank whose program is started with start, and tells whether it has a program.
func (f *Fleet) Blank(ctx context.Context, start func(context.Context, jail.Jail, jail.Command) (jail.Process, error)) (bool, error) {
	r, err := f.runtime("provided.al2023")
	if err != nil {
		return false, err
	}
	b, err := f.newBlank(ctx, r, start, usualTmp, false)
	if err != nil {
		return false, err
	}
	return b.process != nil, b.close()
}
