package table

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/cespare/xxhash/v2"

	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
)

const (
	space       = 'D'
	itemSpace   = 'i'
	entrySpace  = 'x'
	expirySpace = 'e'
	undoSpace   = 'u'
	tableBytes  = 8
	hashBytes   = 8
	// longHash and longItem are from how many bytes on a SHA-256 stands for a hash key, and for an item's
	// key in the entry of an index.
	longHash, longItem = 255, 512
)

// errNoKey is the answer to a value that is none of a key's types; those who call have checked that.
var errNoKey = errors.New("dynamodb: a value that is no key")

// appendHash appends a hash key: its hash, its length, and its bytes or their SHA-256.
func appendHash(dst []byte, v item.Value) []byte {
	start := len(dst)
	dst = append(dst, make([]byte, hashBytes+1)...)
	if v.Kind == item.N {
		dst, _ = v.AppendKey(dst) // a number always has a key
	} else {
		dst = append(dst, v.Text...)
	}
	body := dst[start+hashBytes+1:]
	binary.BigEndian.PutUint64(dst[start:], xxhash.Sum64(body))
	if len(body) < longHash {
		dst[start+hashBytes] = byte(len(body))
		return dst
	}
	sum := sha256.Sum256(body)
	dst[start+hashBytes] = longHash
	return append(dst[:start+hashBytes+1], sum[:]...)
}

// appendKey appends the key of a schema that an item has.
func (s *Schema) appendKey(dst []byte, it item.Item) ([]byte, error) {
	h := it[s.Hash.Name]
	if h.Kind != s.Hash.Kind {
		return nil, errNoKey
	}
	dst = appendHash(dst, h)
	if s.Range.Name == "" {
		return dst, nil
	}
	r := it[s.Range.Name]
	if r.Kind != s.Range.Kind {
		return nil, errNoKey
	}
	return r.AppendKey(dst)
}

// Key is where an item is in the store.
type Key []byte

// KeyOf is where an item is, which has the table's key attributes.
func (t *Table) KeyOf(it item.Item) (Key, error) {
	k := make([]byte, 0, len(t.items)+hashBytes+64)
	return t.Schema.appendKey(append(k, t.items...), it)
}

// Hash is the hash of the item's hash key, by which items are spread.
func (k Key) Hash() uint64 { return binary.BigEndian.Uint64(k[2+tableBytes:]) }

// own is what tells the item from the others of its table.
func (k Key) own() []byte { return k[2+tableBytes+hashBytes:] }

// holds says whether an item belongs into the index: whether it has the index's key.
func (x *Index) holds(it item.Item) bool {
	for _, a := range [...]Attribute{x.Schema.Hash, x.Schema.Range} {
		if a.Name != "" && it[a.Name].Kind != a.Kind {
			return false
		}
	}
	return true
}

// entryKey is where the index has the item with the given key, whose index key it has.
func (x *Index) entryKey(it item.Item, k Key) ([]byte, error) {
	dst := make([]byte, 0, len(x.prefix)+hashBytes+64+len(k))
	dst, err := x.Schema.appendKey(append(dst, x.prefix...), it)
	if err != nil {
		return nil, err
	}
	if own := k.own(); len(own) < longItem {
		dst = append(dst, own...)
	} else {
		sum := sha256.Sum256(own)
		dst = append(dst, sum[:]...)
	}
	return dst, nil
}

// Project is what the index has of an item.
func (x *Index) Project(it item.Item) item.Item {
	if x.All {
		return it
	}
	out := make(item.Item, 4+len(x.Projected))
	for name, v := range it {
		if x.Projects(name) {
			out[name] = v
		}
	}
	return out
}

// Projects says whether the index has an attribute.
func (x *Index) Projects(name string) bool {
	return x.All || x.Projected[name] || x.Schema.Has(name) || x.table.Has(name)
}

// Span is a range of a table's items or of an index's entries.
type Span struct {
	prefix []byte // of the keys with one hash key
	Range  store.Range
}

