package table

import (
	"bytes"

	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
)

// Entry is an item with its place.
type Entry struct {
	Key  Key
	Item item.Item
}

// Portion returns the items that follow a key, in the table's order: at most limit of them. A nil key is before all.
// Where there are fewer than limit, there are no others.
func (t *Table) Portion(r store.Reader, after Key, limit int) (entries []Entry, err error) {
	over := t.All(nil).Range
	if after != nil {
		over = over.After(after)
	}
	over.Limit = limit
	for kv, err := range r.Range(over) {
		if err != nil {
			return nil, err
		}
		it, err := item.Decode(kv.Value)
		if err != nil {
			return nil, err
		}
		entries = append(entries, Entry{bytes.Clone(kv.Key), it})
	}
	return entries, nil
}
