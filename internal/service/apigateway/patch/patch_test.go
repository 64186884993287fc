package patch

import (
	"slices"
	"testing"
)

type thing struct {
	name string
	tags map[string]string
}

func table(style Style) *Table[thing] {
	return &Table[thing]{Style: style, Paths: []Path[thing]{
		{"/name", []string{"replace"}, func(t *thing, o Operation, _ []string) error {
			t.name = *o.Value
			return nil
		}},
		{"/tags/{key}", []string{"add", "remove"}, func(t *thing, o Operation, keys []string) error {
			if o.Op == "remove" {
				delete(t.tags, keys[0])
				return nil
			}
			t.tags[keys[0]] = *o.Value
			return nil
		}},
	}}
}

func TestApply(t *testing.T) {
	x := thing{tags: map[string]string{"old": "1"}}
	err := table(Plain).Apply(&x, []Operation{
		{Op: "replace", Path: new("/name"), Value: new("n")},
		{Op: "add", Path: new("/tags/application~1json~0"), Value: new("v")},
		{Op: "remove", Path: new("/tags/old")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if x.name != "n" || len(x.tags) != 1 || x.tags["application/json~"] != "v" {
		t.Errorf("got %+v", x)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		style Style
		op    string
		path  *string
		want  string
	}{
		{Plain, "replace", new("/nope"), "Invalid patch path /nope"},
		{Plain, "replace", new("/name/x"), "Invalid patch path /name/x"},
		{Plain, "replace", new("name"), "Invalid patch path name"},
		{Plain, "replace", nil, "Invalid patch path null"},
		{Plain, "add", new("/name"), "Invalid patch operation specified. Must be one of: [replace]"},
		{Plain, "replace", new("/tags/a"), "Invalid patch operation specified. Must be one of: [add, remove]"},
		{Plain, "add", new("/tags/a~2"), "Invalid patch path /tags/a~2"},
		{PathOnly, "add", new("/name"), "Invalid patch path /name"},
		{Listing, "replace", new("/nope"),
			"Invalid patch path  '/nope' specified for op 'replace'. Must be one of: [/name]"},
		{Listing, "copy", new("/name"),
			"Invalid patch path  '/name' specified for op 'copy'. Please choose supported operations"},
	} {
		err := table(c.style).Apply(&thing{}, []Operation{{Op: c.op, Path: c.path}})
		if err == nil || err.Error() != c.want {
			t.Errorf("%d %s %v: got %v, want %s", c.style, c.op, c.path, err, c.want)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{"", "/", "//", "/a/b", "/a~1b/~0", "/~", "/~2", "a", "/requestTemplates/application~1json"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, pointer string) {
		tokens, err := Split(pointer)
		if err != nil {
			return
		}
		again, err := Split(Join(tokens...))
		if err != nil || !slices.Equal(again, tokens) {
			t.Errorf("%q: %q, then %q, %v", pointer, tokens, again, err)
		}
		for _, style := range []Style{Plain, PathOnly, Listing} {
			_ = table(style).Apply(&thing{tags: map[string]string{}}, []Operation{{Op: "add", Path: &pointer, Value: new("v")}})
		}
	})
}
