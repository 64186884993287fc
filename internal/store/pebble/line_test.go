package pebble

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestLine compares a line with a sorted slice.
func TestLine(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 8))
	var l line
	var want, out []uint64
	next := uint64(1)
	for range 200_000 {
		switch n := random.IntN(10); {
		case n < 4:
			if next += 1 + random.Uint64N(3); random.IntN(5000) == 0 {
				next += 1 << 33
			}
			l.add(next)
			want = append(want, next)
		case n < 5 && len(out) > 0: // joins again
			i := random.IntN(len(out))
			at, _ := slices.BinarySearch(want, out[i])
			l.add(out[i])
			want = slices.Insert(want, at, out[i])
			out = slices.Delete(out, i, i+1)
		case len(want) > 0:
			i := 0
			if n == 9 {
				i = random.IntN(len(want))
			}
			l.remove(want[i])
			if out = append(out, want[i]); len(out) > 20 {
				out = out[1:]
			}
			want = slices.Delete(want, i, i+1)
		}
		if l.len() != len(want) {
			t.Fatalf("%d, want %d", l.len(), len(want))
		}
		if first, ok := l.first(); ok != (len(want) > 0) || ok && first != want[0] {
			t.Fatalf("the first is %d, %t", first, ok)
		}
	}
}

// TestLineLetsGo empties a line: nothing stays of it.
func TestLineLetsGo(t *testing.T) {
	var l line
	for seq := range uint64(10 * stretched) {
		l.add(seq)
	}
	for seq := range uint64(10 * stretched) {
		l.remove(10*stretched - 1 - seq)
	}
	if len(l.stretches) > 0 || len(l.gone) > 0 || l.again.Len() > 0 {
		t.Errorf("%d stretches, %d gone, %d again", len(l.stretches), len(l.gone), l.again.Len())
	}
}
