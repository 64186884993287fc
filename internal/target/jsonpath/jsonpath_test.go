package jsonpath

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestFind(t *testing.T) {
	const document = `{"detail-type": "T", "detail": {"b": 1.50, "a": [ {"x": 1}, {"x": "two"}, {"y": 3} ], "a.b": true, "none": null, "big": 12345678901234567890}, "twice": 1, "twice": 2}`
	for _, c := range []struct {
		path, want string
		found      bool
	}{
		{"$.detail-type", `"T"`, true},
		{"$.detail.b", `1.50`, true},
		{"$.detail.big", `12345678901234567890`, true},
		{"$.detail.a[1].x", `"two"`, true},
		{"$.detail.a[1]", `{"x": "two"}`, true},
		{"$.detail.a[*].x", `[1,"two"]`, true},
		{"$.detail.a[*].z", `[]`, true},
		{"$['detail']['a.b']", `true`, true},
		{`$["detail"].none`, `null`, true},
		{"$.twice", `2`, true},
		{"$.detail.a[7]", ``, false},
		{"$.detail.a.x", ``, false},
		{"$.detail[0]", ``, false},
		{"$.missing.path", ``, false},
		{"$.detail.b.c", ``, false},
		{"$", document, true},
	} {
		p, err := Parse(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if got, found := p.Find([]byte(document)); string(got) != c.want || found != c.found {
			t.Errorf("%s: %s %v", c.path, got, found)
		}
	}
	for _, broken := range []string{"", "detail", "$detail", "$.", "$..a", "$.a[", "$.a[x]", "$.a[-1]", "$['a", "$[?(@.x)]", "$.a b"} {
		if p, err := Parse(broken); err == nil {
			t.Errorf("%s is taken: %v", broken, p)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("$.a[*].b", `{"a": [{"b": 1}, {"b": [2]}]}`)
	f.Add("$['x'].*", `{"x": {"y": 1}}`)
	f.Fuzz(func(t *testing.T, path, document string) {
		p, err := Parse(path)
		if err != nil || !jsontext.Value(document).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
			return
		}
		if v, ok := p.Find([]byte(document)); ok && !v.IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
			t.Fatalf("%s in %s finds %s", path, document, v)
		}
	})
}
