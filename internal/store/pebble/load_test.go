package pebble

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestLoader compares an index that is loaded with one to which each message is added.
func TestLoader(t *testing.T) {
	random := rand.New(rand.NewPCG(12, 12))
	const n = 5 * chunk
	now := newLoader(newIndex(), nil).now
	leases := map[uint64]leaseUntil{}
	loaded, added := newIndex(), newIndex()
	l := newLoader(loaded, leases)
	l.now = now
	for seq := uint64(1); seq < n; seq++ {
		e := entry{}
		switch random.IntN(40) {
		case 0:
			seq += 1 + random.Uint64N(3) // acknowledged
		case 1:
			e.group = fmt.Sprint("g", random.IntN(3))
		case 2:
			e.fair = fmt.Sprint("t", random.IntN(3))
		case 3:
			e.ready = now + 1 + random.Int64N(2)*1e9
		case 4:
			leases[seq] = leaseUntil{lease{nonce: seq, deliveries: 1, first: 1}, now - 5 + random.Int64N(10)}
		}
		if random.IntN(3) == 0 {
			e.expiry = now + random.Int64N(1000)
		}
		if err := l.add(seq, e.encode()); err != nil {
			t.Fatal(err)
		}
		held, leased := leases[seq]
		if leased {
			e.ready = 0
		}
		added.add(seq, e, now)
		if leased {
			added.restore(seq, e, held.lease, held.until, now)
		}
	}
	l.end()
	if !reflect.DeepEqual(loaded.expiry, added.expiry) || loaded.delayed != added.delayed || loaded.leased != added.leased {
		t.Errorf("loaded: %d delayed, %d leased, expiry %v; added: %d, %d, %v", loaded.delayed, loaded.leased, loaded.expiry, added.delayed, added.leased, added.expiry)
	}
	for name, r := range map[string][2]*runs{"live": {&loaded.live, &added.live}, "ready": {&loaded.ready, &added.ready}} {
		if a, b := r[0].String(), r[1].String(); a != b || r[0].len() != r[1].len() {
			t.Errorf("%s: loaded %s, added %s", name, a, b)
		}
	}
	for {
		a, some := loaded.take(now + 1e9)
		b, more := added.take(now + 1e9)
		if some != more {
			t.Fatal("one has messages left")
		}
		if !some {
			break
		}
		if a.seq != b.seq || a.lease != b.lease {
			t.Fatalf("took %d, not %d", a.seq, b.seq)
		}
		loaded.settled([]*held{a})
		added.settled([]*held{b})
	}
}

// String shows the runs.
func (r *runs) String() (text string) {
	r.ends.Scan(func(start, end uint64) bool {
		text += fmt.Sprint(start, "-", end, " ")
		return true
	})
	return text
}
