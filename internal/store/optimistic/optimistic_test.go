package optimistic

import "testing"

func writing(keys ...string) *Overlay {
	o := new(Overlay)
	for _, k := range keys {
		o.Set([]byte(k), nil)
	}
	return o
}

func TestHistory(t *testing.T) {
	h := NewHistory(10)
	h.Record(11, writing("a", "m"))
	deleting := new(Overlay)
	deleting.DeleteRange(Span{Start: []byte("x"), End: []byte("z")})
	h.Record(12, deleting)
	for _, c := range []struct {
		name string
		r    Reads
		want bool
	}{
		{"nothing", Reads{AsOf: 10}, false},
		{"a key written since", Reads{AsOf: 10, Keys: [][]byte{[]byte("a")}}, true},
		{"a key written before", Reads{AsOf: 11, Keys: [][]byte{[]byte("a")}}, false},
		{"another key", Reads{AsOf: 10, Keys: [][]byte{[]byte("b")}}, false},
		{"a key deleted with others", Reads{AsOf: 11, Keys: [][]byte{[]byte("y")}}, true},
		{"the end of what was deleted", Reads{AsOf: 11, Keys: [][]byte{[]byte("z")}}, false},
		{"a span with a key", Reads{AsOf: 10, Spans: []Span{{Start: []byte("b"), End: []byte("n")}}}, true},
		{"a span without", Reads{AsOf: 10, Spans: []Span{{Start: []byte("b"), End: []byte("m")}}}, false},
		{"a span that overlaps", Reads{AsOf: 11, Spans: []Span{{Start: []byte("y")}}}, true},
		{"too old to tell", Reads{AsOf: 9, Keys: [][]byte{[]byte("b")}}, true},
	} {
		if got := h.Changed(&c.r); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	h.Forget(12)
	if !h.Changed(&Reads{AsOf: 11, Keys: [][]byte{[]byte("b")}}) {
		t.Error("it tells of what it forgot")
	}
}

func TestOverlay(t *testing.T) {
	first := writing("a", "b", "c")
	copied := first.Clone()
	later := writing("d")
	later.DeleteRange(Span{Start: []byte("b"), End: []byte("z")})
	later.Set([]byte("c"), []byte("new"))
	first.Add(later)
	for key, deleted := range map[string]bool{"a": false, "b": true, "c": false, "d": true, "x": true} {
		if w, decided := first.Get([]byte(key)); !decided || w.Delete != deleted {
			t.Errorf("%s: %+v, %t", key, w, decided)
		}
	}
	if w, decided := copied.Get([]byte("b")); !decided || w.Delete {
		t.Error("the copy has changed")
	}
	if _, decided := first.Get([]byte("zz")); decided {
		t.Error("it decides what nobody wrote")
	}
}
