package intrinsic

import (
	"errors"
	"strings"
	"testing"

	"cirro/internal/asl/document"
	"cirro/internal/asl/jsonpath"
)

const doc = `{"name":"Ada","list":[1,2,3,2],"n":7,"f":2.5,"o":{"a":1,"b":{"c":1}},"text":"a,b;c,,d","null":null,"json":"{\"x\":[1,2]}","long":0}`

func lookup(t testing.TB) func(*jsonpath.Path) (any, error) {
	root, err := document.Decode([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return func(p *jsonpath.Path) (any, error) {
		if v, ok := p.Get(root); ok {
			return v, nil
		}
		return nil, errors.New("not found")
	}
}

func TestCalls(t *testing.T) {
	find := lookup(t)
	for _, c := range []struct{ call, want string }{
		{`States.Format('Hello, {}!', $.name)`, `"Hello, Ada!"`},
		{`States.Format('{} and {}', $.n, 'it\'s')`, `"7 and it's"`},
		{`States.Format('\{\} {} \\', 1.5)`, `"{} 1.5 \\"`},
		{`States.Format('{} {} {}', true, null, $.null)`, `"true null null"`},
		{`States.Format($.name)`, `"Ada"`},
		{`States.Format('{}')`, `Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.`}, {`States.Format('{} {}', $.list, $.o)`, `"[1, 2, 3, 2] {a=1, b={c=1}}"`}, {`States.Format('}')`, `Invalid template in States.Format: matching '{' not found for '}'.`}, {`States.Format($.n, 1)`, `Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.`}, {`States.Format('', 1)`, `Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.`}, {`States.Format('{', 1)`, `Invalid template in States.Format: matching '}' not found for '{'.`},
		{`States.StringToJson($.json)`, `{"x":[1,2]}`}, {`States.StringToJson('x')`, `Invalid arguments in States.StringToJson`}, {`States.StringToJson($.n)`, `Invalid arguments in States.StringToJson`},
		{`States.JsonToString($.o)`, `"{\"a\":1,\"b\":{\"c\":1}}"`},
		{`States.Array()`, `[]`}, {`States.Array(1, 'a', $.o, States.Array(2))`, `[1,"a",{"a":1,"b":{"c":1}},[2]]`},
		{`States.ArrayPartition($.list, 3)`, `[[1,2,3],[2]]`}, {`States.ArrayPartition($.list, 0)`, `Invalid arguments in States.ArrayPartition`}, {`States.ArrayPartition($.n, 1)`, `Invalid arguments in States.ArrayPartition`},
		{`States.ArrayContains($.list, 2)`, `true`}, {`States.ArrayContains($.list, '2')`, `true`}, {`States.ArrayContains($.list, 5)`, `false`}, {`States.ArrayContains(States.Array($.o), $.o)`, `true`},
		{`States.ArrayRange(1, 9, 2)`, `[1,3,5,7,9]`}, {`States.ArrayRange(3, 1, -1)`, `[3,2,1]`}, {`States.ArrayRange(5.4, -0.6, -2.4)`, `[5,3,1]`}, {`States.ArrayRange(1.6, 1.4, 1)`, `[1]`}, {`States.ArrayRange(0, 1000, 1)`, `Invalid arguments in States.ArrayRange`}, {`States.ArrayRange(1, 2, 0)`, `Invalid arguments in States.ArrayRange`},
		{`States.ArrayGetItem($.list, 1.9)`, `2`}, {`States.ArrayGetItem(States.Array(), 7)`, `null`}, {`States.ArrayGetItem($.list, -1)`, `Invalid arguments in States.ArrayGetItem`}, {`States.ArrayGetItem($.list, 4)`, `Invalid arguments in States.ArrayGetItem`},
		{`States.ArrayLength($.list)`, `4`}, {`States.ArrayUnique($.list)`, `[1,2,3]`},
		{`States.Base64Encode('Data to encode')`, `"RGF0YSB0byBlbmNvZGU="`}, {`States.Base64Decode('RGF0YSB0byBlbmNvZGU=')`, `"Data to encode"`}, {`States.Base64Decode('%')`, `""`}, {`States.Base64Decode(' YW Jj-w')`, `"abc�"`}, {`States.Base64Decode('YWJj=ZGVm')`, `"abc"`}, {`States.Base64Decode(1)`, `Invalid arguments in States.Base64Decode`},
		{`States.Hash('input data', 'SHA-1')`, `"aaff4a450a104cd177d28d18d74485e8cae074b7"`}, {`States.Hash('x', 'SHA-3')`, `Invalid arguments in States.Hash`},
		{`States.JsonMerge($.o, States.StringToJson('{"b":2}'), false)`, `{"a":1,"b":2}`}, {`States.JsonMerge($.o, $.o, true)`, `Invalid arguments in States.JsonMerge`},
		{`States.MathAdd($.n, -1)`, `6`}, {`States.MathAdd(2147483647, 1)`, `Invalid arguments in States.MathAdd`}, {`States.MathAdd(-1.5, 2.5)`, `2`}, {`States.MathAdd('1', 1)`, `Invalid arguments in States.MathAdd`},
		{`States.MathRandom(5, 6)`, `5`}, {`States.MathRandom(5, 5)`, `Invalid arguments in States.MathRandom`},
		{`States.StringSplit($.text, ',;')`, `["a","b","c","d"]`}, {`States.StringSplit('a.b', '.')`, `["a","b"]`},
		{`States.ArrayGetItem(States.StringSplit($.text, ','), States.MathAdd(0, 1))`, `"b;c"`},
		{`States.ArrayLength($.o['b'])`, `Invalid arguments in States.ArrayLength`}, {`States.Array($.list[0,1])`, `[[1,2]]`}, {`States.Array($.list[?(@ > 2)])`, `[[3]]`},
	} {
		call, err := Parse(c.call)
		if err != nil {
			t.Errorf("%s: %v", c.call, err)
			continue
		}
		v, err := call.Eval(find)
		got := ""
		if err == nil {
			got = string(document.Encode(v))
		} else {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s is %s, not %s (%v)", c.call, got, c.want, err)
		}
	}
}

func TestWhatIsNoCall(t *testing.T) {
	for _, s := range []string{"", "States.Format", "States.Format(", "States.None()", "States.Array(1 2)", "States.Array(,)", "States.Array('a)", "States.Array([1])",
		"States.UUID() x", `States.Array("a")`, "States.Array($.)", "Array(1)", `States.Array('\`} {
		if c, err := Parse(s); err == nil {
			t.Errorf("%q is %+v", s, c)
		}
	}
}

// TestRandom has the same seed give the same number.
func TestRandom(t *testing.T) {
	call, err := Parse("States.MathRandom(1, 1000000, 42)")
	if err != nil {
		t.Fatal(err)
	}
	a, err := call.Eval(nil)
	b, again := call.Eval(nil)
	if a != b || err != nil || again != nil {
		t.Error(a, b, err, again)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`States.Format('a {} \' \{', $.name)`, `States.Array($.list[?(@.a)], States.UUID(), 1.5, true)`, `States.JsonMerge($.o, $.o, false)`} {
		f.Add(s)
	}
	find := lookup(f)
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := Parse(s); err == nil {
			if v, err := c.Eval(find); err == nil {
				document.Encode(v)
			}
		}
	})
}

// Values that are named many times take no more than they may before they are made into text.
func TestCallsThatMakeTooMuchEnd(t *testing.T) {
	big := strings.Repeat("x", document.MaxSize)
	for _, text := range []string{
		"States.JsonToString(States.Array(" + strings.Repeat("$, ", 1000) + "$))",
		"States.ArrayUnique(States.Array(" + strings.Repeat("States.Array($, $), ", 100) + "$))",
		"States.Array(" + strings.Repeat("States.ArrayRange(1, 1000, 1), ", 10_000) + "1)",
	} {
		call, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		v, err := call.Eval(func(*jsonpath.Path) (any, error) { return big, nil })
		if err == nil || !strings.HasPrefix(err.Error(), "Invalid arguments in States.Array") {
			t.Errorf("%.40s makes a %T, %v", text, v, err)
		}
	}
}
