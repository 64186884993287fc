package pebble

import (
	"slices"

	"github.com/tidwall/btree"
)

// What makes a tenant noisy: it has so many messages that are ready or leased, and more than such a part of all.
// AWS counts those in flight alone, and the time that they take.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html
const (
	noisyCount = 30
	noisyPart  = 10
)

// fair is the tenants of a queue's messages that have one, and who of them is next. There are never many that are
// noisy, so these are in no order.
type fair struct {
	tenants map[string]*tenant
	turns   btree.Map[uint64, *tenant] // those that are not known to be noisy, by their first message
	noisy   []*tenant
	ready   int // messages of all
}

// tenant is one tenant with the messages that it has ready.
type tenant struct {
	name    string
	ready   line
	leased  int
	delayed int
	turn    uint64 // its place in turns, or 0
	noisy   bool
}

func newFair() fair { return fair{tenants: make(map[string]*tenant)} }

// tenant returns the tenant of that name, made where there is none.
func (f *fair) tenant(name string) *tenant {
	t := f.tenants[name]
	if t == nil {
		t = &tenant{name: name}
		f.tenants[name] = t
	}
	return t
}

// add adds a message that is ready.
func (f *fair) add(t *tenant, seq uint64) {
	t.ready.add(seq)
	f.ready++
	f.settle(t)
}

// remove removes a message that was ready. What it is now must be counted before.
func (f *fair) remove(t *tenant, seq uint64) {
	t.ready.remove(seq)
	f.ready--
	f.settle(t)
}

// settle gives a tenant its place.
func (f *fair) settle(t *tenant) {
	first, ready := t.ready.first()
	if t.noisy {
		if !ready {
			f.noisy = slices.DeleteFunc(f.noisy, func(other *tenant) bool { return other == t })
			t.noisy = false
		}
	} else if t.turn != first {
		if t.turn != 0 {
			f.turns.Delete(t.turn)
		}
		if t.turn = first; ready {
			f.turns.Set(first, t)
		}
	}
	if !ready && t.leased == 0 && t.delayed == 0 {
		delete(f.tenants, t.name)
	}
}

// load is how much of the queue a tenant takes up.
func (t *tenant) load() int { return t.ready.len() + t.leased }

// next returns the two who may be next: of the quiet tenants the one whose message comes first, and of the noisy ones
// the one with the fewest messages leased. Of all messages so many are ready or leased.
func (f *fair) next(all int) (quiet, noisy *tenant) {
	limit := max(noisyCount-1, all/noisyPart)
	for i := 0; i < len(f.noisy); {
		t := f.noisy[i]
		if t.load() <= limit {
			t.noisy = false
			f.noisy = slices.Delete(f.noisy, i, i+1)
			f.settle(t)
			continue
		}
		if i++; noisy == nil || t.before(noisy) {
			noisy = t
		}
	}
	for {
		_, t, ok := f.turns.Min()
		if !ok || t.load() <= limit {
			return t, noisy
		}
		f.turns.Delete(t.turn)
		t.turn, t.noisy = 0, true
		f.noisy = append(f.noisy, t)
		if noisy == nil || t.before(noisy) {
			noisy = t
		}
	}
}

// before compares noisy tenants.
func (t *tenant) before(other *tenant) bool {
	if t.leased != other.leased {
		return t.leased < other.leased
	}
	a, _ := t.ready.first()
	b, _ := other.ready.first()
	return a < b
}

// fair is the name of a message's tenant, or "".
func (h *held) fair() string {
	if h.tenant == nil {
		return ""
	}
	return h.tenant.name
}
