package document

import "testing"

func TestFits(t *testing.T) {
	for _, c := range []struct {
		v    any
		size int
	}{
		{nil, 1}, {int64(7), 1}, {"abc", 4}, {[]any{}, 1}, {[]any{"a", "b"}, 5}, {NewObject("ab", "c", "d", nil), 7},
	} {
		for less, want := range []bool{true, false} {
			left := c.size - less
			if Fits(c.v, &left) != want || want && left != 0 {
				t.Errorf("%v in %d: %v, and %d left", c.v, c.size-less, !want, left)
			}
		}
	}
}

// A value that has itself many times over is told without looking at all of it.
func TestFitsEndsEarly(t *testing.T) {
	v := any("x")
	for range 100 {
		v = []any{v, v, v, v}
	}
	if left := 1000; Fits(v, &left) {
		t.Error("4^100 texts fit")
	}
}
