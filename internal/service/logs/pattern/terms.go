package pattern

import (
	"regexp"
	"strings"
	"unicode"
)

// terms is the form for unstructured messages: each term must be in the message, or, behind "-", must
// not; or all of them stand behind "?", and one is enough.
type terms struct {
	required []term
	optional []term
}

// term is text, wherever in the message it stands, or a regular expression.
type term struct {
	text    string
	regex   *regexp.Regexp
	exclude bool
}

func (t term) in(message string) bool {
	if t.regex != nil {
		return t.regex.MatchString(message)
	}
	return strings.Contains(message, t.text)
}

func (t terms) match(message string, _ map[string]string) bool {
	for _, r := range t.required {
		if r.in(message) == r.exclude {
			return false
		}
	}
	// Optional terms count only where there are no others.
	if len(t.required) > 0 || len(t.optional) == 0 {
		return true
	}
	for _, o := range t.optional {
		if o.in(message) {
			return true
		}
	}
	return false
}

func (p *parser) terms() (matcher, error) {
	var all terms
	for p.space(); p.rest != ""; p.space() {
		sign := byte(0)
		if p.rest[0] == '-' || p.rest[0] == '?' {
			sign = p.rest[0]
			p.rest = p.rest[1:]
		}
		t, err := p.term()
		if err != nil {
			return nil, err
		}
		t.exclude = sign == '-'
		switch {
		case sign == '?':
			all.optional = append(all.optional, t)
		case t.regex == nil && !t.exclude && strings.TrimSpace(t.text) == "":
			// `" "` is the documented way to match everything.
			all.required = append(all.required, term{})
		default:
			all.required = append(all.required, t)
		}
	}
	return all, nil
}

func (p *parser) term() (t term, err error) {
	switch {
	case p.at(`"`):
		t.text, err = p.quoted('"')
	case p.at("%"):
		t.regex, err = p.regex()
	default:
		if t.text = p.run(isTermRune); t.text == "" {
			return t, p.unexpected()
		}
	}
	if err != nil {
		return t, err
	}
	if p.rest != "" && !strings.ContainsFunc(p.next(), unicode.IsSpace) {
		return t, p.unexpected()
	}
	return t, nil
}

// isTermRune accepts what a term may hold without quotation marks. AWS documents that others than
// alphanumeric characters need them, and refuses at least those that mean something in patterns.
func isTermRune(r rune) bool {
	return isNameRune(r) || strings.ContainsRune("./@#+;~^", r)
}
