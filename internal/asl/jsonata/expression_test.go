package jsonata

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"cirro/internal/asl/document"
)

func bindings(t testing.TB) func(string) (any, bool) {
	v, err := document.Decode([]byte(`{"states":{"input":{"n":7,"f":2.5,"null":null,"list":[1,2,3],"json":"{\"a\":[1]}","big":9007199254740993}},"order":{"id":"x","lines":[{"p":2},{"p":3}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) (any, bool) { return v.(*document.Object).Get(name) }
}

func TestEval(t *testing.T) {
	lookup := bindings(t)
	for _, c := range []struct{ text, want string }{
		{`$states.input.n + 1`, `8`}, {`$states.input.f * 2`, `5`}, {`$states.input.f`, `2.5`}, {`$states.input.null`, `null`}, {`$states.input.big`, `9007199254740993`},
		{`{"sum": $sum($order.lines.p), "id": $order.id}`, `{"sum":5,"id":"x"}`}, {`[$states.input.list[$ > 1]]`, `[2,3]`}, {`$states.input.list[0]`, `1`},
		{`$partition($states.input.list, 2)`, `[[1,2],[3]]`}, {`$range(1, 9, 4)`, `[1,5,9]`}, {`$range(-1.7, 1.9, 1)`, `[-1,0,1]`}, {`$range(1, 9, 9)`, `1`}, {`$range(3, 1, -1)`, `[3,2,1]`}, {`$count($range(1, 360145, 1))`, `360145`}, {`$partition([1,2,3,4,5], 2.9)`, `[[1,2],[3,4],[5]]`},
		{`$hash("input data", "SHA-1")`, `"aaff4a450a104cd177d28d18d74485e8cae074b7"`}, {`$parse($states.input.json).a`, `[1]`},
		{`$random(4) = $random(4)`, `true`}, {`$length($uuid())`, `36`}, {`"a" & 1`, `"a1"`}, {`$map([1,2], function($v) { $v * 2 })`, `[2,4]`},
		{`{"k": $states.input.none}`, `{}`}, {`$exists($states.input.none)`, `false`}, {`$string($order)`, `"{\"id\":\"x\",\"lines\":[{\"p\":2},{\"p\":3}]}"`},
	} {
		e, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		v, err := e.Eval(lookup)
		if err != nil || string(document.Encode(v)) != c.want {
			t.Errorf("%s is %s, not %s (%v)", c.text, document.Encode(v), c.want, err)
		}
	}
}

func TestErrors(t *testing.T) {
	lookup := bindings(t)
	for _, c := range []struct{ text, want string }{
		{`$states.input.none`, ErrUndefined.Error()}, {`$other`, ErrUndefined.Error()}, {`1 + "a"`, "threw an error during evaluation. T2001"},
		{`function($x) { $x }`, "returned an unsupported result type"}, {`$error("no")`, "no"}, {`$hash("x", "SHA-3")`, "not supported"},
		{`$parse("{")`, "not valid JSON"}, {`$range(1, 360146, 1)`, "Expression evaluation memory limit exceeded"},
		{`$range(1, 9)`, ErrUndefined.Error()}, {`$range(1, 9, -1)`, ErrUndefined.Error()}, {`$range(1, 9, 0)`, ErrUndefined.Error()}, {`$partition([], 2)`, ErrUndefined.Error()},
		{`$partition([1], 0)`, ErrUndefined.Error()}, {`$hash("x")`, ErrUndefined.Error()},
	} {
		e, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if v, err := e.Eval(lookup); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s is %v, %v; not %q", c.text, v, err, c.want)
		}
	}
	for _, text := range []string{``, `$states.`, `{`, `$eval("1")`, `1 +`} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q is an expression", text)
		}
	}
}

// TestNothingIsLeftOfAnEvaluation has a variable of one evaluation be unknown to the next.
func TestNothingIsLeftOfAnEvaluation(t *testing.T) {
	e, err := Parse(`$order.id`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Eval(bindings(t)); err != nil {
		t.Fatal(err)
	}
	if v, err := e.Eval(func(string) (any, bool) { return nil, false }); !errors.Is(err, ErrUndefined) {
		t.Error(v, err)
	}
}

func TestVariables(t *testing.T) {
	for text, want := range map[string][]string{
		`$states.input.a + $x * $sum($y_1)`: {"states", "x", "y_1"}, `"$no" & '$neither' & $yes`: {"yes"}, `$ + $$`: nil,
	} {
		e, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !slices.Equal(e.Variables, want) {
			t.Errorf("%s: %v", text, e.Variables)
		}
	}
}

func FuzzEval(f *testing.F) {
	for _, s := range []string{`$states.input.list[$>1]`, `$map($order.lines, function($v,$i){$v.p*$i})`, `$partition([1..5],2)`, `{"a":$uuid()}`} {
		f.Add(s)
	}
	lookup := bindings(f)
	f.Fuzz(func(t *testing.T, s string) {
		if e, err := Parse(s); err == nil {
			if v, err := e.Eval(lookup); err == nil {
				document.Encode(v)
			}
		}
	})
}

// TestNoExpressionHangs has one run into a place where the library does not look at the time.
func TestNoExpressionHangs(t *testing.T) {
	e, err := Parse("($f := function($o, $n) { $n = 0 ? $o : $f({'a': $o, 'b': $o}, $n - 1) }; $count($f({}, 22).**))")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := e.Eval(bindings(t)); err == nil || !strings.Contains(err.Error(), "took longer") {
		t.Error(v, err)
	}
}
