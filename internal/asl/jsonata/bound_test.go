package jsonata

import (
	"strings"
	"testing"
	"time"
)

// TestBounds evaluates what would take more memory or time than there is.
func TestBounds(t *testing.T) {
	// Where the error is but an e, it depends on the machine which bound is met first.
	for text, want := range map[string]string{
		`$join([1..1000].$pad("", 10000, "x"))`:                                       "too large",
		`$join(["a", "b"], ",")`:                                                      "",
		`$replace($pad("", 10000, "a"), "a", $pad("", 10000, "b"))`:                   "too large",
		`$replace($pad("", 10000, "a"), /a/, $pad("", 10000, "b"))`:                   "too large",
		`$map([$pad("", 10000, "a")], function($s) { $string([1..1000].{"s": $s}) })`: "too large",
		`$string({"a": [1, "b"]})`:                                                    "",
		`$replace("aXa", "a", "b")`:                                                   "",
		`($e := $eval; $e("1"))`:                                                      "not supported",
		`$reduce([1..64], function($a, $i) { {"x": $a, "y": $a} }, 1)`:                "e",
		`$reduce([1..64], function($a, $i) { $a & $a }, "0123456789")`:                "e",
		`$reduce([1..64], function($a, $i) { [$a, $a] }, [1])`:                        "",
		`($f := function($n) { $f($n + 1) }; $f(0))`:                                  "",
	} {
		e, err := Parse(text)
		if err != nil {
			t.Fatal(text, err)
		}
		began := time.Now()
		v, err := e.Eval(func(string) (any, bool) { return nil, false })
		t.Log(text, time.Since(began), err)
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %.100v, %v", text, v, err)
		}
	}
}
