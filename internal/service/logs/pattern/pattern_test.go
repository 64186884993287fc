package pattern

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// TestPatterns runs the cases in testdata. The first line of a case is a pattern, each further line a
// message; what is expected is the messages with + for a match and - for none, or the pattern's
// error. "extract" prints what a match names as well.
func TestPatterns(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.Contains(path, "fuzz") {
			return
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			source, messages, _ := strings.Cut(d.Input, "\n")
			p, err := Compile(source)
			if err != nil {
				if !errors.As(err, new(*SyntaxError)) {
					t.Errorf("%s: %v is no syntax error", d.Pos, err)
				}
				return "error: " + err.Error()
			}
			var out strings.Builder
			for message := range strings.SplitSeq(messages, "\n") {
				values, ok := p.Extract(message)
				if p.Match(message) != ok {
					t.Errorf("%s: Match and Extract disagree on %q", d.Pos, message)
				}
				mark := "-"
				if ok {
					mark = "+"
				}
				fmt.Fprintln(&out, mark, message)
				if d.Cmd == "extract" {
					for _, name := range slices.Sorted(maps.Keys(values)) {
						fmt.Fprintf(&out, "    %s: %s\n", name, values[name])
					}
				}
			}
			return out.String()
		})
	})
}

func TestBlankMatchesEverything(t *testing.T) {
	for _, source := range []string{"", " ", "\t\n"} {
		p, err := Compile(source)
		if err != nil {
			t.Fatal(err)
		}
		if !p.Match("anything") || !p.Match("") {
			t.Errorf("%q does not match everything", source)
		}
	}
}

// TestLinearTime: patterns that make a backtracking matcher run for ages end at once.
func TestLinearTime(t *testing.T) {
	message := strings.Repeat("a", 100_000)
	for _, source := range []string{
		"%a*a*a*a*a*a*a*a*b%",
		`[x = "` + strings.Repeat("*a", 50) + `*b"]`,
		`{ $.x = "` + strings.Repeat("a*", 50) + `b" }`,
	} {
		p, err := Compile(source)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		p.Match(message)
		p.Match(`{"x":"` + message + `"}`)
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%s took %v", source, d)
		}
	}
}

func TestRegexes(t *testing.T) {
	for source, want := range map[string]int{"a": 0, "%a%": 1, `"%a%"`: 0, `{ $.a = %b% || $.c = %d% }`: 2} {
		p, err := Compile(source)
		if err != nil {
			t.Fatal(err)
		}
		if p.Regexes() != want {
			t.Errorf("%s has %d regular expressions, want %d", source, p.Regexes(), want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, source := range []string{
		"", " ", `" "`, "ERROR -ARGUMENTS", "?a ?b", `"a \" b"`, "%[a-z]{,3}%", `{ $.a.b[0] = "x*" && ($.c > 3 || $.d IS NULL) }`,
		`{ $.['a.b'] NOT EXISTS }`, `{ $.*.x != 1e3 }`, "[]", "[ip, user != \"-*\", ..., status = 4* || status = 5*, bytes > 1000]",
		"[w1=%^E%, w2]", "{", "[", "%", `"`, "-", "?", "{ $", "{ $. }", "{ $.a[ }", "[a=", "[a = 1 &&", "{ ((((($.a = 1)))))}",
	} {
		f.Add(source, `127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET / HTTP/1.0" 404 1534`)
		f.Add(source, `{"a":{"b":["xyz"]},"c":4,"d":null}`)
		f.Add(source, `{"a":{"b":["x\u0079z"]},"c":4.0e0,"d":null}`)
	}
	f.Fuzz(func(t *testing.T, source, message string) {
		p, err := Compile(source)
		if err != nil {
			if !errors.As(err, new(*SyntaxError)) {
				t.Fatalf("%v is no syntax error", err)
			}
			return
		}
		_, ok := p.Extract(message)
		if ok != p.Match(message) {
			t.Fatal("Match and Extract disagree")
		}
		// What a JSON pattern needs only saves time.
		if o, isJSON := p.matcher.(object); isJSON && ok != (object{condition: o.condition}).match(message, nil) {
			t.Fatal("what the pattern needs changes what it matches")
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	access := `127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534`
	json := `{"level":"INFO","message":"request handled","requestId":"8a7c1b1e-1f7e-4b44-9d35-2f0f3c8f6a11","latency":12.5,"path":"/orders/17"}`
	for _, c := range []struct{ name, source, message string }{
		{"term", "ERROR", access},
		{"terms", "frank -POST 404", access},
		{"regex", "%GET|POST%", access},
		{"json", `{ $.level = "ERROR" }`, json},
		{"space", "[..., status = 4*, bytes > 1000]", access},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, err := Compile(c.source)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				p.Match(c.message)
			}
		})
	}
}
