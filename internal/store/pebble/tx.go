package pebble

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
	growth  int // bytes, about, that it adds

	appends    []appended
	operations []operation
}

func newTransaction(ctx context.Context, s *Store) *transaction {
	return &transaction{snapshot: snapshot{s: s, ctx: ctx}}
}

func (tx *transaction) end() error {
	tx.over = true
	return tx.close()
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
	tx.begin()
	tx.reads.AsOf = tx.asOf
	tx.reads.Keys = append(tx.reads.Keys, k)
	return tx.get(k)
}

func (tx *transaction) Range(r store.Range) iter.Seq2[store.KV, error] {
	return func(yield func(store.KV, error) bool) {
		if tx.over {
			yield(store.KV{}, errOver)
			return
		}
		read := dataSpan(r)
		tx.begin()
		tx.reads.AsOf = tx.asOf
		// Only what was walked over has been read.
		seen := read
		defer func() { tx.reads.Spans = append(tx.reads.Spans, seen) }()
		n := 0
		for kv, err := range tx.walk(&tx.overlay, read, r.Reverse) {
			if err != nil {
				yield(kv, err)
				return
			}
			// The caller may well write what it is given.
			key := bytes.Clone(kv.Key)
			n++
			more := yield(store.KV{Key: key[1:], Value: bytes.Clone(kv.Value)}, nil)
			if more && n != r.Limit {
				continue
			}
			if r.Reverse {
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
	tx.growth += len(k) + len(value)
	tx.overlay.Set(k, value)
	return nil
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

func (tx *transaction) key(key []byte) ([]byte, error) {
	if tx.over {
		return nil, errOver
	}
	return dataKey(key)
}
