package optimistic

import (
	"bytes"
	"slices"

	"cirro/internal/store"
)

// Cursor stands at a key of the committed state, or is not valid: then it is through, or failed.
type Cursor interface {
	Valid() bool
	Key() []byte
	Value() []byte
	Advance() // in the direction of the walk
}

// Merge steps through the keys of a cursor with an overlay on top, as it is when the merge is made.
type Merge struct {
	below   Cursor
	deleted []Span
	points  []Point
	reverse bool
	used    bool // the cursor's key has been returned
}

// NewMerge makes a merge over a span that the cursor walks, too.
func NewMerge(below Cursor, o *Overlay, s Span, reverse bool) *Merge {
	m := &Merge{below: below, deleted: o.deleted, points: o.Within(s), reverse: reverse}
	if reverse {
		slices.Reverse(m.points)
	}
	return m
}

// Next returns the next key. Its slices are valid until the next call.
func (m *Merge) Next() (store.KV, bool) {
	for {
		if m.used {
			m.below.Advance()
			m.used = false
		}
		if len(m.points) > 0 && (!m.below.Valid() || m.compare(m.points[0].Key, m.below.Key()) <= 0) {
			p := m.points[0]
			m.points = m.points[1:]
			m.used = m.below.Valid() && p.Key == string(m.below.Key())
			if !p.Delete {
				return store.KV{Key: []byte(p.Key), Value: p.Value}, true
			}
			continue
		}
		if !m.below.Valid() {
			return store.KV{}, false
		}
		m.used = true
		if !covered(m.deleted, m.below.Key()) {
			return store.KV{Key: m.below.Key(), Value: m.below.Value()}, true
		}
	}
}

// compare compares keys in the direction of the walk.
func (m *Merge) compare(a string, b []byte) int {
	c := bytes.Compare([]byte(a), b)
	if m.reverse {
		return -c
	}
	return c
}