// source is what the keys of a table, or of an index where x is not nil, begin with.
func (t *Table) source(x *Index) []byte {
	if x == nil {
		return t.items
	}
	return x.prefix
}

// All is all of a table, or of an index where x is not nil.
func (t *Table) All(x *Index) Span {
	p := t.source(x)
	return Span{p, store.Range{Start: p, End: end(p)}}
}

// Segment is one of the parts of equal size into which parallel scans part a table or an index.
func (t *Table) Segment(x *Index, segment, of int) Span {
	s, p := t.All(x), t.source(x)
	step := ^uint64(0)/uint64(of) + 1 // of is above 1
	if segment > 0 {
		s.Range.Start = binary.BigEndian.AppendUint64(bytes.Clone(p), step*uint64(segment))
	}
	if segment < of-1 {
		s.Range.End = binary.BigEndian.AppendUint64(bytes.Clone(p), step*uint64(segment+1))
	}
	return s
}

// Of is all that has the given hash key.
func (t *Table) Of(x *Index, hash item.Value) Span {
	p := t.source(x)
	prefix := appendHash(append(make([]byte, 0, len(p)+hashBytes+64), p...), hash)
	return Span{prefix, store.Range{Start: prefix, End: end(prefix)}}
}

// Between leaves what has a sort key from low to high; either may be nil. With and without the bounds
// themselves is what inclusive says.
func (s *Span) Between(low, high *item.Value, lowInclusive, highInclusive bool) error {
	bound := func(v *item.Value, after bool) ([]byte, error) {
		b, err := v.AppendKey(bytes.Clone(s.prefix))
		if err == nil && after {
			b = end(b)
		}
		return b, err
	}
	var err error
	if low != nil {
		if s.Range.Start, err = bound(low, !lowInclusive); err != nil {
			return err
		}
	}
	if high != nil {
		if s.Range.End, err = bound(high, highInclusive); err != nil {
			return err
		}
	}
	return nil
}

// Begin leaves what has a sort key that begins with v, which is S or B.
func (s *Span) Begin(v item.Value) error {
	b, err := v.AppendKeyPrefix(bytes.Clone(s.prefix))
	if err != nil {
		return err
	}
	s.Range.Start, s.Range.End = b, end(b)
	return nil
}

// Position is where a table, or an index where x is not nil, has the item with the given keys.
func (t *Table) Position(x *Index, keys item.Item) ([]byte, error) {
	k, err := t.KeyOf(keys)
	if err != nil || x == nil {
		return k, err
	}
	return x.entryKey(keys, k)
}

// Holds says whether a position is within the span.
func (s *Span) Holds(position []byte) bool {
	return bytes.Compare(position, s.Range.Start) >= 0 && bytes.Compare(position, s.Range.End) < 0
}

// After leaves what follows a position, in the direction of the span.
func (s *Span) After(position []byte) { s.Range = s.Range.After(position) }

// end is the first key after all those that begin with b.
func end(b []byte) []byte {
	e := bytes.Clone(b)
	for i := len(e) - 1; i >= 0; i-- {
		if e[i]++; e[i] != 0 {
			return e[:i+1]
		}
	}
	return nil
}

// PositionOf is the keys of an item, by which Position finds it: the table's and the index's.
func (t *Table) PositionOf(x *Index, it item.Item) item.Item {
	keys := make(item.Item, 4)
	for _, a := range t.Schema.Attributes() {
		keys[a.Name] = it[a.Name]
	}
	if x != nil {
		for _, a := range x.Schema.Attributes() {
			keys[a.Name] = it[a.Name]
		}
	}
	return keys
}

// HasPosition says whether keys has the attributes of a position, and no other.
func (t *Table) HasPosition(x *Index, keys item.Item) bool {
	n := 0
	for name := range keys {
		if t.Schema.Has(name) || x != nil && x.Schema.Has(name) {
			n++
		}
	}
	return n == len(keys) && n == len(t.PositionOf(x, nil))
}
