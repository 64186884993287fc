package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

var errOver = errors.New("store: the transaction is over")

// transaction is one attempt at an Update.
type transaction struct {
	snapshot
	reads   optimistic.Reads
	overlay optimistic.Overlay
	over    bool
	// careful lets a lease be looked at when it is used. Otherwise only the commit does, which may turn
	// out to be in vain.
	careful bool

	appends    []appended
	operations []operation
	size       int // bytes to write, about
}

// appended is a write whose key lacks its number until the commit.
type appended struct {
	prefix []byte // with its space
	value  []byte
	number int64
	tell   *int64 // who wants to know the number; nil for nobody
}

func (a *appended) key() []byte {
	return store.AppendKey(a.prefix[:len(a.prefix):len(a.prefix)], a.number)
}

func (tx *transaction) end() {
	tx.over = true
	tx.close()
}

// readOnly says that there is nothing to commit.
func (tx *transaction) readOnly() bool {
	return tx.overlay.Empty() && len(tx.appends) == 0 && len(tx.operations) == 0
}

func (tx *transaction) Get(key []byte) ([]byte, error) {
	k, err := tx.key(key)
	if err != nil {
		return nil, err
	}
	return tx.read(k)
}

// read reads a key of any space.
func (tx *transaction) read(k []byte) ([]byte, error) {
	if w, decided := tx.overlay.Get(k); decided {
		if w.Delete {
			return nil, store.ErrNotFound
		}
		return append(make([]byte, 0, len(w.Value)), w.Value...), nil
	}
	tx.reads.Keys = append(tx.reads.Keys, k)
	value, err := tx.get(k)
	tx.reads.AsOf = tx.asOf
	return value, err
}

func (tx *transaction) Range(r store.Range) iter.Seq2[store.KV, error] {
	return func(yield func(store.KV, error) bool) {
		if tx.over {
			yield(store.KV{}, errOver)
			return
		}
		n := 0
		for kv, err := range tx.readRange(dataSpan(r), r.Reverse, r.Limit) {
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

// readRange walks the keys of a span of any space. Only what was walked over has been read.
func (tx *transaction) readRange(read optimistic.Span, reverse bool, limit int) iter.Seq2[store.KV, error] {
	return func(yield func(store.KV, error) bool) {
		seen := read
		defer func() {
			tx.reads.AsOf = tx.asOf
			tx.reads.Spans = append(tx.reads.Spans, seen)
		}()
		n := 0
		for kv, err := range tx.walk(&tx.overlay, read, reverse, limit) {
			if err != nil {
				yield(kv, err)
				return
			}
			// The caller may well write what it is given.
			key := bytes.Clone(kv.Key)
			n++
			if yield(store.KV{Key: key, Value: append(make([]byte, 0, len(kv.Value)), kv.Value...)}, nil) && n != limit {
				continue
			}
			if reverse {
				seen.Start = key
			} else {
				seen.End = append(key[:len(key):len(key)], 0)
			}
			return
		}
	}
}

func (tx *transaction) Set(key, value []byte) error {
	k, err := tx.key(key)
	if err != nil {
		return err
	}
	if err := checkValue(value); err != nil {
		return err
	}
	tx.set(k, value)
	return nil
}

// set writes a key of any space.
func (tx *transaction) set(k, value []byte) {
	tx.overlay.Set(k, value)
	tx.size += len(k) + len(value)
}

func checkValue(value []byte) error {
	if len(value) > store.MaxValue {
		return fmt.Errorf("store: a value of %d bytes; at most %d are allowed", len(value), store.MaxValue)
	}
	return nil
}

func (tx *transaction) Delete(key []byte) error {
	k, err := tx.key(key)
	if err != nil {
		return err
	}
	tx.overlay.Delete(k)
	return nil
}

func (tx *transaction) DeleteRange(start, end []byte) error {
	if tx.over {
		return errOver
	}
	if s := dataSpan(store.Range{Start: start, End: end}); !s.Empty() {
		tx.overlay.DeleteRange(s)
	}
	return nil
}

// Append writes a value under a number that the commit gives it; see store.Tx.
func (tx *transaction) Append(prefix, value []byte) error {
	return tx.AppendNumbered(prefix, value, nil)
}

// AppendNumbered is Append, and tells the number; see store.Tx.
func (tx *transaction) AppendNumbered(prefix, value []byte, number *int64) error {
	if len(prefix)+store.AppendSize > store.MaxKey {
		return fmt.Errorf("store: an append under %d bytes; at most %d are allowed", len(prefix), store.MaxKey-store.AppendSize)
	}
	k, err := tx.key(prefix)
	if err != nil {
		return err
	}
	if err := checkValue(value); err != nil {
		return err
	}
	tx.appends = append(tx.appends, appended{prefix: k, value: value, tell: number})
	tx.size += len(k) + len(value)
	return nil
}

func (tx *transaction) key(key []byte) ([]byte, error) {
	if tx.over {
		return nil, errOver
	}
	return dataKey(key)
}

func newTransaction(ctx context.Context, s *Store, careful bool) *transaction {
	return &transaction{snapshot: snapshot{s: s, ctx: ctx}, careful: careful}
}
