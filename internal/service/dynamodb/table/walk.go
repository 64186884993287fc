package table

import (
	"iter"

	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
)

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
