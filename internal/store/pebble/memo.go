package pebble

import (
	"bytes"
	"sync/atomic"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

const (
	memoSlots = 256
	memoBytes = 4 << 10 // of a value
)

// memo keeps the values of the few keys that are read again and again, as the record of a queue is by all that send to
// it: of a tree of tables and tables in memory each read asks several. A value counts as long as the history knows of no
// write to its key.
type memo struct {
	history *optimistic.History
	slots   [memoSlots]memoSlot
}

type memoSlot struct {
	read atomic.Uint64 // hash of the key that was read last and is not kept
	kept atomic.Pointer[memoEntry]
}

type memoEntry struct {
	key   string
	value []byte
	from  uint64        // the key has the value as of this commit
	until atomic.Uint64 // and up to this one
}

func (m *memo) slot(key []byte) (slot *memoSlot, hash uint64) {
	hash = m.history.Hash(key)
	return &m.slots[hash%memoSlots], hash
}

// get returns the value that a key has in a snapshot of a commit, if that is known. It must not be changed.
func (m *memo) get(key []byte, asOf uint64) (value []byte, known bool) {
	slot, hash := m.slot(key)
	e := slot.kept.Load()
	if e == nil || e.key != string(key) || e.from > asOf {
		return nil, false
	}
	newest, ok := m.history.Unwritten(key, hash, e.until.Load())
	if !ok {
		slot.kept.CompareAndSwap(e, nil)
		return nil, false
	}
	e.until.Store(newest)
	return e.value, true
}

// note takes a value that was read from a snapshot, if the key is read often.
func (m *memo) note(key, value []byte, asOf uint64) {
	if len(value) > memoBytes || len(key) > store.MaxKey/4 {
		return
	}
	slot, hash := m.slot(key)
	if slot.read.Swap(hash) != hash {
		return
	}
	e := &memoEntry{key: string(key), value: bytes.Clone(value), from: asOf}
	e.until.Store(asOf)
	slot.kept.Store(e)
}
