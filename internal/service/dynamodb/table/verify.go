package table

import (
	"bytes"
	"fmt"

	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
)

// Verify compares a table's indexes with its items: each item that has an index's key has its one entry there,
// with what the index projects, and no other entry is there. Items must lie where their keys say. It keeps the
// keys of all entries in memory.
func (t *Table) Verify(r store.Reader) error {
	expected := make([]map[string]item.Item, len(t.Indexes))
	for i := range expected {
		expected[i] = map[string]item.Item{}
	}
	for kv, err := range r.Range(t.All(nil).Range) {
		if err != nil {
			return err
		}
		if err := t.verifyItem(kv, expected); err != nil {
			return err
		}
	}
	for i, x := range t.Indexes {
		if err := x.verify(r, t.All(x), expected[i]); err != nil {
			return err
		}
	}
	return nil
}

// verifyItem notes the entries that an item should have.
func (t *Table) verifyItem(kv store.KV, expected []map[string]item.Item) error {
	it, err := item.Decode(kv.Value)
	if err != nil {
		return err
	}
	k, err := t.KeyOf(it)
	if err != nil {
		return err
	}
	if !bytes.Equal(k, kv.Key) {
		return fmt.Errorf("dynamodb: table %s has at %x an item that belongs at %x", t.Name, kv.Key, k)
	}
	for i, x := range t.Indexes {
		if !x.holds(it) {
			continue
		}
		entry, err := x.entryKey(it, k)
		if err != nil {
			return err
		}
		expected[i][string(entry)] = x.Project(it)
	}
	return nil
}

func (x *Index) verify(r store.Reader, all Span, expected map[string]item.Item) error {
	for kv, err := range r.Range(all.Range) {
		if err != nil {
			return err
		}
		it, err := item.Decode(kv.Value)
		if err != nil {
			return err
		}
		want, ok := expected[string(kv.Key)]
		if !ok {
			return fmt.Errorf("dynamodb: index %s has an entry too many: %v", x.Name, it)
		}
		if !want.Equal(it) {
			return fmt.Errorf("dynamodb: index %s has %v for %v", x.Name, it, want)
		}
		delete(expected, string(kv.Key))
	}
	for _, it := range expected {
		return fmt.Errorf("dynamodb: index %s lacks %v", x.Name, it)
	}
	return nil
}
