package pebble

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"cirro/internal/store"
)

// snapshot is the database as of a moment: that of the first read.
type snapshot struct {
	s    *Store
	ctx  context.Context
	snap *lent
	asOf uint64 // a commit that the snapshot has; it may have later ones
}

func (v *snapshot) open() *pebble.Snapshot {
	if v.snap == nil {
		v.snap = v.s.committer.snapshots.borrow()
		v.asOf = v.snap.asOf
	}
	return v.snap.Snapshot
}

func (v *snapshot) close() error {
	if v.snap == nil {
		return nil
	}
	return v.s.committer.snapshots.giveBack(v.snap)
}

func (v *snapshot) get(key []byte) ([]byte, error) {
	snap := v.open()
	if value, known := v.s.memo.get(key, v.asOf); known {
		return append(make([]byte, 0, len(value)), value...), nil
	}
	value, closer, err := snap.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	// A value of no bytes is not nil.
	own := append(make([]byte, 0, len(value)), value...)
	v.s.memo.note(key, own, v.asOf)
	return own, closer.Close()
}

// walk goes over the keys of s, as they are with the overlay on top.
func (v *snapshot) walk(o *overlay, s span, reverse bool) iter.Seq2[store.KV, error] {
	return func(yield func(store.KV, error) bool) {
		it, err := v.open().NewIter(&pebble.IterOptions{LowerBound: s.start, UpperBound: s.end})
		if err != nil {
			yield(store.KV{}, err)
			return
		}
		m := merge{it: it, deleted: o.deleted, points: o.within(s), reverse: reverse}
		if reverse {
			slices.Reverse(m.points)
			it.Last()
		} else {
			it.First()
		}
		for n := 1; ; n++ {
			kv, ok := m.next()
			if !ok {
				break
			}
			if n%256 == 0 && v.ctx.Err() != nil {
				_ = it.Close() // the walk is given up
				yield(store.KV{}, v.ctx.Err())
				return
			}
			if !yield(kv, nil) {
				break
			}
		}
		if err := errors.Join(it.Error(), it.Close()); err != nil {
			yield(store.KV{}, err)
		}
	}
}

// merge steps through the keys of an iterator and those written over it.
type merge struct {
	it      *pebble.Iterator
	deleted []span
	points  []point
	reverse bool
	used    bool // the iterator's key has been returned
}

func (m *merge) next() (store.KV, bool) {
	for {
		if m.used {
			m.advance()
			m.used = false
		}
		if len(m.points) > 0 && (!m.it.Valid() || m.first(m.points[0].key, m.it.Key()) <= 0) {
			p := m.points[0]
			m.points = m.points[1:]
			m.used = m.it.Valid() && p.key == string(m.it.Key())
			if !p.delete {
				return store.KV{Key: []byte(p.key), Value: p.value}, true
			}
			continue
		}
		if !m.it.Valid() {
			return store.KV{}, false
		}
		m.used = true
		if !covered(m.deleted, m.it.Key()) {
			return store.KV{Key: m.it.Key(), Value: m.it.Value()}, true
		}
	}
}

func (m *merge) advance() {
	if m.reverse {
		m.it.Prev()
	} else {
		m.it.Next()
	}
}

// first compares keys in the direction of the walk.
func (m *merge) first(a string, b []byte) int {
	c := bytes.Compare([]byte(a), b)
	if m.reverse {
		return -c
	}
	return c
}
