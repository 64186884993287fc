package table

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cirro/internal/store"
)

// ErrChanged is the error of a transaction that went by a table as it was before another process changed it: it has
// to be tried again.
var ErrChanged = errors.New("dynamodb: the table has just been changed by another process; try again")

// ErrNotFound is the answer where there is no such table.
var ErrNotFound = errors.New("dynamodb: no such table")

// life is how long a description is believed without looking whether another process has changed it.
const life = time.Second

// Catalog keeps the tables at hand that are in use, so that an operation need not read and decode a
// description. What is changed through it waits for the operations that use the table as it was: from then on
// all use it as it is.
type Catalog struct {
	store  store.Store
	shared bool // other processes may change tables

	mu      sync.RWMutex
	entries map[Ref]*entry
}

// entry is a table in the catalog. Who holds the gate for reading uses the table.
type entry struct {
	gate   sync.RWMutex
	cached atomic.Pointer[cached]
}

// cached is a table as it was at a time.
type cached struct {
	table *Table
	raw   []byte
	asOf  time.Time
}

// NewCatalog makes a catalog of the tables in a store.
func NewCatalog(s store.Store) *Catalog {
	c := &Catalog{store: s, entries: map[Ref]*entry{}}
	_, c.shared = s.(store.Watcher)
	store.Watch(s, store.Key("dynamodb", "table"), c.forget) // until the store closes
	return c
}

// Forget drops what is at hand of a table, as Check found it changed.
func (c *Catalog) Forget(ref Ref) { c.forget(ref.Key()) }

// forget drops what is at hand of the table whose record has the key, or of all where that is nil.
func (c *Catalog) forget(key []byte) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for ref, e := range c.entries {
		if key == nil || bytes.Equal(key, ref.Key()) {
			e.cached.Store(nil)
		}
	}
}

// Check refuses a transaction that goes by the table as it was, where another process has changed it since.
func (t *Table) Check(r store.Reader) error {
	if t.fence == nil {
		return nil
	}
	raw, err := r.Get(t.Key())
	if errors.Is(err, store.ErrNotFound) || err == nil && !bytes.Equal(raw, t.fence) {
		return ErrChanged
	}
	return err
}

// Use is a table in use: it is not changed before End.
type Use struct {
	*Table
	gate *sync.RWMutex
}

// End ends the use.
func (u Use) End() { u.gate.RUnlock() }

// Use returns a table for one operation. An operation uses a table once, and several in the order of
// their names: a change waits between two uses.
func (c *Catalog) Use(ctx context.Context, ref Ref) (Use, error) {
	e := c.lookup(ref)
	if e == nil {
		if _, _, err := c.load(ctx, ref); err != nil {
			return Use{}, err
		}
		e = c.make(ref)
	}
	e.gate.RLock()
	t, err := c.fresh(ctx, ref, e)
	if err != nil {
		e.gate.RUnlock()
		return Use{}, err
	}
	return Use{t, &e.gate}, nil
}

// fresh returns the entry's table, read again where it may be out of date. The gate is held.
func (c *Catalog) fresh(ctx context.Context, ref Ref, e *entry) (*Table, error) {
	now := time.Now()
	was := e.cached.Load()
	if was != nil && now.Sub(was.asOf) < life {
		return was.table, nil
	}
	t, raw, err := c.load(ctx, ref)
	if err != nil {
		return nil, err
	}
	if was != nil && bytes.Equal(was.raw, raw) {
		t = was.table
	}
	e.cached.Store(&cached{t, raw, now})
	return t, nil
}

// load reads a table from the store.
func (c *Catalog) load(ctx context.Context, ref Ref) (t *Table, raw []byte, err error) {
	err = c.store.View(ctx, func(r store.Reader) error {
		raw, err = r.Get(ref.Key())
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, ErrNotFound
	}
	if err != nil {
		return nil, nil, err
	}
	var record Record
	if err := json.Unmarshal(raw, &record); err != nil {
		return nil, nil, fmt.Errorf("dynamodb: the record of table %s: %w", ref.Name, err)
	}
	if t, err = New(&record); err == nil && c.shared {
		t.fence = raw
	}
	return t, raw, err
}

func (c *Catalog) lookup(ref Ref) *entry {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.entries[ref]
}

func (c *Catalog) make(ref Ref) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[ref]
	if e == nil {
		e = &entry{}
		c.entries[ref] = e
	}
	return e
}

// Change changes a table's record, or makes or deletes one, while nobody uses the table. change gets the
// record, nil where there is none, which it may alter; it returns the one to keep, nil for none. It may be
// called again, like any transaction's function.
func (c *Catalog) Change(ctx context.Context, ref Ref, change func(store.Tx, *Record) (*Record, error)) error {
	e := c.make(ref)
	e.gate.Lock()
	defer e.gate.Unlock()
	e.cached.Store(nil)
	return c.store.Update(ctx, func(tx store.Tx) error {
		record, found, err := store.GetRecord[Record](tx, ref.Key())
		if err != nil {
			return err
		}
		was := &record
		if !found {
			was = nil
		}
		is, err := change(tx, was)
		if err != nil {
			return err
		}
		if is == nil {
			return tx.Delete(ref.Key())
		}
		return store.SetRecord(tx, ref.Key(), is)
	})
}

// Clear deletes all that a table holds.
func (t *Table) Clear(tx store.Tx) error {
	for _, kind := range []byte{itemSpace, entrySpace, expirySpace, undoSpace} {
		prefix := bytes.Clone(t.items)
		prefix[1] = kind
		if err := tx.DeleteRange(prefix, end(prefix)); err != nil {
			return err
		}
	}
	return nil
}

// ClearIndex deletes all entries of an index.
func (t *Table) ClearIndex(tx store.Tx, x *Index) error {
	return tx.DeleteRange(x.prefix, end(x.prefix))
}
