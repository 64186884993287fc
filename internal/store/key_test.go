package store_test

import (
	"bytes"
	"cmp"
	"math"
	"reflect"
	"strings"
	"testing"

	"cirro/internal/store"
)

// TestKeyOrder lists parts in order; their keys must be in order, too.
func TestKeyOrder(t *testing.T) {
	ordered := [][]any{
		{},
		{""},
		{"", ""},
		{"", 1},
		{"\x00"},
		{"\x00", "a"},
		{"\x00\x00"},
		{"\x00\xff"},
		{"\x01"},
		{"a"},
		{"a", ""},
		{"a", "b"},
		{"a", "b", "c"},
		{"a", math.MinInt},
		{"a", -1},
		{"a", 0},
		{"a", 0, "x"},
		{"a", 1},
		{"a", 256},
		{"a", math.MaxInt},
		{"a\x00"},
		{"a\x00b"},
		{"a\x01"},
		{"aa"},
		{"b"},
		{"\xff"},
		{"\xff\xff"},
		{1},
	}
	for i := 1; i < len(ordered); i++ {
		if a, b := store.Key(ordered[i-1]...), store.Key(ordered[i]...); bytes.Compare(a, b) >= 0 {
			t.Errorf("%q is not before %q: %x, %x", ordered[i-1], ordered[i], a, b)
		}
	}
}

func TestKeyTypes(t *testing.T) {
	if !bytes.Equal(store.Key("a", 1), store.Key([]byte("a"), int64(1))) {
		t.Error("a string and bytes, or kinds of integer, make different keys")
	}
	defer func() {
		if recover() == nil {
			t.Error("a key of a float")
		}
	}()
	store.Key(1.5)
}

func TestAppendKey(t *testing.T) {
	if got := store.AppendKey(store.Key("a"), 1, "b"); !bytes.Equal(got, store.Key("a", 1, "b")) {
		t.Errorf("%x", got)
	}
}

func TestAppended(t *testing.T) {
	for _, c := range []struct {
		key  []byte
		want int64
	}{
		{store.Key("a", 7), 7},
		{store.Key(math.MaxInt64), math.MaxInt64},
		{store.AppendKey([]byte("raw"), 1), 1},
		{store.Key("a"), 0},
		{store.Key("a longer string"), 0},
		{nil, 0},
	} {
		if got := store.Appended(c.key); got != c.want {
			t.Errorf("%x: %d, not %d", c.key, got, c.want)
		}
	}
	if got := len(store.Key("a", 1)) - len(store.Key("a")); got != store.AppendSize {
		t.Errorf("a number adds %d bytes", got)
	}
}

func TestPrefix(t *testing.T) {
	r := store.Prefix("a", "b")
	for _, c := range []struct {
		parts []any
		want  bool
	}{
		{[]any{"a", "b"}, true},
		{[]any{"a", "b", ""}, true},
		{[]any{"a", "b", "\xff\xff"}, true},
		{[]any{"a", "b", math.MaxInt}, true},
		{[]any{"a"}, false},
		{[]any{"a", "bb"}, false},
		{[]any{"a", "b\x00"}, false},
		{[]any{"a", "c"}, false},
		{[]any{"a", 1}, false},
	} {
		key := store.Key(c.parts...)
		if got := bytes.Compare(r.Start, key) <= 0 && bytes.Compare(key, r.End) < 0; got != c.want {
			t.Errorf("%q: %t", c.parts, got)
		}
	}
}

func TestSplitRefuses(t *testing.T) {
	for _, bad := range []string{"\x00", "a", "\x02", "\x02a", "\x02a\x00\xff", "\x14", "\x14\x00\x00\x00\x00\x00\x00\x00", "\x02a\x00b"} {
		if parts, err := store.Split([]byte(bad)); err == nil {
			t.Errorf("%q split into %q", bad, parts)
		}
	}
}

// FuzzKey makes keys of two lists of parts: they split into the same parts, and sort as those do.
func FuzzKey(f *testing.F) {
	f.Add("a", int64(1), "b", "a", int64(2), "")
	f.Add("", int64(0), "\x00", "\x00\xff", int64(-1), "\xff")
	f.Add("a\x00", int64(math.MinInt64), "x", "a", int64(math.MaxInt64), "\x00\x00")
	f.Fuzz(func(t *testing.T, a1 string, a2 int64, a3, b1 string, b2 int64, b3 string) {
		a, b := store.Key(a1, a2, a3), store.Key(b1, b2, b3)
		if parts, err := store.Split(a); err != nil || !reflect.DeepEqual(parts, []any{a1, a2, a3}) {
			t.Errorf("%q became %q, %v", []any{a1, a2, a3}, parts, err)
		}
		want := cmp.Or(strings.Compare(a1, b1), cmp.Compare(a2, b2), strings.Compare(a3, b3))
		if got := bytes.Compare(a, b); got != want {
			t.Errorf("%x and %x compare as %d, want %d", a, b, got, want)
		}
		if r := store.Prefix(a1, a2); bytes.Compare(a, r.Start) < 0 || bytes.Compare(a, r.End) >= 0 {
			t.Errorf("%x is not in its prefix %+v", a, r)
		}
	})
}

// FuzzSplit splits any bytes: an error, or parts that make the same key.
func FuzzSplit(f *testing.F) {
	f.Add(store.Key("a", 1, "\x00"))
	f.Add([]byte("\x02a\x00\xff"))
	f.Fuzz(func(t *testing.T, key []byte) {
		parts, err := store.Split(key)
		if err == nil && !bytes.Equal(store.Key(parts...), key) {
			t.Errorf("%x became %q", key, parts)
		}
	})
}
