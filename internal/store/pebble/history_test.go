package pebble

import (
	"fmt"
	"testing"
)

// TestHistoryForgets fills the history until it no longer knows what a transaction asks about.
func TestHistoryForgets(t *testing.T) {
	h := newHistory()
	old := &reads{asOf: 0, keys: [][]byte{[]byte("unwritten")}}
	commit := uint64(0)
	for ; !h.changed(old); commit++ {
		if commit > 3*historySize {
			t.Fatal("the history grows without end")
		}
		var o overlay
		o.set(fmt.Append(nil, "k", commit), nil)
		h.record(commit+1, &o)
	}
	if commit < historySize {
		t.Errorf("forgets after %d writes", commit)
	}
	if late := (&reads{asOf: commit, keys: old.keys}); h.changed(late) {
		t.Error("a transaction that has just begun is too old")
	}
	if last := h.touched(&reads{keys: [][]byte{fmt.Append(nil, "k", commit-1)}}, 0); last != commit {
		t.Errorf("the last write was %d, not %d", commit, last)
	}
	if last := h.touched(old, 0); last == 0 || last == commit {
		t.Errorf("what is forgotten was written by %d", last)
	}
}
