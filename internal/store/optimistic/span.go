package optimistic

import "bytes"

// Span is the keys from Start to End, End excluded; nil for no bound.
type Span struct{ Start, End []byte }

// Has says whether a key lies in the span.
func (s Span) Has(key []byte) bool {
	return bytes.Compare(s.Start, key) <= 0 && (s.End == nil || bytes.Compare(key, s.End) < 0)
}

// Overlaps says whether the spans have keys in common.
func (s Span) Overlaps(t Span) bool {
	return (s.End == nil || bytes.Compare(t.Start, s.End) < 0) && (t.End == nil || bytes.Compare(s.Start, t.End) < 0)
}

// Empty says whether the span can hold no key.
func (s Span) Empty() bool { return s.End != nil && bytes.Compare(s.Start, s.End) >= 0 }

// Reads is what a transaction has read, as of a commit.
type Reads struct {
	AsOf  uint64
	Keys  [][]byte
	Spans []Span
}

// None says whether nothing was read.
func (r *Reads) None() bool { return len(r.Keys) == 0 && len(r.Spans) == 0 }
