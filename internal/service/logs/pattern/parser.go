package pattern

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// parser walks a pattern. Each form of the language has its own methods, in the form's file.
type parser struct {
	rest      string
	regexes   int
	wildcards int
}

func (p *parser) space() { p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace) }

// at reports whether the pattern goes on with s, without spaces before it.
func (p *parser) at(s string) bool { return strings.HasPrefix(p.rest, s) }

// take skips spaces and then s, and reports whether it was there.
func (p *parser) take(s string) bool {
	p.space()
	if !p.at(s) {
		return false
	}
	p.rest = p.rest[len(s):]
	return true
}

// run takes the longest prefix of characters that ok accepts.
func (p *parser) run(ok func(rune) bool) string {
	n := strings.IndexFunc(p.rest, func(r rune) bool { return !ok(r) })
	if n < 0 {
		n = len(p.rest)
	}
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}

// next is the character the pattern goes on with, as text; "" at its end.
func (p *parser) next() string {
	_, n := utf8.DecodeRuneInString(p.rest)
	return p.rest[:n]
}

// unexpected is the error for whatever comes next.
func (p *parser) unexpected() error {
	p.space()
	if p.rest == "" {
		return syntaxf("Invalid filter pattern: it ends too early")
	}
	return badCharacter(p.next())
}

// quoted takes a string in the given quotes; a backslash takes the next character as it is.
func (p *parser) quoted(quote byte) (string, error) {
	var s strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == quote:
			p.rest = p.rest[i+1:]
			return s.String(), nil
		case c == '\\' && i+1 < len(p.rest):
			i++
			s.WriteByte(p.rest[i])
		default:
			s.WriteByte(c)
		}
	}
	return "", syntaxf("Invalid filter pattern: a quotation mark is not closed")
}

// regex takes a regular expression between percent signs.
func (p *parser) regex() (*regexp.Regexp, error) {
	source, rest, closed := strings.Cut(p.rest[1:], "%")
	if !closed {
		return nil, syntaxf("Invalid filter pattern: a regular expression is not closed with %%")
	}
	p.rest = rest
	if p.regexes++; p.regexes > MaxRegexes {
		return nil, syntaxf("Invalid filter pattern: it has more than %d regular expressions", MaxRegexes)
	}
	return compileRegex(source)
}

// isNameRune accepts the characters of a field's name and of a property's.
func isNameRune(r rune) bool {
	return r == '_' || r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r)
}
