package lambda

import (
	"context"
	"hash/maphash"
	"sync/atomic"

	"cirro/internal/store"
)

// watched is the store as the service sees it. It notices which functions' records a transaction
// wrote, so that what is computed of them can be kept until then (see routes).
//
// Where several nodes share a store, it hears of the others' writes from the store.
type watched struct {
	store.Store
	changes changes
}

// changes counts the writes to functions. Functions share counters: a count that changed says that a
// function may have changed, one that did not says that it has not.
type changes struct {
	seed   maphash.Seed
	shards [1024]atomic.Uint64
	quotas atomic.Uint64 // writes to any function's own record or provisioned concurrency
}

func newWatched(s store.Store) *watched {
	w := &watched{Store: s, changes: changes{seed: maphash.MakeSeed()}}
	store.Watch(s, store.Key("lambda"), func(key []byte) { // until the store closes
		if key == nil {
			w.changes.all()
			return
		}
		w.changes.changed(key)
	})
	return w
}

// Watch is the store's; see store.Watcher.
func (w *watched) Watch(prefix []byte, changed func(key []byte)) (stop func()) {
	return store.Watch(w.Store, prefix, changed)
}

// of is the counter of a function.
func (c *changes) of(in scope, name string) *atomic.Uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	h.WriteString(in.Account)
	h.WriteString(in.Region)
	h.WriteString(name)
	return &c.shards[h.Sum64()%uint64(len(c.shards))]
}

// changed notes that a key was written.
func (c *changes) changed(key []byte) {
	kind, counter := c.split(key)
	if counter == nil {
		return
	}
	counter.Add(1)
	if kind == "function" || kind == "provisioned" {
		c.quotas.Add(1)
	}
}

// ofKey is the counter of the function whose record has the key, nil where it is no function's.
func (c *changes) ofKey(key []byte) *atomic.Uint64 {
	_, counter := c.split(key)
	return counter
}

// split reads a key of Key("lambda", kind, account, region, name, …).
func (c *changes) split(key []byte) (kind string, counter *atomic.Uint64) {
	parts, err := store.Split(key)
	if err != nil || len(parts) < 5 || parts[0] != "lambda" {
		return "", nil
	}
	var names [4]string
	for i := range names {
		s, ok := parts[i+1].(string)
		if !ok {
			return "", nil
		}
		names[i] = s
	}
	return names[0], c.of(scope{names[1], names[2]}, names[3])
}

// all notes that any function may have changed.
func (c *changes) all() {
	for i := range c.shards {
		c.shards[i].Add(1)
	}
	c.quotas.Add(1)
}

// Update is the store's. The changes count before it returns, even if it fails: a transaction may have
// been committed without the caller hearing of it.
func (w *watched) Update(ctx context.Context, f func(store.Tx) error) error {
	var seen watchedTx
	err := w.Store.Update(ctx, func(tx store.Tx) error {
		seen.Tx = tx
		return f(&seen)
	})
	if seen.ranged {
		w.changes.all()
		return err
	}
	for _, key := range seen.keys {
		w.changes.changed(key)
	}
	return err
}

// watchedTx remembers the keys written.
type watchedTx struct {
	store.Tx
	keys   [][]byte
	ranged bool
}

func (t *watchedTx) Set(key, value []byte) error {
	t.keys = append(t.keys, key)
	return t.Tx.Set(key, value)
}

func (t *watchedTx) Delete(key []byte) error {
	t.keys = append(t.keys, key)
	return t.Tx.Delete(key)
}

func (t *watchedTx) DeleteRange(start, end []byte) error {
	t.ranged = true
	return t.Tx.DeleteRange(start, end)
}
