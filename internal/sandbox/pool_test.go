package sandbox

import (
	"testing"
	"time"
)

// at is a moment in the tests' day.
func at(d time.Duration) time.Time { return time.Unix(1_700_000_000, 0).Add(d) }

func TestDemandFollowsABurstAtOnceAndForgetsItSlowly(t *testing.T) {
	var d demand
	steps := []struct {
		after time.Duration
		asks  int
		want  int
	}{
		{0, 0, 0},
		{0, 1, spare},
		{2 * time.Second, 100, 100},
		{time.Minute, 0, 88},
		{5*time.Minute + 2*time.Second, 0, 50},
		{30 * time.Minute, 1, spare},
		{65 * time.Minute, 0, 0},
	}
	for _, s := range steps {
		for range s.asks {
			d.ask(at(s.after))
		}
		if got := d.wanted(at(s.after)); got != s.want {
			t.Errorf("after %v and %d asked for, %d are wanted, not %d", s.after, s.asks, got, s.want)
		}
	}
}

func TestASteadyTrickleNeedsNoMoreThanTheSpare(t *testing.T) {
	var d demand
	for n := range 1000 {
		d.ask(at(time.Duration(n) * 2 * time.Second))
	}
	if got := d.wanted(at(2000 * time.Second)); got != spare {
		t.Errorf("%d are wanted", got)
	}
}

func TestWhatDoesNotComeToBeIsTriedLessAndLess(t *testing.T) {
	p := &pool{}
	p.expect(at(0))
	now := time.Duration(0)
	var pauses []time.Duration
	for range 9 {
		began := now
		for !p.begin(at(now), 10) {
			now += 100 * time.Millisecond
		}
		p.add(at(now), nil)
		pauses = append(pauses, now-began)
	}
	if pauses[0] != 0 || pauses[1] != time.Second || pauses[2] != 2*time.Second || pauses[8] != time.Minute {
		t.Errorf("pauses %v", pauses)
	}
}

func TestShareKeepsWithinTheBudget(t *testing.T) {
	n := newNursery(&Fleet{}, 100<<20)
	large, small, unused := &pool{cost: 50 << 20}, &pool{cost: 5 << 20}, &pool{}
	n.pools = map[string]*pool{"large": large, "small": small, "unused": unused}
	for range 10 {
		large.demand.ask(at(0))
		small.demand.ask(at(0))
	}
	share := n.share(at(0))
	// 550 MB are wanted.
	for name, c := range map[string]struct {
		p    *pool
		want int
	}{"large": {large, 1}, "small": {small, 1}, "unused": {unused, 0}} {
		if got := share(c.p); got != c.want {
			t.Errorf("%s gets %d, not %d", name, got, c.want)
		}
	}
	n.budget = 1 << 30
	if share := n.share(at(0)); share(large) != 10 || share(small) != 10 {
		t.Error("with room for all, not all are had")
	}
	n.short.Store(true)
	if share := n.share(at(0)); share(large) != 0 {
		t.Error("something is made although memory is short")
	}
}
