package filter

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"

	"github.com/go-json-experiment/json/jsontext"
)

// token is a token of a policy's text, with the places where it begins and ends.
type token struct {
	kind       jsontext.Kind
	name       bool // a key of an object
	text       string
	start, end int
}

func (t *token) string() bool { return t.kind == '"' && !t.name }

// source is a policy's text, token by token, as the JSON parser of AWS's reads it: errors tell how far that
// had read. It looks at a string only when someone wants to know it, and with a key reads on to the value.
type source struct {
	text   string
	tokens []token
	at     int
}

// shown is a string as the parser shows it.
func shown(raw []byte) string {
	s, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return string(raw)
	}
	return string(s)
}

// scan splits a text into its tokens.
func scan(text string) (*source, error) {
	s := &source{text: text}
	d := jsontext.NewDecoder(strings.NewReader(text), jsontext.AllowDuplicateNames(true))
	for {
		kind := d.PeekKind()
		switch kind {
		case '{', '}', '[', ']':
			if _, err := d.ReadToken(); err != nil {
				return nil, s.syntax(err)
			}
			end := int(d.InputOffset())
			s.tokens = append(s.tokens, token{kind: kind, text: string(kind), start: end - 1, end: end})
		default:
			holder, n := d.StackIndex(d.StackDepth())
			raw, err := d.ReadValue()
			if errors.Is(err, io.EOF) && len(s.tokens) > 0 {
				return s, nil
			}
			if err != nil {
				return nil, s.syntax(err)
			}
			end := int(d.InputOffset())
			t := token{kind: kind, text: string(raw), start: end - len(raw), end: end}
			if kind == '"' {
				t.text, t.name = shown(raw), holder == '{' && n%2 == 0
			}
			s.tokens = append(s.tokens, t)
		}
	}
}

// CheckJSON says what is wrong with a text that is to be JSON, in the words of AWS's parser.
func CheckJSON(text string) error {
	_, err := scan(text)
	return err
}

// next reads on and returns the token there. After the last comes one of no kind.
func (s *source) next() *token {
	s.at++
	return s.now()
}

func (s *source) now() *token {
	if s.at < len(s.tokens) {
		return &s.tokens[s.at]
	}
	return &token{start: len(s.text), end: len(s.text)}
}

// offset is how far the parser has read; known says that it has looked at the string that it is at.
func (s *source) offset(known bool) int {
	t := s.now()
	if t.name && s.at+1 < len(s.tokens) {
		t, known = &s.tokens[s.at+1], false
	}
	if t.kind == '"' && !known {
		return t.start + 1
	}
	return t.end
}

// refuse is an error at the token that is to be read, known one whose text is in the error.
func (s *source) refuse(format string, args ...any) error {
	return s.errorAt(s.offset(false), fmt.Sprintf(format, args...))
}

func (s *source) refuseKnown(format string, args ...any) error {
	return s.errorAt(s.offset(true), fmt.Sprintf(format, args...))
}

func (s *source) errorAt(offset int, message string) error {
	return refusal(message + "\n at " + place(s.text, offset))
}

// place is how AWS's parser tells a place in a text.
func place(text string, offset int) string {
	before := text[:min(offset, len(text))]
	line := strings.Count(before, "\n") + 1
	before = before[strings.LastIndexByte(before, '\n')+1:]
	column := len(utf16.Encode([]rune(before))) + 1
	return fmt.Sprintf("[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: %d, column: %d]", line, column)
}

// syntax says in the parser's words what is wrong with a text that is no JSON.
func (s *source) syntax(err error) error {
	var e *jsontext.SyntacticError
	if !errors.As(err, &e) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	at := len(s.text)
	if e != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		at = int(e.ByteOffset)
	}
	if at >= len(s.text) {
		return s.errorAt(len(s.text), "Unexpected end-of-input")
	}
	word := strings.IndexFunc(s.text[at:], func(r rune) bool { return !wordCharacter(r) })
	if word < 0 {
		word = len(s.text) - at
	}
	c := []rune(s.text[at:])[0]
	wantsName := strings.HasSuffix(strings.TrimRight(s.text[:at], " \t\r\n"), "{")
	switch {
	case wantsName:
		return s.errorAt(at, fmt.Sprintf("Unexpected character ('%c' (code %d)): was expecting double-quote to start field name", c, c))
	case word > 0 && !('0' <= c && c <= '9'):
		return s.errorAt(at+word, fmt.Sprintf("Unrecognized token '%s': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", s.text[at:at+word]))
	}
	return s.errorAt(at, fmt.Sprintf("Unexpected character ('%c' (code %d)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", c, c))
}

func wordCharacter(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_' || r == '$'
}
