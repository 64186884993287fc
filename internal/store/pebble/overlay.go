package pebble

import (
	"bytes"

	"github.com/tidwall/btree"
)

// overlay is what a transaction has written and not committed: ranges deleted first, then keys
// written over that.
type overlay struct {
	deleted []span
	points  btree.Map[string, write]
}

type write struct {
	value  []byte
	delete bool
}

func (o *overlay) empty() bool { return len(o.deleted) == 0 && o.points.Len() == 0 }

func (o *overlay) set(key, value []byte) { o.points.Set(string(key), write{value: value}) }

func (o *overlay) delete(key []byte) { o.points.Set(string(key), write{delete: true}) }

func (o *overlay) deleteRange(start, end []byte) {
	s := span{start: bytes.Clone(start), end: bytes.Clone(end)}
	for _, p := range o.within(s) {
		o.points.Delete(p.key)
	}
	// Ranges under way keep the slice they have.
	o.deleted = append(o.deleted[:len(o.deleted):len(o.deleted)], s)
}

// get says whether the overlay decides what the key holds, and what.
func (o *overlay) get(key []byte) (w write, decided bool) {
	if o.empty() {
		return write{}, false
	}
	if w, ok := o.points.Get(string(key)); ok {
		return w, true
	}
	return write{delete: true}, covered(o.deleted, key)
}

func covered(deleted []span, key []byte) bool {
	for _, d := range deleted {
		if d.has(key) {
			return true
		}
	}
	return false
}

// point is a written key.
type point struct {
	key string
	write
}

// within returns the written keys of s in order.
func (o *overlay) within(s span) (points []point) {
	o.points.Ascend(string(s.start), func(key string, w write) bool {
		if s.end != nil && key >= string(s.end) {
			return false
		}
		points = append(points, point{key, w})
		return true
	})
	return points
}
