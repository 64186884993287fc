package sandbox

import (
	"math"
	"sync"
	"time"

	"cirro/internal/sandbox/family"
)

// pool holds the blanks of one kind: of one interpreter, or jails alone. Any function of the runtime
// may take one.
type pool struct {
	runtime *family.Runtime
	ahead   family.Ahead // nil for jails alone

	lock    sync.Mutex
	ready   []*blank
	making  int
	demand  demand
	cost    int64     // bytes that one takes, as last measured
	broken  int       // how many in a row did not come to be
	resumes time.Time // when it is tried again
}

// demand says how many blanks are likely to be asked for at once. It follows a burst at once, and
// forgets it slowly.
type demand struct {
	level  float64   // how many were asked for within a moment, at the most, fading
	seen   time.Time // of level
	moment time.Time // when the present moment began
	taken  int       // within it
}

// A moment is about as long as making a few blanks takes. What was asked for within one is asked for at
// once, as making more in between does not help.
const (
	moment   = time.Second
	halfLife = 5 * time.Minute
)

// ask counts one that is asked for.
func (d *demand) ask(now time.Time) {
	if now.Sub(d.moment) > moment {
		d.moment, d.taken = now, 0
	}
	d.taken++
	d.level = max(d.at(now), float64(d.taken))
	d.seen = now
}

// at is the level at a time.
func (d *demand) at(now time.Time) float64 {
	if d.level == 0 {
		return 0
	}
	return d.level * math.Exp2(-float64(now.Sub(d.seen))/float64(halfLife))
}

// spare is how many blanks a runtime has ready that is in use, and forgotten is the level below which it
// is not any more: half an hour after a single start.
const (
	spare     = 2
	forgotten = 1.0 / 64
)

// wanted is how many blanks are wanted at a time, if memory were no matter.
func (d *demand) wanted(now time.Time) int {
	switch level := d.at(now); {
	case level < forgotten:
		return 0
	default:
		return max(spare, int(math.Ceil(level)))
	}
}

// take gives out a blank, nil if none is ready.
func (p *pool) take(now time.Time) *blank {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.demand.ask(now)
	for n := len(p.ready); n > 0; n = len(p.ready) {
		b := p.ready[n-1]
		p.ready[n-1] = nil
		p.ready = p.ready[:n-1]
		if b.alive() {
			return b
		}
		go b.close()
	}
	return nil
}

// expect makes sure that the pool is not empty.
func (p *pool) expect(now time.Time) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.demand.at(now) < 1 {
		p.demand.level, p.demand.seen = 1, now
	}
}

// begin says whether one more blank is to be made, of at most so many, and counts it.
func (p *pool) begin(now time.Time, most int) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	if now.Before(p.resumes) || len(p.ready)+p.making >= min(p.demand.wanted(now), most) {
		return false
	}
	p.making++
	return true
}

// add takes in what begin was for. Of what does not come to be less and less is tried.
func (p *pool) add(now time.Time, b *blank) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.making--
	if b == nil {
		p.resumes = now.Add(min(time.Second<<min(p.broken, 6), time.Minute))
		p.broken++
		return
	}
	p.broken = 0
	p.ready = append(p.ready, b)
}

// shed takes out what is there beyond a number, and what has ended.
func (p *pool) shed(keep int) []*blank {
	p.lock.Lock()
	defer p.lock.Unlock()
	var out, rest []*blank
	for i := len(p.ready) - 1; i >= 0; i-- {
		if b := p.ready[i]; len(rest) < keep && b.alive() {
			rest = append(rest, b)
		} else {
			out = append(out, b)
		}
	}
	p.ready = rest
	return out
}

// price is what is known of the pool for the budget: how many are wanted, and what one costs.
func (p *pool) price(now time.Time) (wanted int, cost int64) {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.demand.wanted(now), max(p.cost, leastCost)
}

// size is how many blanks there are.
func (p *pool) size() int {
	p.lock.Lock()
	defer p.lock.Unlock()
	return len(p.ready)
}

// leastCost is what a jail costs by itself: its first process and the kernel's parts.
const leastCost = 3 << 20
