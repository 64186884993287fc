package pebble

import (
	"fmt"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

// The first byte of every key in the database; see the package's comment.
const (
	dataSpace   = 'k'
	formatSpace = 'f'
	appendSpace = 'a'
	queueSpace  = 'n'
	indexSpace  = 'i'
	bodySpace   = 'b'
	leaseSpace  = 's'
	dedupSpace  = 'd'
	forgetSpace = 'x'
)

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
