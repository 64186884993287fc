package sandbox

import (
	"slices"
	"time"
)

// scarce is what part of the memory has to be available, as a divisor: with less, what is idle ends.
const scarce = 10

// watchEvery is how often the fleet looks at the memory, and for what has grown old.
const watchEvery = time.Second

// reclaim ends what is idle where memory runs short: at first what was made ahead of functions, then what
// waits to be restored, then environments, the one used longest ago first. What is kept as provisioned stays.
func (f *Fleet) reclaim() {
	f.lock.Lock()
	read := f.memory
	f.lock.Unlock()
	m := read()
	missing := m.total/scarce - m.available
	short := m.total > 0 && missing > 0
	f.nursery.short.Store(short)
	if !short || f.nursery.shrink() > 0 || f.release()+f.dropImages() > 0 {
		return
	}
	for _, e := range f.idle() {
		if missing <= 0 {
			return
		}
		if e.shelf.remove(e) {
			missing -= int64(max(e.memoryPeak, 1)) << 20
			f.end(e, spindown)
		}
	}
}

// idle lists the idle environments, but for those that are kept: the one used longest ago is the first.
func (f *Fleet) idle() []*environment {
	var all []*environment
	f.shelves.Range(func(_, v any) bool {
		all = append(all, v.(*shelf).spares()...)
		return true
	})
	slices.SortFunc(all, func(a, b *environment) int { return a.idleSince.Compare(b.idleSince) })
	return all
}
