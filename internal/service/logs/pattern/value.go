package pattern

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// comparison is an operator with its right side.
type comparison struct {
	operator string // "=", "!=", "<", "<=", ">", ">="
	text     string // with wildcards
	regex    *regexp.Regexp
	number   float64
	numeric  bool // the right side is a number, written without quotation marks
}

// comparison takes an operator and a value.
func (p *parser) comparison() (c comparison, err error) {
	for _, op := range [...]string{"!=", ">=", "<=", "=", ">", "<"} {
		if p.take(op) {
			c.operator = op
			break
		}
	}
	if c.operator == "" {
		return c, p.unexpected()
	}
	p.space()
	switch {
	case p.at(`"`):
		c.text, err = p.quoted('"')
	case p.at("%"):
		c.regex, err = p.regex()
	default:
		if c.text = p.run(isValueRune); c.text == "" {
			return c, p.unexpected()
		}
		c.number, c.numeric = parseNumber(c.text)
	}
	if err == nil && !c.numeric && c.operator != "=" && c.operator != "!=" {
		err = syntaxf("Invalid filter pattern: '%s' compares numbers alone", c.operator)
	}
	return c, err
}

// matchText compares with a text.
func (c *comparison) matchText(s string) bool {
	equal := false
	if c.regex != nil {
		equal = c.regex.MatchString(s)
	} else {
		equal = wildcard(c.text, s)
	}
	switch c.operator {
	case "=":
		return equal
	case "!=":
		return !equal
	}
	return false
}

// needs are texts that whatever equals the right side must hold. A number can be written in more than
// one way.
func (c *comparison) needs() []string {
	if c.regex != nil || c.numeric {
		return nil
	}
	return strings.FieldsFunc(c.text, func(r rune) bool { return r == '*' })
}

// matchNumber compares with a number that is written as s.
func (c *comparison) matchNumber(n float64, s string) bool {
	if !c.numeric {
		return c.matchText(s)
	}
	switch c.operator {
	case "=":
		return n == c.number
	case "!=":
		return n != c.number
	case "<":
		return n < c.number
	case "<=":
		return n <= c.number
	case ">":
		return n > c.number
	}
	return n >= c.number
}

// parseNumber accepts decimal numbers, with sign and exponent, and none of Go's other notations.
func parseNumber(s string) (float64, bool) {
	if strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789+-.eE", r) }) {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

// isValueRune accepts what a value may hold without quotation marks.
func isValueRune(r rune) bool {
	return !unicode.IsSpace(r) && !strings.ContainsRune(`"'%=!<>&|(){}[],$`+"`", r)
}

// wildcard reports whether all of s matches the pattern, in which a star stands for any text. It
// returns to the last star only, so it takes at most len(pattern)*len(s) steps.
func wildcard(pattern, s string) bool {
	star, retry := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, retry = i, j
			i++
		case i < len(pattern) && pattern[i] == s[j]:
			i++
			j++
		case star >= 0:
			retry++
			i, j = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}
