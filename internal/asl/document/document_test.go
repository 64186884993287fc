package document

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestNumbersKeepTheirKind(t *testing.T) {
	for text, want := range map[string]string{
		`1`: `1`, `1.0`: `1.0`, `-0.25`: `-0.25`, `1e3`: `1000.0`, `123456789012345678901234567890`: `123456789012345678901234567890`,
		`9007199254740993`: `9007199254740993`, `1e20`: `1.0E20`, `1.5e-7`: `1.5E-7`, `0.0`: `0.0`,
		`{"b":[1,{"a":null}],"a":"<&>\u0000é"}`: `{"b":[1,{"a":null}],"a":"<&>\u0000é"}`,
	} {
		v, err := Decode([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := string(Encode(v)); got != want {
			t.Errorf("%s became %s, not %s", text, got, want)
		}
	}
}

func TestWhatIsNoJSON(t *testing.T) {
	for _, text := range []string{``, `{`, `{"a":1} x`, `'a'`, `01`, `1 2`, strings.Repeat("[", 2000) + strings.Repeat("]", 2000)} {
		if v, err := Decode([]byte(text)); err == nil {
			t.Errorf("%.20s is %v", text, v)
		}
	}
}

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{`1`, `1.0`, true}, {`1`, `"1"`, false}, {`[1,{"a":2}]`, `[1.0,{"a":2}]`, true}, {`{"a":1}`, `{"b":1}`, false},
		{`null`, `false`, false}, {`[]`, `{}`, false}, {`[1]`, `[1,2]`, false},
	} {
		a, _ := Decode([]byte(c.a))
		b, _ := Decode([]byte(c.b))
		if Equal(a, b) != c.want || Equal(b, a) != c.want {
			t.Errorf("%s and %s: not %v", c.a, c.b, c.want)
		}
	}
}

// TestObject sets, finds and removes members, few and many.
func TestObject(t *testing.T) {
	for _, n := range []int{3, 3 * many} {
		o := NewObject("first", int64(0))
		for i := range n {
			o.Set(fmt.Sprint("m", i), int64(i))
		}
		o.Set("m1", "changed")
		same := o.Clone()
		o.RemoveValueForKey("first")
		o.RemoveValueForKey("m0")
		if v, ok := o.Get("m1"); v != "changed" || !ok || o.Keys()[0] != "m1" || o.Len() != n-1 {
			t.Error(n, string(Encode(o)))
		}
		if v, ok := o.Get(fmt.Sprint("m", n-1)); v != int64(n-1) || !ok {
			t.Error(n, string(Encode(o)))
		}
		if _, ok := o.Get("m0"); ok || same.Len() != n+1 || Equal(o, same) {
			t.Error(n, string(Encode(o)), string(Encode(same)))
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"x",null,true]}`, `1e400`, `"\ud800"`, `[[[]]]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Decode([]byte(s))
		if err != nil {
			return
		}
		text := Encode(v)
		if !json.Valid(text) {
			t.Fatalf("%q became %q, which is no JSON", s, text)
		}
		again, err := Decode(text)
		if err != nil || !Equal(v, again) {
			t.Fatalf("%q became %q: %v", s, text, err)
		}
	})
}
