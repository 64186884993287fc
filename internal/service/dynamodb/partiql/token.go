package partiql

import (
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEOF tokenKind = iota
	tokenSymbol
	tokenKeyword // a reserved word
	tokenName    // quoted or not
	tokenString
	tokenNumber
)

// token is a piece of a statement, and where it stands: line and column from 1, length in characters.
type token struct {
	kind tokenKind
	// text is a keyword in upper case, a name or a string without quotes, anything else as written.
	text                 string
	quoted               bool // of a name
	written              string
	line, column, length int
}

func (t token) is(text string) bool {
	return (t.kind == tokenSymbol || t.kind == tokenKeyword) && t.text == text
}

// word reports whether the token is the given word, which need not be reserved.
func (t token) word(text string) bool {
	return (t.kind == tokenKeyword || t.kind == tokenName && !t.quoted) && strings.EqualFold(t.text, text)
}

// scanner goes through a statement.
type scanner struct {
	text         string
	at           int
	line, column int
}

// symbols are in the order in which they are tried.
var symbols = []string{"<<", ">>", "<>", "<=", ">=", "!=", "||", "(", ")", "[", "]", "{", "}", ",", ".", ":", ";", "*", "?",
	"=", "<", ">", "+", "-", "/", "%", "@"}

// tokenize splits a statement; the last token is the end.
func tokenize(text string) ([]token, error) {
	s := &scanner{text: text, line: 1, column: 1}
	var tokens []token
	for {
		if err := s.skip(); err != nil {
			return nil, err
		}
		if s.rest() == "" {
			return append(tokens, token{kind: tokenEOF, line: s.line, column: s.column}), nil
		}
		t, size := s.next()
		if size == 0 {
			return nil, malformed("")
		}
		t.written = s.rest()[:size]
		t.line, t.column, t.length = s.line, s.column, utf8.RuneCountInString(t.written)
		s.advance(size)
		tokens = append(tokens, t)
	}
}

func (s *scanner) rest() string { return s.text[s.at:] }

func (s *scanner) advance(size int) {
	for _, r := range s.rest()[:size] {
		s.column++
		if r == '\n' {
			s.line++
			s.column = 1
		}
	}
	s.at += size
}

// skip goes past spaces and comments.
func (s *scanner) skip() error {
	for {
		rest := s.rest()
		switch {
		case rest == "":
			return nil
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			s.advance(1)
		case strings.HasPrefix(rest, "--"):
			line, _, _ := strings.Cut(rest, "\n")
			s.advance(len(line))
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				return malformed("")
			}
			s.advance(end + 4)
		default:
			return nil
		}
	}
}

// next is the token at the beginning of the rest, and its size in bytes; zero where there is none.
func (s *scanner) next() (token, int) {
	rest := s.rest()
	switch c := rest[0]; {
	case c == '\'' || c == '"':
		text, size := quoted(rest, c)
		if c == '"' {
			return token{kind: tokenName, text: text, quoted: true}, size
		}
		return token{kind: tokenString, text: text}, size
	case isWordStart(c):
		return wordToken(rest[:wordSize(rest)])
	case isDigit(c), c == '.' && len(rest) > 1 && isDigit(rest[1]):
		size := numberSize(rest)
		return token{kind: tokenNumber, text: rest[:size]}, size
	}
	for _, symbol := range symbols {
		if strings.HasPrefix(rest, symbol) {
			return token{kind: tokenSymbol, text: symbol}, len(symbol)
		}
	}
	return token{}, 0
}

// quoted is the text in quotes that the rest begins with, where two quotes stand for one, and its size with them.
func quoted(rest string, quote byte) (string, int) {
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		if rest[i] != quote {
			b.WriteByte(rest[i])
			continue
		}
		if i+1 == len(rest) || rest[i+1] != quote {
			return b.String(), i + 1
		}
		b.WriteByte(quote)
		i++
	}
	return "", 0
}

func wordToken(word string) (token, int) {
	if upper := strings.ToUpper(word); reserved[upper] {
		return token{kind: tokenKeyword, text: upper}, len(word)
	}
	return token{kind: tokenName, text: word}, len(word)
}

func isWordStart(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_' || c == '$' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func wordSize(rest string) int {
	n := 0
	for n < len(rest) && (isWordStart(rest[n]) || isDigit(rest[n])) {
		n++
	}
	return n
}

// numberSize is that of digits, with a point among them, and an exponent.
func numberSize(rest string) int {
	n := digits(rest)
	if n < len(rest) && rest[n] == '.' {
		n++
		n += digits(rest[n:])
	}
	if n == len(rest) || rest[n]|0x20 != 'e' {
		return n
	}
	exponent := n + 1
	if exponent < len(rest) && (rest[exponent] == '+' || rest[exponent] == '-') {
		exponent++
	}
	if size := digits(rest[exponent:]); size > 0 {
		return exponent + size
	}
	return n
}

func digits(rest string) int {
	n := 0
	for n < len(rest) && isDigit(rest[n]) {
		n++
	}
	return n
}
