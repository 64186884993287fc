package table

import (
	"bytes"
	"errors"

	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
)

// Get returns the item under a key, or nil.
func (t *Table) Get(r store.Reader, k Key) (item.Item, error) {
	b, err := t.GetStored(r, k)
	if b == nil || err != nil {
		return nil, err
	}
	return item.Decode(b)
}

// GetStored returns the item under a key as it is stored, or nil.
func (t *Table) GetStored(r store.Reader, k Key) ([]byte, error) {
	b, err := r.Get(k)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return b, err
}

// Write makes now the item under a key, and brings the indexes to it. old is what was there; where the table
// is Blind it need not be known. A nil item is none. Neither is changed afterwards. It is the one place where
// items are written.
func (t *Table) Write(tx store.Tx, k Key, old, now item.Item) error {
	return t.write(tx, k, old, now, false)
}

// Expire deletes an item whose time has come.
func (t *Table) Expire(tx store.Tx, k Key, old item.Item) error {
	return t.write(tx, k, old, nil, true)
}

func (t *Table) write(tx store.Tx, k Key, old, now item.Item, expired bool) error {
	if now == nil {
		if err := tx.Delete(k); err != nil {
			return err
		}
	} else if err := tx.Set(k, encode(now)); err != nil {
		return err
	}
	for _, x := range t.Indexes {
		if !x.Writable {
			continue
		}
		if err := x.write(tx, k, old, now); err != nil {
			return err
		}
	}
	if !t.followed() {
		return nil
	}
	return t.follow(tx, k, old, now, expired)
}

func encode(it item.Item) []byte { return it.Append(make([]byte, 0, it.Size()+16+8*len(it))) }

// write brings an index from an item to another one with the same key.
func (x *Index) write(tx store.Tx, k Key, old, now item.Item) error {
	was, is, err := x.entries(k, old, now)
	if err != nil {
		return err
	}
	if was.key != nil && !bytes.Equal(was.key, is.key) {
		if err := tx.Delete(was.key); err != nil {
			return err
		}
	}
	if is.key == nil || bytes.Equal(was.key, is.key) && was.item.Equal(is.item) {
		return nil
	}
	return tx.Set(is.key, encode(is.item))
}

// Fill makes the index's entry of an item that the table has.
func (x *Index) Fill(tx store.Tx, k Key, it item.Item) error { return x.write(tx, k, nil, it) }

// entry of an index: without a key there is none.
type indexEntry struct {
	key  []byte
	item item.Item
}

// entries are those of an item before and after a write.
func (x *Index) entries(k Key, old, now item.Item) (was, is indexEntry, err error) {
	if old != nil && x.holds(old) {
		if was.key, err = x.entryKey(old, k); err != nil {
			return was, is, err
		}
		was.item = x.Project(old)
	}
	if now != nil && x.holds(now) {
		if is.key, err = x.entryKey(now, k); err != nil {
			return was, is, err
		}
		is.item = x.Project(now)
	}
	return was, is, nil
}

// Writes are the sizes of the entries that a write makes, changes or deletes in the index.
func (x *Index) Writes(old, now item.Item) (sizes []int) {
	had, has := old != nil && x.holds(old), now != nil && x.holds(now)
	switch {
	case had && has:
		was, is := x.Project(old), x.Project(now)
		if was.Equal(is) {
			return nil
		}
		if x.Schema.same(old, now) {
			return []int{max(was.Size(), is.Size())}
		}
		return []int{was.Size(), is.Size()}
	case had:
		return []int{x.Project(old).Size()}
	case has:
		return []int{x.Project(now).Size()}
	}
	return nil
}
