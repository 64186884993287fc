package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// notJSON says where a definition ceases to be JSON, and why, as the service's parser does.
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/test_sfn_api_validation.snapshot.json
func notJSON(definition []byte, err error) Diagnostic {
	text := string(definition)
	at, reason := len(text), err.Error()
	if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(definition, new(any))); ok {
		at, reason = trouble(text, syntax)
	}
	where := position(text, at)
	return Diagnostic{severityError, invalidJSON, fmt.Sprintf("%s\n at %s", reason, where), where}
}

// trouble is where the parser stands when it gives up, and what it says then.
func trouble(text string, syntax *json.SyntaxError) (at int, reason string) {
	if syntax.Error() == "unexpected end of JSON input" {
		return len(text), "Unexpected end-of-input" + unclosed(text)
	}
	offending := min(max(int(syntax.Offset)-1, 0), len(text)-1)
	r, size := utf8.DecodeRuneInString(text[offending:])
	looking := syntax.Error()
	looking = looking[strings.LastIndex(looking, "' ")+len("' "):]
	if looking == "looking for beginning of value" && part(r) || strings.HasPrefix(looking, "in literal") {
		begin := strings.LastIndexFunc(text[:offending], func(r rune) bool { return !part(r) }) + 1
		end := begin
		if i := strings.IndexFunc(text[begin:], func(r rune) bool { return !part(r) }); i >= 0 {
			end += i
		} else {
			end = len(text)
		}
		return end, fmt.Sprintf("Unrecognized token '%s': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", text[begin:end])
	}
	expected := map[string]string{
		"looking for beginning of object key string": "was expecting double-quote to start field name",
		"after object key":                           "was expecting a colon to separate field name and value",
		"after object key:value pair":                "was expecting comma to separate Object entries",
		"after array element":                        "was expecting comma to separate Array entries",
	}[looking]
	if expected == "" {
		expected = "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
	}
	return offending + size, fmt.Sprintf("Unexpected character ('%c' (code %d)): %s", r, r, expected)
}

// part reports whether a character is one of a token.
func part(r rune) bool { return r == '_' || r == '$' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// unclosed says which object or array is not closed, or that a string is not.
func unclosed(text string) string {
	var open []int
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			open = append(open, i)
		case (c == '}' || c == ']') && len(open) > 0:
			open = open[:len(open)-1]
		}
	}
	if quoted {
		return " in VALUE_STRING"
	}
	if len(open) == 0 {
		return ""
	}
	begin := open[len(open)-1]
	kind := "Object"
	if text[begin] == '[' {
		kind = "Array"
	}
	return fmt.Sprintf(": expected close marker for %s (start marker at %s)", kind, position(text, begin))
}

// maxSource is how much of a definition a position quotes.
const maxSource = 500

// position is a place in a text, as the parser writes it: the column is that of the next character.
func position(text string, at int) string {
	before := text[:at]
	quoted, rest := text, ""
	if n := utf8.RuneCountInString(text); n > maxSource {
		quoted, rest = string([]rune(text)[:maxSource]), fmt.Sprintf("[truncated %d chars]", n-maxSource)
	}
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Sprintf("[Source: (String)\"%s\"%s; line: %d, column: %d]", quoted, rest, strings.Count(before, "\n")+1, column)
}
