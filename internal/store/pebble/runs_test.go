package pebble

import (
	"math/rand/v2"
	"testing"
)

// TestRuns compares runs with a map.
func TestRuns(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 6))
	var r runs
	want := map[uint64]bool{}
	for range 20_000 {
		seq := random.Uint64N(60)
		if r.has(seq) != want[seq] {
			t.Fatalf("has %d: %t", seq, !want[seq])
		}
		switch {
		case random.IntN(2) == 0:
			if r.remove(seq) != want[seq] {
				t.Fatalf("removed %d: %t", seq, !want[seq])
			}
			delete(want, seq)
		case !want[seq]:
			r.add(seq)
			want[seq] = true
		}
		if r.len() != len(want) {
			t.Fatalf("%d, want %d", r.len(), len(want))
		}
		if first, ok := r.first(); ok != (len(want) > 0) || (ok && !isFirst(first, want)) {
			t.Fatalf("the first of %v is %d, %t", want, first, ok)
		}
	}
}

func isFirst(first uint64, of map[uint64]bool) bool {
	for seq := range of {
		if seq < first {
			return false
		}
	}
	return of[first]
}

// TestRunsAreSmall adds many numbers without gaps.
func TestRunsAreSmall(t *testing.T) {
	var r runs
	for seq := range uint64(100_000) {
		r.add(seq)
	}
	if n := r.ends.Len(); n != 1 {
		t.Errorf("%d runs", n)
	}
}
