package expression

import (
	"strings"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokenEOF tokenKind = iota
	tokenUnknown
	tokenSymbol // , ( ) . [ ] = <> < <= > >= + -
	tokenKeyword
	tokenIndex // digits
	tokenName
	tokenNamePlaceholder  // #name
	tokenValuePlaceholder // :name
)

// token is a piece of an expression: text[start:end].
type token struct {
	kind       tokenKind
	start, end int
	text       string // of keywords in upper case
}

func (t token) is(text string) bool {
	return (t.kind == tokenSymbol || t.kind == tokenKeyword) && t.text == text
}

var keywords = map[string]string{
	"IN": "IN", "BETWEEN": "BETWEEN", "NOT": "NOT", "AND": "AND", "OR": "OR",
	"SET": "SET", "ADD": "ADD", "DELETE": "DELETE", "REMOVE": "REMOVE",
}

// tokens splits an expression; the last token is the end. What is no token is an unknown one, a character long.
func tokens(text string) []token {
	all := make([]token, 0, 8+len(text)/4)
	for at := 0; ; {
		for at < len(text) && strings.IndexByte(" \t\r\n", text[at]) >= 0 {
			at++
		}
		if at == len(text) {
			return append(all, token{kind: tokenEOF, start: at, end: at})
		}
		t := nextToken(text, at)
		all = append(all, t)
		at = t.end
	}
}

func nextToken(text string, at int) token {
	t := token{kind: tokenUnknown, start: at}
	switch c := text[at]; {
	case isLetter(c):
		t.kind, t.end = tokenName, at+wordLength(text[at:])
	case c == '0':
		t.kind, t.end = tokenIndex, at+1
	case isDigit(c):
		t.kind, t.end = tokenIndex, at+digitsLength(text[at:])
	case (c == '#' || c == ':') && wordLength(text[at+1:]) > 0:
		t.kind, t.end = tokenNamePlaceholder, at+1+wordLength(text[at+1:])
		if c == ':' {
			t.kind = tokenValuePlaceholder
		}
	case symbolLength(text[at:]) > 0:
		t.kind, t.end = tokenSymbol, at+symbolLength(text[at:])
	default:
		_, size := utf8.DecodeRuneInString(text[at:])
		t.end = at + size
	}
	t.text = text[t.start:t.end]
	if t.kind == tokenName {
		var buffer [longestWord]byte
		if keyword, ok := keywords[string(upperOf(t.text, &buffer))]; ok {
			t.kind, t.text = tokenKeyword, keyword
		}
	}
	return t
}

func symbolLength(text string) int {
	switch text[0] {
	case ',', '(', ')', '.', '[', ']', '=', '+', '-':
		return 1
	case '<':
		if strings.HasPrefix(text, "<>") || strings.HasPrefix(text, "<=") {
			return 2
		}
		return 1
	case '>':
		if strings.HasPrefix(text, ">=") {
			return 2
		}
		return 1
	}
	return 0
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func wordLength(text string) int {
	n := 0
	for n < len(text) && (isLetter(text[n]) || isDigit(text[n]) || text[n] == '_') {
		n++
	}
	return n
}

func digitsLength(text string) int {
	n := 0
	for n < len(text) && isDigit(text[n]) {
		n++
	}
	return n
}
