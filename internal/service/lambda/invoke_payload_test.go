package lambda

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
)

func TestScanJSON(t *testing.T) {
	const at = "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: "
	for _, c := range []struct{ text, want string }{
		{`{}`, ""},
		{" {\"a\" : [1, -2.5e+3, \"\\u00e9\\n\", true,false ,null, {}, []]}\n", ""},
		{`"ü"`, ""},
		{`0`, ""},
		// The first two as AWS answered them.
		{"n\x87r\x9e\xe9", "Invalid UTF-8 start byte 0x87" + at + "1, column: 3]"},
		{"\x99\xeb,j", "Unexpected character ((CTRL-CHAR, code 153)): expected a valid value " + jsonValues + at + "1, column: 1]"},
		{`D`, "Unrecognized token 'D': was expecting " + jsonValues + at + "1, column: 2]"},
		{`0D`, "Unexpected character ('D' (code 68)): Expected space separating root-level values" + at + "1, column: 2]"},
		{"{\n 'a': 1}", "Unexpected character (''' (code 39)): was expecting double-quote to start field name" + at + "2, column: 2]"},
		{`{"a" 1}`, "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value" + at + "1, column: 6]"},
		{`{"a":1 "b"}`, "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries" + at + "1, column: 8]"},
		{`[1 2]`, "Unexpected character ('2' (code 50)): was expecting comma to separate Array entries" + at + "1, column: 4]"},
		{`[1,]`, "Unexpected character (']' (code 93)): expected a value" + at + "1, column: 4]"},
		{`-`, "Unexpected end-of-input: expected digit (0-9) to follow minus sign, for valid numeric value" + at + "1, column: 2]"},
		{`------`, "Unexpected character ('-' (code 45)) in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value" + at + "1, column: 2]"},
		{`01`, "Invalid numeric value: Leading zeroes not allowed" + at + "1, column: 2]"},
		{`1.`, "Unexpected end-of-input: Decimal point not followed by a digit" + at + "1, column: 3]"},
		{`"a`, "Unexpected end-of-input: was expecting closing quote for a string value" + at + "1, column: 3]"},
		{"\"\x01\"", "Illegal unquoted character ((CTRL-CHAR, code 1)): has to be escaped using backslash to be included in string value" + at + "1, column: 2]"},
		{`"\x"`, "Unrecognized character escape 'x' (code 120)" + at + "1, column: 3]"},
		{"\"\xc3(\"", "Invalid UTF-8 middle byte 0x28" + at + "1, column: 4]"},
		{`{} {}`, "Unexpected character ('{' (code 123)): Expected space separating root-level values" + at + "1, column: 4]"},
		{`  `, "No content to map due to end-of-input" + at + "1, column: 3]"},
		{`[`, "Unexpected end-of-input: expected close marker for Array (start marker at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 1])" + at + "1, column: 2]"},
		{strings.Repeat("[", 1000) + strings.Repeat("]", 1000), ""},
		{strings.Repeat("[", 1001), "Document nesting depth (1001) exceeds the maximum allowed (1000, from `StreamReadConstraints.getMaxNestingDepth()`)" + at + "1, column: 1001]"},
	} {
		got := ""
		if err := scanJSON([]byte(c.text)); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%.40q:\n got %s\nwant %s", c.text, got, c.want)
		}
	}
}

func FuzzScanJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `[1,2]`, `{"a":[null,true,-1.5e9,"\u0000"]}`, `"`, `{"a":`, `[[[[`, "\xff", `1e`, `-0`, `{"":""}`, "\"\xed\xa0\x80\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		err := scanJSON(text)
		if want := json.Valid(text) && utf8.Valid(text); (err == nil) != want {
			if err != nil && strings.HasPrefix(err.Error(), "Document nesting depth") {
				return
			}
			t.Fatalf("%q: %v, but json.Valid says %v", text, err, want)
		}
	})
}

func TestCheckPayload(t *testing.T) {
	big := func(n int) []byte { return []byte(`"` + strings.Repeat("x", n-2) + `"`) }
	for name, c := range map[string]struct {
		check   func([]byte) ([]byte, error)
		payload []byte
		want    string
		kind    *awsapi.ErrorType
		message string
	}{
		"nothing":      {checkRequest, nil, "{}", nil, ""},
		"request":      {checkRequest, []byte(`[1]`), "[1]", nil, ""},
		"largest":      {checkRequest, big(6291456), string(big(6291456)), nil, ""},
		"too large":    {checkRequest, big(6291457), "", requestEntityTooLarge, "Request must be smaller than 6291456 bytes for the InvokeFunction operation"},
		"event":        {checkEvent, big(1048576), string(big(1048576)), nil, ""},
		"event, large": {checkEvent, big(1048577), "", requestEntityTooLarge, "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)"},
		"not JSON":     {checkEvent, []byte("x"), "", api.InvalidRequestContentException, "Could not parse request body into json: Could not parse payload into json: Unrecognized token 'x': was expecting " + jsonValues + "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 2]"},
	} {
		got, err := c.check(c.payload)
		if c.kind == nil {
			if err != nil || string(got) != c.want {
				t.Errorf("%s: %.40q, %v", name, got, err)
			}
			continue
		}
		var e *awsapi.Error
		if !errors.As(err, &e) || !errors.Is(err, c.kind) || e.Message != c.message || e.Fields["Type"] != "User" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeClientContext(t *testing.T) {
	for encoded, want := range map[string]string{
		"":             "",
		"eyJhIjoxfQ==": `{"a":1}`,
	} {
		if got, err := decodeClientContext(encoded); err != nil || got != want {
			t.Errorf("%q: %q, %v", encoded, got, err)
		}
	}
	for _, bad := range []string{"{}", "W10=", "eyJh", strings.Repeat("eyJhIjoxfQ==", 400)} {
		_, err := decodeClientContext(bad)
		if !errors.Is(err, api.InvalidRequestContentException) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}
