package optimistic

import (
	"fmt"
	"testing"
)

// TestHistoryForgets fills the history until it no longer knows what a transaction asks about.
func TestHistoryForgets(t *testing.T) {
	h := NewHistory(0)
	old := &Reads{AsOf: 0, Keys: [][]byte{[]byte("unwritten")}}
	commit := uint64(0)
	for ; !h.Changed(old); commit++ {
		if commit > 3*historySize {
			t.Fatal("the history grows without end")
		}
		var o Overlay
		o.Set(fmt.Append(nil, "k", commit), nil)
		h.Record(commit+1, &o)
	}
	if commit < historySize {
		t.Errorf("forgets after %d writes", commit)
	}
	if late := (&Reads{AsOf: commit, Keys: old.Keys}); h.Changed(late) {
		t.Error("a transaction that has just begun is too old")
	}
	if last := h.Touched(&Reads{Keys: [][]byte{fmt.Append(nil, "k", commit-1)}}, 0); last != commit {
		t.Errorf("the last write was %d, not %d", commit, last)
	}
	if last := h.Touched(old, 0); last == 0 || last == commit {
		t.Errorf("what is forgotten was written by %d", last)
	}
}
