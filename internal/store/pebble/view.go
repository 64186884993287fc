package pebble

import (
	"iter"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

// view is the Reader that View gives to its function. It answers nothing that is not yet on disk.
type view struct{ snapshot }

func (v *view) Get(key []byte) ([]byte, error) {
	k, err := dataKey(key)
	if err != nil {
		return nil, err
	}
	value, err := v.get(k)
	v.s.awaitDurable(&optimistic.Reads{Keys: [][]byte{k}})
	return value, err
}

func (v *view) Range(r store.Range) iter.Seq2[store.KV, error] {
	return func(yield func(store.KV, error) bool) {
		s := dataSpan(r)
		v.open() // before it is known what must be on disk
		v.s.awaitDurable(&optimistic.Reads{Spans: []optimistic.Span{s}})
		n := 0
		for kv, err := range v.walk(new(optimistic.Overlay), s, r.Reverse) {
			if err != nil {
				yield(kv, err)
				return
			}
			kv.Key = kv.Key[1:]
			if n++; !yield(kv, nil) || n == r.Limit {
				return
			}
		}
	}
}
