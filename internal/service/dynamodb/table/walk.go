package table

import (
	"iter"

	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
)

// WalkStored goes over the items of a span as they are stored. Each is valid until the next one.
func WalkStored(r store.Reader, s Span) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for kv, err := range r.Range(s.Range) {
			if !yield(kv.Value, err) || err != nil {
				return
			}
		}
	}
}

// Walk goes over the items of a span: those of the table, or what an index has of them.
func Walk(r store.Reader, s Span) iter.Seq2[item.Item, error] {
	return func(yield func(item.Item, error) bool) {
		for kv, err := range r.Range(s.Range) {
			if err != nil {
				yield(nil, err)
				return
			}
			it, err := item.Decode(kv.Value)
			if !yield(it, err) || err != nil {
				return
			}
		}
	}
}
