package states

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"cirro/internal/service/states/engine"
)

// TestDelimitedText reads records as AWS's documentation says.
// https://docs.aws.amazon.com/step-functions/latest/dg/example-csv-parse-dist-map.html
func TestDelimitedText(t *testing.T) {
	for _, c := range []struct {
		text, delimiter string
		want            [][]string
	}{
		{"a,b\n1,2", "", [][]string{{"a", "b"}, {"1", "2"}}},
		{"a,b\r\n1,2\r\n", "", [][]string{{"a", "b"}, {"1", "2"}}},
		{"\uFEFFa\n\n\r\n1\n", "", [][]string{{"a"}, {"1"}}},
		{"a|b c\td;e", "PIPE", [][]string{{"a", "b c\td;e"}}},
		{"a b", "SPACE", [][]string{{"a", "b"}}},
		{"a\tb", "TAB", [][]string{{"a", "b"}}},
		{"a;b", "SEMICOLON", [][]string{{"a", "b"}}},
		{"a,b", "COMMA", [][]string{{"a", "b"}}},
		{`"x,y",z`, "", [][]string{{"x,y", "z"}}},
		{"\"two\nlines\",z", "", [][]string{{"two\nlines", "z"}}},
		{`"say ""hi""",z`, "", [][]string{{`say "hi"`, "z"}}},
		{`"say \"hi\"",z`, "", [][]string{{`say "hi"`, "z"}}},
		{`C:\\Program Files\\App.exe,1`, "", [][]string{{`C:\Program Files\App.exe`, "1"}}},
		{`a\,b,c\d`, "", [][]string{{"a,b", "cd"}}},
		{`a\|b|c\,d`, "PIPE", [][]string{{"a|b", "c,d"}}},
		{`a"b,c`, "", [][]string{{`a"b`, "c"}}},
		{`"",""` + "\n" + `""`, "", [][]string{{"", ""}, {""}}},
		{",\n", "", [][]string{{"", ""}}},
		{`"a"b,c`, "", [][]string{{"ab", "c"}}},
		{"", "", nil},
		{`a\`, "", [][]string{{"a"}}},
	} {
		d := newDelimited(strings.NewReader(c.text), c.delimiter)
		var got [][]string
		for {
			record, err := d.record()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%q: %v", c.text, err)
			}
			got = append(got, record)
		}
		if !slices.EqualFunc(got, c.want, slices.Equal) {
			t.Errorf("%q: %q, not %q", c.text, got, c.want)
		}
	}
	for _, text := range []string{`"a`, `x,"` + strings.Repeat("a", maxLine) + `"`} {
		if _, err := newDelimited(strings.NewReader(text), "").record(); !engine.IsReaderFailure(err) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func FuzzDelimitedText(f *testing.F) {
	f.Add("a,b\n\"c\"\"\",\\\"d\r\n", "")
	f.Add("a|\\|", "PIPE")
	f.Fuzz(func(t *testing.T, text, delimiter string) {
		d := newDelimited(strings.NewReader(text), delimiter)
		size := 0
		for {
			record, err := d.record()
			if err != nil {
				if !errors.Is(err, io.EOF) && !engine.IsReaderFailure(err) {
					t.Fatal(err)
				}
				break
			}
			for _, field := range record {
				size += len(field)
			}
		}
		if size > len(text) {
			t.Fatalf("of %d bytes came %d", len(text), size)
		}
	})
}
