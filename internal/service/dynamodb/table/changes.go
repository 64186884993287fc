package table

import (
	"bytes"
	"time"

	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
)

// Change is what became of an item within a time: nil where there was, or is, none.
type Change struct {
	Key      Key
	Old, New item.Item
	Last     time.Time // of the writes
}

// EachChange calls f with each item that was written after from and until to, both since Recovery is on, in the order of
// their keys' first writes since. Its memory grows with the number of items that were written since from.
func (t *Table) EachChange(r store.Reader, from, to time.Time, f func(Change) error) error {
	type written struct {
		first item.Item // what the first write after from replaced
		last  time.Time // of the last one until to
		after *item.Item
	}
	keys, all := []string{}, map[string]*written{}
	prefix := t.space(undoSpace)
	for kv, err := range r.Range(store.Range{Start: prefix, End: end(prefix)}) {
		if err != nil {
			return err
		}
		u, err := decodeReplaced(kv.Value)
		if err != nil {
			return err
		}
		w := all[string(u.key)]
		switch {
		case !u.at.After(from):
		case !u.at.After(to):
			if w == nil {
				w = &written{first: u.old}
				keys, all[string(u.key)] = append(keys, string(u.key)), w
			}
			w.last = u.at
		case w != nil && w.after == nil:
			w.after = &u.old
		}
	}
	for _, k := range keys {
		w := all[k]
		c := Change{Key: Key(bytes.Clone([]byte(k))), Old: w.first, Last: w.last}
		if w.after != nil {
			c.New = *w.after
		} else {
			now, err := t.Get(r, c.Key)
			if err != nil {
				return err
			}
			c.New = now
		}
		if err := f(c); err != nil {
			return err
		}
	}
	return nil
}
