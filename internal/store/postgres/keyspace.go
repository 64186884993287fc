package postgres

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

// The first byte of every key in the database; see schema.sql.
const (
	dataSpace   = 'k'
	dedupSpace  = 'd'
	forgetSpace = 'x'
)

// indexed is how long a key may be to have a place in an index of PostgreSQL, which takes 2,704 bytes:
// https://www.postgresql.org/docs/15/btree-implementation.html
const indexed = 2600

func dataKey(key []byte) ([]byte, error) {
	if len(key) > store.MaxKey {
		return nil, fmt.Errorf("store: a key of %d bytes; at most %d are allowed", len(key), store.MaxKey)
	}
	k := make([]byte, 0, 1+len(key))
	return append(append(k, dataSpace), key...), nil
}

// dataSpan is the keys that a range selects. Its end is never open, for other spaces follow.
func dataSpan(r store.Range) optimistic.Span {
	s := optimistic.Span{Start: append([]byte{dataSpace}, r.Start...), End: []byte{dataSpace + 1}}
	if r.End != nil {
		s.End = append([]byte{dataSpace}, r.End...)
	}
	return s
}

// head is the part of a key that has a place in an index.
func head(key []byte) []byte { return key[:min(len(key), indexed)] }

// lockKey names an advisory lock of a schema.
func lockKey(schema, name string) int64 {
	return int64(xxhash.Sum64String("cirro\x00" + schema + "\x00" + name))
}

// dedupKey is where a queue remembers a deduplication.
func dedupKey(queue, dedup string) []byte {
	return store.AppendKey([]byte{dedupSpace}, queue, dedup)
}

// forgetKey notes that the deduplication under key can go in the minute after its expiry, in nanoseconds.
func forgetKey(expiry int64, key []byte) []byte {
	return append(forgetBefore(expiry), key[1:]...)
}

func forgetBefore(at int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{forgetSpace}, uint64(at/60e9+1))
}

// forgotten is the deduplication that a note of forgetKey is of.
func forgotten(note []byte) []byte { return append([]byte{dedupSpace}, note[9:]...) }
