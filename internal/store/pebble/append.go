package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

// appended is a write whose key lacks its number until the commit.
type appended struct {
	prefix string // with its space
	value  []byte
	number int64  // once it is committed
	tell   *int64 // who wants to know the number; nil for nobody
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
	tx.growth += len(k) + len(value) + store.AppendSize
	tx.appends = append(tx.appends, appended{prefix: string(k), value: value, tell: number})
	return nil
}

// numbering gives appends their numbers. It is the committer's alone.
type numbering struct {
	next  uint64
	limit uint64 // the first that is not reserved
}

// loadNumbering goes on where the numbers reserved before end: a restart skips what was left of them.
func loadNumbering(db *pebble.DB) (*numbering, error) {
	record, closer, err := db.Get([]byte{appendSpace})
	if errors.Is(err, pebble.ErrNotFound) {
		return &numbering{next: 1}, nil
	}
	if err != nil {
		return nil, err
	}
	r := decoder{record}
	limit := r.uvarint()
	if err := errors.Join(r.err(), closer.Close()); err != nil {
		return nil, err
	}
	return &numbering{next: max(1, limit), limit: limit}, nil
}

// number turns appends into writes of the overlay. Where need be it reserves numbers in the batch, which
// is the first to use them.
func (n *numbering) number(b *pebble.Batch, appends []appended, o *optimistic.Overlay) error {
	for i := range appends {
		a := &appends[i]
		if n.next >= n.limit {
			limit := n.next + reserve
			if err := b.Set([]byte{appendSpace}, binary.AppendUvarint(nil, limit), nil); err != nil {
				return err
			}
			n.limit = limit
		}
		a.number = int64(n.next)
		if a.tell != nil {
			*a.tell = a.number
		}
		o.Set(store.AppendKey([]byte(a.prefix), a.number), a.value)
		n.next++
	}
	return nil
}
