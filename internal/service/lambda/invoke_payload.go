package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf8"

	api "cirro/internal/awsapi/lambda"
)

// Limits of payloads, in bytes. AWS allows a response 100 bytes more than a request, and raised the
// limit of asynchronous invocations from 256 KB to 1 MB in October 2025.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	maxRequest       = 6 << 20
	maxEvent         = 1 << 20
	maxResponse      = maxRequest + 100
	maxClientContext = 3583 // in base64
)

// maxDepth is how deep a payload may nest, as in the JSON parser that Lambda uses.
const maxDepth = 1000

// checkRequest returns the payload of a synchronous invocation as the function gets it. AWS's name for the
// error is not the model's: https://github.com/awslabs/aws-athena-query-federation/issues/793
func checkRequest(payload []byte) ([]byte, error) {
	if len(payload) > maxRequest {
		return nil, requestEntityTooLarge.New("Request must be smaller than %d bytes for the InvokeFunction operation", maxRequest).
			With("Type", "User")
	}
	return checkJSON(payload)
}

// checkEvent is checkRequest for an asynchronous invocation: https://github.com/ASFHyP3/hyp3/issues/2241
func checkEvent(payload []byte) ([]byte, error) {
	if len(payload) > maxEvent {
		return nil, requestEntityTooLarge.New("%d byte payload is too large for the Event invocation type (limit %d bytes)",
			len(payload), maxEvent).With("Type", "User")
	}
	return checkJSON(payload)
}

// checkJSON refuses what is no JSON. An empty payload stands for an empty object.
func checkJSON(payload []byte) ([]byte, error) {
	if len(payload) == 0 {
		return []byte("{}"), nil
	}
	if err := scanJSON(payload); err != nil {
		return nil, api.InvalidRequestContentException.
			New("Could not parse request body into json: Could not parse payload into json: %s", err).
			With("Type", "User")
	}
	return payload, nil
}

// decodeClientContext returns the JSON of a ClientContext, "" for none.
func decodeClientContext(encoded string) (string, error) {
	if encoded == "" {
		return "", nil
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(encoded) > maxClientContext || !json.Valid(b) || bytes.TrimSpace(b)[0] != '{' {
		return "", api.InvalidRequestContentException.New("Client context must be a valid Base64-encoded JSON object.")
	}
	return string(b), nil
}

// jsonError says what is wrong with a JSON text in the words of the parser that Lambda uses (Jackson),
// because they reach the sender. See the recorded answers of AWS in
// https://github.com/localstack/localstack/blob/main/tests/aws/services/lambda_/test_lambda.snapshot.json
type jsonError struct {
	problem      string
	line, column int
}

const jsonSource = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: %d, column: %d]"

func (e *jsonError) Error() string {
	return e.problem + "\n at " + fmt.Sprintf(jsonSource, e.line, e.column)
}

// jsonValues is what may stand where a value is expected.
const jsonValues = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"

// scanJSON reports the first error in a JSON text of one value, nil for none. Unlike json.Valid it
// insists on UTF-8 and bounds the depth as Lambda does.
func scanJSON(text []byte) error {
	s := jsonScanner{text: text}
	s.space()
	if s.at == len(text) {
		return s.fail(s.at, "No content to map due to end-of-input")
	}
	if err := s.value(); err != nil {
		return err
	}
	s.space()
	if s.at < len(text) {
		return s.unexpected(s.at, "Expected space separating root-level values")
	}
	return nil
}

// jsonScanner walks a JSON text. Its methods begin at the byte at and leave it behind what they read.
type jsonScanner struct {
	text []byte
	at   int
	open []int // where the arrays and objects around the byte begin
}

