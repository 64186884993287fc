package sandbox

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func split(chunks ...string) []string {
	var got []string
	s := splitter{emit: func(record string) { got = append(got, record) }}
	for _, c := range chunks {
		s.Write([]byte(c))
	}
	s.flush(false)
	return got
}

func TestSplitter(t *testing.T) {
	for _, c := range []struct {
		name   string
		chunks []string
		want   []string
	}{
		{"lines", []string{"a\nb\n"}, []string{"a", "b"}},
		{"pieces", []string{"a", "b\nc", "\n"}, []string{"ab", "c"}},
		{"an end that is missing", []string{"a"}, []string{"a"}},
		{"empty lines", []string{"\n\n"}, []string{"", ""}},
		{"a record of lines", []string{"\xffa\x00b\nc\n"}, []string{"a\nb", "c"}},
		{"a record after half a line", []string{"half\xffrecord\n"}, []string{"half", "record"}},
		{"a record in pieces", []string{"\xff", "a\x00", "b", "\n"}, []string{"a\nb"}},
		{"NUL in a line stays", []string{"a\x00b\n"}, []string{"a\x00b"}},
		{"what is no UTF-8", []string{"a\xfeb\n"}, []string{"a\uFFFDb"}},
		{"an empty record", []string{"\xff\n"}, []string{""}},
		{"too long a line", []string{strings.Repeat("x", maxRecord+5) + "\n"}, []string{strings.Repeat("x", maxRecord), "xxxxx"}},
	} {
		if got := split(c.chunks...); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %.100q, want %.100q", c.name, got, c.want)
		}
	}
}

// FuzzSplitter checks that records do not depend on how the bytes arrive.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\nb\xffc\x00d\n\n"), 3)
	f.Add([]byte("\xff\xff\n\x00"), 1)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		whole := split(string(b))
		if at > 0 && at < len(b) {
			if got := split(string(b[:at]), string(b[at:])); !slices.Equal(got, whole) {
				t.Errorf("got %q, at once %q", got, whole)
			}
		}
		for _, r := range whole {
			if len(r) > 3*maxRecord || !utf8.ValidString(r) {
				t.Errorf("record %.100q", r)
			}
		}
	})
}
