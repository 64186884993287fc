package eventpattern

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// token is one token of a pattern. name says that it is the name of a member.
type token struct {
	kind       jsontext.Kind // 0 for an error: the text is AWS's message
	name       bool
	text       string
	start, end int
}

// reader hands out a pattern's tokens, and says where it stands as the parser that AWS uses would: AWS's
// messages end with that.
type reader struct {
	source []byte
	tokens []token
	at     int  // the next token
	taken  bool // the text of the last one was looked at
}

func readTokens(source []byte) reader {
	r := reader{source: source}
	d := jsontext.NewDecoder(bytes.NewReader(source), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		kind := d.PeekKind()
		_, n := d.StackIndex(d.StackDepth())
		inObject := false
		if k, _ := d.StackIndex(d.StackDepth()); k == '{' {
			inObject = true
		}
		t, err := d.ReadToken()
		if err != nil {
			r.tokens = append(r.tokens, r.broken(int(d.InputOffset()), inObject && n%2 == 0))
			return r
		}
		end := int(d.InputOffset())
		next := token{kind: kind, name: inObject && n%2 == 0 && kind == '"', text: t.String(), end: end}
		next.start = end - 1
		switch kind {
		case '"':
			next.start = openingQuote(source, r.lastEnd())
		case '0':
			next.start = end - len(next.text)
		}
		r.tokens = append(r.tokens, next)
		if d.StackDepth() == 0 {
			return r
		}
	}
}

func (r *reader) lastEnd() int {
	if len(r.tokens) == 0 {
		return 0
	}
	return r.tokens[len(r.tokens)-1].end
}

// openingQuote is where the next string starts: only white space, a comma or a colon come before it.
func openingQuote(source []byte, from int) int {
	return from + max(0, bytes.IndexByte(source[from:], '"'))
}

// broken words what is no JSON, at or after an offset.
func (r *reader) broken(at int, wantsName bool) token {
	rest := r.source[at:]
	trimmed := bytes.TrimLeft(rest, " \t\r\n:,")
	at += len(rest) - len(trimmed)
	if len(trimmed) == 0 {
		return token{text: "Unexpected end-of-input" + r.location(len(r.source))}
	}
	c, _ := utf8.DecodeRune(trimmed)
	switch {
	case wantsName && c != '"':
		return token{text: fmt.Sprintf("Unexpected character ('%c' (code %d)): was expecting double-quote to start field name", c, c) + r.location(at)}
	case isWord(c):
		word := trimmed
		if end := bytes.IndexFunc(trimmed, func(c rune) bool { return !isWord(c) }); end > 0 {
			word = trimmed[:end]
		}
		return token{text: fmt.Sprintf("Unrecognized token '%s': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", word) +
			r.location(at+len(word))}
	}
	return token{text: fmt.Sprintf("Unexpected character ('%c' (code %d)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", c, c) + r.location(at)}
}

func isWord(c rune) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// next is the next token; an error where the pattern is no JSON there.
func (r *reader) next() (token, error) {
	t := r.peek()
	if t.kind == 0 {
		return t, &Error{Reason: t.text}
	}
	r.at++
	r.taken = false
	return t, nil
}

func (r *reader) peek() token {
	if r.at == len(r.tokens) {
		return token{text: "Unexpected end-of-input" + r.location(len(r.source))}
	}
	return r.tokens[r.at]
}

// take is the text of a token that next returned.
func (r *reader) take(t token) string {
	r.taken = true
	return t.text
}

// fail words an error at the last token that next returned.
func (r *reader) fail(format string, args ...any) error {
	return &Error{Reason: fmt.Sprintf(format, args...) + r.here()}
}

// here is the place of the last token: behind it, but strings are not read before somebody asks for their
// text, and behind a name the value's first character is read.
func (r *reader) here() string {
	last := r.tokens[r.at-1]
	if last.name {
		last = r.peek()
		if last.kind == 0 {
			return r.location(len(r.source))
		}
		if last.kind == '"' {
			last.end = last.start + 1
		}
	} else if last.kind == '"' && !r.taken {
		last.end = last.start + 1
	}
	return r.location(last.end)
}

// longestSource is how much of a source an error quotes.
const longestSource = 500

func (r *reader) location(at int) string {
	before := string(r.source[:at])
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	source, rest := string(r.source), ""
	if runes := []rune(source); len(runes) > longestSource {
		source, rest = string(runes[:longestSource]), fmt.Sprintf("[truncated %d chars]", len(runes)-longestSource)
	}
	return fmt.Sprintf("\n at [Source: (String)\"%s\"%s; line: %d, column: %d]", source, rest, line, column)
}
