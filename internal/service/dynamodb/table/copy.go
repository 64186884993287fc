package table

import (
	"bytes"
	"time"

	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
)

// copySpace holds items set aside, by the copy's id.
const copySpace = 'b'

// Copy is a table's items set aside: a backup. It is independent of the table.
type Copy struct{ prefix []byte }

// NewCopy is the copy with the given id, of at least eight bytes; the first eight count.
func NewCopy(id []byte) Copy {
	return Copy{append([]byte{space, copySpace}, id[:tableBytes]...)}
}

// Save sets an item aside.
func (c Copy) Save(tx store.Tx, e Entry) error {
	key := append(bytes.Clone(c.prefix), e.Key[len(c.prefix):]...)
	return tx.Set(key, encode(e.Item))
}

// Clear removes the copy.
func (c Copy) Clear(tx store.Tx) error { return tx.DeleteRange(c.prefix, end(c.prefix)) }

// Each calls f with each item that was set aside, with its place in the table t.
func (c Copy) Each(r store.Reader, t *Table, f func(Entry) error) error {
	return each(r, c.prefix, t, f)
}

// Each calls f with each item of the table.
func (t *Table) Each(r store.Reader, f func(Entry) error) error { return each(r, t.items, t, f) }

// each walks over items whose keys begin with a prefix as long as a table's, and gives them their place in t.
func each(r store.Reader, prefix []byte, t *Table, f func(Entry) error) error {
	for kv, err := range r.Range(store.Range{Start: prefix, End: end(prefix)}) {
		if err != nil {
			return err
		}
		it, err := item.Decode(kv.Value)
		if err != nil {
			return err
		}
		if err := f(Entry{t.Place(kv.Key), it}); err != nil {
			return err
		}
	}
	return nil
}

// Place is where the table has the item that another table, or a copy, has under a key.
func (t *Table) Place(k []byte) Key {
	return append(bytes.Clone(t.items), k[len(t.items):]...)
}

// EachAt calls f with each item of the table as it was at a time since Recovery is on. Its memory grows with the
// number of items that were written since then.
func (t *Table) EachAt(r store.Reader, at time.Time, f func(Entry) error) error {
	was, err := t.replacedSince(r, at)
	if err != nil {
		return err
	}
	err = t.Each(r, func(e Entry) error {
		if _, changed := was[string(e.Key)]; changed {
			return nil
		}
		return f(e)
	})
	if err != nil {
		return err
	}
	for k, it := range was {
		if it == nil {
			continue
		}
		if err := f(Entry{Key(k), it}); err != nil {
			return err
		}
	}
	return nil
}

// replacedSince returns what was under the keys that were written after a time; nil where nothing was.
func (t *Table) replacedSince(r store.Reader, at time.Time) (map[string]item.Item, error) {
	was := map[string]item.Item{}
	prefix := t.space(undoSpace)
	for kv, err := range r.Range(store.Range{Start: prefix, End: end(prefix)}) {
		if err != nil {
			return nil, err
		}
		u, err := decodeReplaced(kv.Value)
		if err != nil {
			return nil, err
		}
		if !u.at.After(at) {
			continue
		}
		if _, known := was[string(u.key)]; !known { // the first after that time
			was[string(u.key)] = u.old
		}
	}
	return was, nil
}

// ForgetReplaced removes what writes before a time have replaced.
func (t *Table) ForgetReplaced(tx store.Tx, through int64) error {
	prefix := t.space(undoSpace)
	return tx.DeleteRange(prefix, store.AppendKey(bytes.Clone(prefix), through+1))
}

// ClearReplaced removes all that writes have replaced.
func (t *Table) ClearReplaced(tx store.Tx) error {
	prefix := t.space(undoSpace)
	return tx.DeleteRange(prefix, end(prefix))
}

// ReplacedBefore returns the number of the last record of what was replaced before a time; 0 where there is none.
func (t *Table) ReplacedBefore(r store.Reader, at time.Time) (number int64, err error) {
	prefix := t.space(undoSpace)
	for kv, err := range r.Range(store.Range{Start: prefix, End: end(prefix)}) {
		if err != nil {
			return 0, err
		}
		u, err := decodeReplaced(kv.Value)
		if err != nil {
			return 0, err
		}
		if !u.at.Before(at) {
			return number, nil
		}
		number = store.Appended(kv.Key)
	}
	return number, nil
}
