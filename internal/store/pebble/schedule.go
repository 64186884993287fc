package pebble

import "github.com/tidwall/btree"

// schedule is what is due when, in nanoseconds since 1970.
type schedule struct{ tree *btree.BTreeG[due] }

type due struct {
	at   int64
	what uint64
}

func newSchedule() schedule {
	before := func(a, b due) bool { return a.at < b.at || a.at == b.at && a.what < b.what }
	return schedule{btree.NewBTreeGOptions(before, btree.Options{NoLocks: true})}
}

func (s schedule) add(at int64, what uint64) { s.tree.Set(due{at, what}) }

func (s schedule) remove(at int64, what uint64) { s.tree.Delete(due{at, what}) }

// next returns when the first is due.
func (s schedule) next() (at int64, ok bool) {
	first, ok := s.tree.Min()
	return first.at, ok
}

// pop removes and returns the first, if it is due.
func (s schedule) pop(now int64) (what uint64, ok bool) {
	first, ok := s.tree.Min()
	if !ok || first.at > now {
		return 0, false
	}
	s.tree.PopMin()
	return first.what, true
}
