package asl

import (
	"strings"
	"testing"
)

// TestNotJSON says where texts cease to be JSON. The first was recorded of the service.
func TestNotJSON(t *testing.T) {
	for text, want := range map[string]string{
		`not a definition`:     "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: (String)\"not a definition\"; line: 1, column: 4]",
		`{"a": tru }`:          "Unrecognized token 'tru': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: (String)\"{\"a\": tru }\"; line: 1, column: 10]",
		`{`:                    "Unexpected end-of-input: expected close marker for Object (start marker at [Source: (String)\"{\"; line: 1, column: 1])\n at [Source: (String)\"{\"; line: 1, column: 2]",
		`{"a": [1`:             "Unexpected end-of-input: expected close marker for Array (start marker at [Source: (String)\"{\"a\": [1\"; line: 1, column: 7])\n at [Source: (String)\"{\"a\": [1\"; line: 1, column: 9]",
		`{"a`:                  "Unexpected end-of-input in VALUE_STRING\n at [Source: (String)\"{\"a\"; line: 1, column: 4]",
		`{a: 1}`:               "Unexpected character ('a' (code 97)): was expecting double-quote to start field name\n at [Source: (String)\"{a: 1}\"; line: 1, column: 3]",
		`{"a" 1}`:              "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value\n at [Source: (String)\"{\"a\" 1}\"; line: 1, column: 7]",
		"{\"a\": 1\n\"b\": 2}": "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries\n at [Source: (String)\"{\"a\": 1\n\"b\": 2}\"; line: 2, column: 2]",
		`[1 2]`:                "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries\n at [Source: (String)\"[1 2]\"; line: 1, column: 5]",
		`{"a": }`:              "Unexpected character ('}' (code 125)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')\n at [Source: (String)\"{\"a\": }\"; line: 1, column: 8]",
	} {
		m, diagnostics := Parse([]byte(text))
		if m != nil || len(diagnostics) != 1 || diagnostics[0].Code != invalidJSON || diagnostics[0].Message != want ||
			!strings.HasSuffix(want, diagnostics[0].Location) {
			t.Errorf("%s: %+v", text, diagnostics)
		}
	}
}