func (s *jsonScanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// value reads a value with all that it holds.
func (s *jsonScanner) value() error {
	base := len(s.open)
	for {
		opened, err := s.scalarOrOpen()
		if err != nil {
			return err
		}
		if opened {
			continue // at the first value of an array or object that is not empty
		}
		more, err := s.next(base)
		if err != nil || !more {
			return err
		}
	}
}

// scalarOrOpen reads a scalar or an empty array or object, or goes to the first value within one.
func (s *jsonScanner) scalarOrOpen() (opened bool, err error) {
	if s.at == len(s.text) {
		return false, s.end()
	}
	switch c := s.text[s.at]; {
	case c == '"':
		return false, s.str("closing quote for a string value")
	case c == '{' || c == '[':
		return s.begin(c)
	case c == '-' || c >= '0' && c <= '9':
		return false, s.number()
	case c == 't':
		return false, s.token("true")
	case c == 'f':
		return false, s.token("false")
	case c == 'n':
		return false, s.token("null")
	case c == ']' || c == '}':
		return false, s.unexpected(s.at, "expected a value")
	case c == '$' || unicode.IsLetter(rune(c)):
		return false, s.token("")
	default:
		return false, s.unexpected(s.at, "expected a valid value "+jsonValues)
	}
}

// begin reads the start of an array or object, and its end if it is empty.
func (s *jsonScanner) begin(c byte) (opened bool, err error) {
	if len(s.open) == maxDepth {
		return false, s.fail(s.at, fmt.Sprintf("Document nesting depth (%d) exceeds the maximum allowed (%d, "+
			"from `StreamReadConstraints.getMaxNestingDepth()`)", maxDepth+1, maxDepth))
	}
	s.open = append(s.open, s.at)
	s.at++
	s.space()
	if s.at == len(s.text) {
		return false, s.end()
	}
	if s.text[s.at] == c+2 { // '{' and '}', '[' and ']' are two apart
		s.at++
		s.open = s.open[:len(s.open)-1]
		return false, nil
	}
	if c == '{' {
		return true, s.key()
	}
	return true, nil
}

// next goes on after a value: to the next one of what it stands in, closing what ends. It reports
// whether there is one before only base arrays and objects are open.
func (s *jsonScanner) next(base int) (more bool, err error) {
	for len(s.open) > base {
		s.space()
		if s.at == len(s.text) {
			return false, s.end()
		}
		object := s.text[s.open[len(s.open)-1]] == '{'
		c := s.text[s.at]
		switch {
		case c == ',':
			s.at++
			s.space()
			if s.at == len(s.text) {
				return false, s.end()
			}
			if object {
				return true, s.key()
			}
			return true, nil
		case object && c == '}', !object && c == ']':
			s.at++
			s.open = s.open[:len(s.open)-1]
		case object:
			return false, s.unexpected(s.at, "was expecting comma to separate Object entries")
		default:
			return false, s.unexpected(s.at, "was expecting comma to separate Array entries")
		}
	}
	return false, nil
}

// key reads a field's name and the colon after it, up to its value.
func (s *jsonScanner) key() error {
	if s.text[s.at] != '"' {
		return s.unexpected(s.at, "was expecting double-quote to start field name")
	}
	if err := s.str("closing quote for a field name"); err != nil {
		return err
	}
	s.space()
	if s.at == len(s.text) {
		return s.end()
	}
	if s.text[s.at] != ':' {
		return s.unexpected(s.at, "was expecting a colon to separate field name and value")
	}
	s.at++
	s.space()
	return nil
}

// str reads a string; expecting says what is missing where the text ends within it.
func (s *jsonScanner) str(expecting string) error {
	for i := s.at + 1; i < len(s.text); {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			return nil
		case c == '\\':
			n, err := s.escape(i)
			if err != nil {
				return err
			}
			i += n
		case c < ' ':
			return s.fail(i, fmt.Sprintf("Illegal unquoted character (%s): has to be escaped using backslash "+
				"to be included in string value", charName(c)))
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(s.text[i:])
			if r == utf8.RuneError && n == 1 {
				return s.badUTF8(i)
			}
			i += n
		}
	}
	s.at = len(s.text)
	return s.fail(s.at, "Unexpected end-of-input: was expecting "+expecting)
}

// escape reads the escape sequence at i and returns its length.
func (s *jsonScanner) escape(i int) (int, error) {
	if i+1 == len(s.text) {
		return 0, s.fail(i+1, "Unexpected end-of-input in character escape sequence")
	}
	switch c := s.text[i+1]; c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
		for j := i + 2; j < i+6; j++ {
			if j >= len(s.text) {
				return 0, s.fail(len(s.text), "Unexpected end-of-input in character escape sequence")
			}
			if !isHex(s.text[j]) {
				return 0, s.unexpected(j, "expected a hex-digit for character escape sequence")
			}
		}
		return 6, nil
	default:
		return 0, s.fail(i+1, "Unrecognized character escape "+charName(c))
	}
}

