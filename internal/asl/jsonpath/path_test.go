package jsonpath

import (
	"strings"
	"testing"

	"github.com/ohler55/ojg/jp"

	"cirro/internal/asl/document"
)

const doc = `{"a":{"b-c":[1,2,3],"x y":{"z":null},"it's":7},"items":[{"p":1,"n":"a"},{"p":20,"n":"b","t-u":1},{"n":"c"}],"ü":1,"s":"str","$v":5}`

func TestGet(t *testing.T) {
	root, err := document.Decode([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{"$.a.b-c", "[1,2,3]"}, {"$.a.b-c[1]", "2"}, {"$.a['b-c'][0]", "1"}, {`$["a"]["x y"].z`, "null"}, {"$.a['x y']", `{"z":null}`},
		{`$.a['it\'s']`, "7"}, {"$.items[-1].n", `"c"`}, {"$.items[0]['p']", "1"}, {"$.ü", "1"}, {"$.$v", "5"},
		{"$.items[*].p", "[1,20]"}, {"$..p", "[1,20]"}, {"$.items[?(@.p > 5)].n", `["b"]`}, {"$.items[?(@.n=='b' && @.p>1)].p", "[20]"},
		{"$.items[?(@.t-u == 1)].n", `["b"]`}, {"$.items[?(@.p)].n", `["a","b"]`}, {"$.items[0:2].n", `["a","b"]`}, {"$.items[0,2].n", `["a","c"]`},
		{"$.items[?(@.n == 'x.y')]", "[]"}, {"$.none[*]", "[]"}, {"$.items[?(@.p < 1.5)].n", `["a"]`}, {"$['s','ü']", `["str",1]`},
		{"$.missing", ""}, {"$.s.x", ""}, {"$.items[9]", ""}, {"$.items.n", ""},
	} {
		p, err := Parse(c.path)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		got := ""
		if v, ok := p.Get(root); ok {
			got = string(document.Encode(v))
		}
		if got != c.want {
			t.Errorf("%s finds %s, not %s", c.path, got, c.want)
		}
	}
}

// A path is walked in parts, so that it can end; what it finds is what the library finds at once.
func TestPartsFindWhatTheWholeFinds(t *testing.T) {
	root, err := document.Decode([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"$..p", "$..*", "$.items[*]..n", "$..[0]", "$.items[0,0][*]", "$..[?(@.p)].n", "$.a..[0:2]", "$.items[?(@.p > 1)]..*"} {
		whole, err := jp.ParseString(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := p.Get(root)
		if got, want := string(document.Encode(got)), string(document.Encode(whole.Get(root))); got != want {
			t.Errorf("%s finds %s, not %s", text, got, want)
		}
	}
}

func TestPathsThatFindTooMuchEnd(t *testing.T) {
	deep := any("x")
	for range 500 {
		deep = []any{deep}
	}
	for _, text := range []string{"$..*..*..*", "$" + strings.Repeat("[0,0]", 100)} {
		p, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, found := p.Get(deep); found {
			t.Errorf("%.20s finds all", text)
		}
	}
}

func TestRoots(t *testing.T) {
	for _, c := range []struct {
		path, name string
		root       Root
		steps      int
	}{
		{"$", "", Input, 0}, {"$$", "", Context, 0}, {"$$.Map.Item.Index", "", Context, 3}, {"$order", "order", Variable, 0},
		{"$order.id", "order", Variable, 1}, {"$order[0]", "order", Variable, 1}, {"$.order", "", Input, 1}, {"$['a']", "", Input, 1},
	} {
		p, err := Parse(c.path)
		if err != nil || p.Root != c.root || p.Name != c.name || len(p.Steps()) != c.steps {
			t.Errorf("%s: %+v, %v", c.path, p, err)
		}
	}
}

func TestWhatIsNoPath(t *testing.T) {
	for _, text := range []string{"", "a", ".a", "$.", "$..", "$.a.", "$.a[", "$.a[]", "$.a b", "$.items.length()", "$.items[(@.length-1)]", "$.a['b", "$x y"} {
		if p, err := Parse(text); err == nil {
			t.Errorf("%q is %+v", text, p)
		}
	}
}

func TestReferences(t *testing.T) {
	for _, text := range []string{"$.a[*]", "$..a", "$$.a", "$v.a", "$.a[0:1]", "$.a[?(@.b)]"} {
		if _, err := Reference(text); err == nil {
			t.Errorf("%q is a reference", text)
		}
	}
	for _, c := range []struct{ root, path, want string }{
		{`{"a":1}`, "$.b.c", `{"a":1,"b":{"c":"new"}}`}, {`{"a":1}`, "$", `"new"`}, {`{"a":{"b":1}}`, "$.a.b", `{"a":{"b":"new"}}`},
		{`{"a":[1,2]}`, "$.a[1]", `{"a":[1,"new"]}`}, {`{"a":1}`, "$.a.b", ""}, {`[1]`, "$.a", ""}, {`{"a":[1]}`, "$.a[1]", ""}, {`"s"`, "$.a", ""},
	} {
		root, _ := document.Decode([]byte(c.root))
		p, err := Reference(c.path)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		got := ""
		if v, err := p.Set(root, "new"); err == nil {
			got = string(document.Encode(v))
		}
		if got != c.want {
			t.Errorf("%s at %s: %s, not %s", c.root, c.path, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"$.a.b-c[0]", "$..x[?(@.p>5 && @.q=='a')].n", "$$.Map['x'][1:2]", "$v[*]", "$.a[?(@.b =~ /x/)]"} {
		f.Add(s)
	}
	root, err := document.Decode([]byte(doc))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := Parse(s)
		if err != nil {
			return
		}
		p.Get(root)
		if p.Definite && p.Root == Input {
			if _, err := p.Set(root, int64(1)); err == nil {
				return
			}
		}
	})
}
