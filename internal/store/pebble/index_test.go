package pebble

import "testing"

// TestLeftAfterPurge lets a message of a group leave after a purge began the index anew: the group of
// that name is another now.
func TestLeftAfterPurge(t *testing.T) {
	x := newIndex()
	x.add(1, entry{group: "g"}, 0)
	h, _ := x.take(10)
	x.settled([]*held{h})
	h = x.remove(1)
	x = newIndex()
	x.add(2, entry{group: "g"}, 0)
	x.add(3, entry{group: "g"}, 0)
	x.left(h)
	if x.groups["g"] == nil || x.turns.Len() != 1 {
		t.Fatal("the new group is gone")
	}
	for _, want := range []uint64{2, 3} {
		if h, ok := x.take(10); !ok || h.seq != want {
			t.Errorf("took %+v, %t, want %d", h, ok, want)
		}
	}
}

// TestGroupStaysClosedUntilLeft removes a message: the next of its group must wait until that is durable.
func TestGroupStaysClosedUntilLeft(t *testing.T) {
	x := newIndex()
	x.add(1, entry{group: "g"}, 0)
	x.add(2, entry{group: "g"}, 0)
	h, _ := x.take(10)
	x.settled([]*held{h})
	h = x.remove(1)
	if x.available() {
		t.Error("the group is open before")
	}
	x.left(h)
	if !x.available() {
		t.Error("the group is closed after")
	}
}
