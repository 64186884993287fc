package postgres

import (
	"context"
	"iter"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

// View calls f with a snapshot; see store.Store.
func (s *Store) View(ctx context.Context, f func(store.Reader) error) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	v := &view{snapshot{s: s, ctx: ctx}}
	defer v.close()
	return f(v)
}

// view is the Reader that View gives to its function.
type view struct{ snapshot }

func (v *view) Get(key []byte) ([]byte, error) {
	k, err := dataKey(key)
	if err != nil {
		return nil, err
	}
	return v.get(k)
}

func (v *view) Range(r store.Range) iter.Seq2[store.KV, error] {
	return func(yield func(store.KV, error) bool) {
		n := 0
		for kv, err := range v.walk(new(optimistic.Overlay), dataSpan(r), r.Reverse, r.Limit) {
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