// number reads a number.
func (s *jsonScanner) number() error {
	if s.text[s.at] == '-' {
		s.at++
		if c, ok := s.peek(); !ok || !isDigit(c) {
			return s.badDigit("expected digit (0-9) to follow minus sign, for valid numeric value")
		}
	}
	if s.text[s.at] == '0' {
		s.at++
		if c, ok := s.peek(); ok && isDigit(c) {
			return s.fail(s.at, "Invalid numeric value: Leading zeroes not allowed")
		}
	} else {
		s.digits()
	}
	if c, ok := s.peek(); ok && c == '.' {
		s.at++
		if c, ok := s.peek(); !ok || !isDigit(c) {
			return s.badDigit("Decimal point not followed by a digit")
		}
		s.digits()
	}
	if c, ok := s.peek(); ok && (c == 'e' || c == 'E') {
		s.at++
		if c, ok := s.peek(); ok && (c == '+' || c == '-') {
			s.at++
		}
		if c, ok := s.peek(); !ok || !isDigit(c) {
			return s.badDigit("Exponent indicator not followed by a digit")
		}
		s.digits()
	}
	// Jackson wants a separator after a number that is no member of anything.
	if c, ok := s.peek(); ok && len(s.open) == 0 && c > ' ' {
		return s.unexpected(s.at, "Expected space separating root-level values")
	}
	return nil
}

func (s *jsonScanner) digits() {
	for s.at < len(s.text) && isDigit(s.text[s.at]) {
		s.at++
	}
}

func (s *jsonScanner) badDigit(expected string) error {
	if s.at == len(s.text) {
		return s.fail(s.at, "Unexpected end-of-input: "+expected)
	}
	return s.fail(s.at, fmt.Sprintf("Unexpected character (%s) in numeric value: %s", charName(s.text[s.at]), expected))
}

// token reads true, false or null, or complains of the word that stands there instead.
func (s *jsonScanner) token(want string) error {
	end := s.at
	for end < len(s.text) && isWord(s.text[end]) {
		if s.text[end] >= utf8.RuneSelf {
			if r, n := utf8.DecodeRune(s.text[end:]); r == utf8.RuneError && n == 1 && end > s.at {
				return s.badUTF8(end)
			}
		}
		end++
	}
	word := string(s.text[s.at:end])
	if word == want {
		s.at = end
		return nil
	}
	if len(word) > 256 {
		word = word[:256] + "..."
	}
	return s.fail(end, fmt.Sprintf("Unrecognized token '%s': was expecting %s", latin1(word), jsonValues))
}

func (s *jsonScanner) peek() (byte, bool) {
	if s.at < len(s.text) {
		return s.text[s.at], true
	}
	return 0, false
}

// end is the error of a text that ends too early.
func (s *jsonScanner) end() error {
	if len(s.open) == 0 {
		return s.fail(len(s.text), "Unexpected end-of-input")
	}
	start := s.open[len(s.open)-1]
	kind := "Array"
	if s.text[start] == '{' {
		kind = "Object"
	}
	line, column := s.position(start)
	return s.fail(len(s.text), fmt.Sprintf("Unexpected end-of-input: expected close marker for %s (start marker at "+
		jsonSource+")", kind, line, column))
}

func (s *jsonScanner) badUTF8(at int) error {
	c := s.text[at]
	if c >= 0xc0 && c < 0xf8 && at+1 < len(s.text) {
		return s.fail(at+2, fmt.Sprintf("Invalid UTF-8 middle byte 0x%x", s.text[at+1]))
	}
	return s.fail(at+1, fmt.Sprintf("Invalid UTF-8 start byte 0x%x", c))
}

func (s *jsonScanner) unexpected(at int, expected string) error {
	return s.fail(at, fmt.Sprintf("Unexpected character (%s): %s", charName(s.text[at]), expected))
}

func (s *jsonScanner) fail(at int, problem string) error {
	line, column := s.position(at)
	return &jsonError{problem, line, column}
}

// position is the line and column of a byte, both from 1.
func (s *jsonScanner) position(at int) (line, column int) {
	line, start := 1, 0
	for i, c := range s.text[:min(at, len(s.text))] {
		if c == '\n' {
			line, start = line+1, i+1
		}
	}
	return line, at - start + 1
}

// charName names a byte as Jackson does.
func charName(c byte) string {
	if unicode.IsControl(rune(c)) {
		return fmt.Sprintf("(CTRL-CHAR, code %d)", c)
	}
	return fmt.Sprintf("'%c' (code %d)", rune(c), c)
}

// latin1 makes a string of bytes that each stand for one character.
func latin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func isWord(c byte) bool {
	return isDigit(c) || c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}
