package pebble

import (
	"context"
	"errors"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

// snapshot is the database as of a moment: that of the first read.
type snapshot struct {
	s    *Store
	ctx  context.Context
	snap *lent
	asOf uint64 // a commit that the snapshot has; it may have later ones
}

// begin fixes the moment.
func (v *snapshot) begin() {
	if v.snap == nil {
		v.snap = v.s.committer.snapshots.borrow()
		v.asOf = v.snap.asOf
	}
}

func (v *snapshot) open() *pebble.Snapshot {
	v.begin()
	return v.s.committer.snapshots.of(v.snap)
}

func (v *snapshot) close() error {
	if v.snap == nil {
		return nil
	}
	return v.s.committer.snapshots.giveBack(v.snap)
}

func (v *snapshot) get(key []byte) ([]byte, error) {
	v.begin()
	if value, known := v.s.memo.get(key, v.asOf); known {
		return append(make([]byte, 0, len(value)), value...), nil
	}
	value, closer, err := v.open().Get(key)
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
func (v *snapshot) walk(o *optimistic.Overlay, s optimistic.Span, reverse bool) iter.Seq2[store.KV, error] {
	return func(yield func(store.KV, error) bool) {
		it, err := v.open().NewIter(&pebble.IterOptions{LowerBound: s.Start, UpperBound: s.End})
		if err != nil {
			yield(store.KV{}, err)
			return
		}
		if reverse {
			it.Last()
		} else {
			it.First()
		}
		m := optimistic.NewMerge(cursor{it, reverse}, o, s, reverse)
		for n := 1; ; n++ {
			kv, ok := m.Next()
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

// cursor is an iterator in the direction of a walk.
type cursor struct {
	*pebble.Iterator
	reverse bool
}

// Advance goes on to the next key of the walk.
func (c cursor) Advance() {
	if c.reverse {
		c.Prev()
	} else {
		c.Next()
	}
}
