package optimistic

import (
	"bytes"

	"github.com/tidwall/btree"
)

// Overlay is what a transaction has written and not committed: ranges deleted first, then keys
// written over that.
type Overlay struct {
	deleted []Span
	points  btree.Map[string, Write]
}

// Write is what becomes of one key.
type Write struct {
	Value  []byte
	Delete bool
}

// Point is a written key.
type Point struct {
	Key string
	Write
}

// Clone returns an overlay of the same writes.
func (o *Overlay) Clone() *Overlay {
	return &Overlay{deleted: o.deleted[:len(o.deleted):len(o.deleted)], points: *o.points.Copy()}
}

// Empty says whether nothing is written.
func (o *Overlay) Empty() bool { return len(o.deleted) == 0 && o.points.Len() == 0 }

// Set writes a key. The overlay keeps the value, not the key's slice.
func (o *Overlay) Set(key, value []byte) { o.points.Set(string(key), Write{Value: value}) }

// Delete deletes a key.
func (o *Overlay) Delete(key []byte) { o.points.Set(string(key), Write{Delete: true}) }

// DeleteRange deletes the keys of a span.
func (o *Overlay) DeleteRange(s Span) {
	s = Span{Start: bytes.Clone(s.Start), End: bytes.Clone(s.End)}
	for _, p := range o.Within(s) {
		o.points.Delete(p.Key)
	}
	// Walks under way keep the slice they have.
	o.deleted = append(o.deleted[:len(o.deleted):len(o.deleted)], s)
}

// Add writes what another overlay writes, after what this one does.
func (o *Overlay) Add(later *Overlay) {
	for _, s := range later.deleted {
		o.DeleteRange(s)
	}
	for p := range later.Points {
		o.points.Set(p.Key, p.Write)
	}
}

// Get says whether the overlay decides what the key holds, and what.
func (o *Overlay) Get(key []byte) (w Write, decided bool) {
	if o.Empty() {
		return Write{}, false
	}
	if w, ok := o.points.Get(string(key)); ok {
		return w, true
	}
	return Write{Delete: true}, covered(o.deleted, key)
}

func covered(deleted []Span, key []byte) bool {
	for _, d := range deleted {
		if d.Has(key) {
			return true
		}
	}
	return false
}

// Deleted returns the ranges that are deleted before the points are written.
func (o *Overlay) Deleted() []Span { return o.deleted }

// Points walks the written keys in order.
func (o *Overlay) Points(yield func(Point) bool) {
	o.points.Scan(func(key string, w Write) bool { return yield(Point{key, w}) })
}

// Within returns the written keys of s in order.
func (o *Overlay) Within(s Span) (points []Point) {
	o.points.Ascend(string(s.Start), func(key string, w Write) bool {
		if s.End != nil && key >= string(s.End) {
			return false
		}
		points = append(points, Point{key, w})
		return true
	})
	return points
}
