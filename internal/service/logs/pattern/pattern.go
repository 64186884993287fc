package pattern

import (
	"fmt"
	"strings"
)

// MaxRegexes is how many regular expressions a JSON or space-delimited pattern may hold, and
// maxWildcards how many wildcard selectors a JSON pattern may.
const (
	MaxRegexes   = 2
	maxWildcards = 3
)

// Pattern is a compiled filter pattern. It is immutable and safe for concurrent use.
type Pattern struct {
	source  string
	matcher matcher
	regexes int
}

// matcher is one of the language's forms.
type matcher interface {
	// match reports whether the message matches. Where values is not nil, it receives what the match
	// extracts.
	match(message string, values map[string]string) bool
}

// SyntaxError says why a pattern does not compile.
type SyntaxError struct {
	Reason string // as AWS words it where that is known
}

func (e *SyntaxError) Error() string { return e.Reason }

func syntaxf(format string, args ...any) error {
	return &SyntaxError{fmt.Sprintf(format, args...)}
}

func badCharacter(term string) error {
	return syntaxf("Invalid character(s) in term '%s'", term)
}

// Compile compiles a pattern. A blank one matches everything. Its error is a *SyntaxError.
func Compile(source string) (*Pattern, error) {
	p := &parser{rest: strings.TrimSpace(source)}
	var m matcher
	var err error
	switch {
	case p.rest == "":
		m = everything{}
	case p.rest[0] == '{':
		m, err = p.json()
	case p.rest[0] == '[':
		m, err = p.delimited()
	default:
		m, err = p.terms()
	}
	if err != nil {
		return nil, err
	}
	return &Pattern{source: source, matcher: m, regexes: p.regexes}, nil
}

// Match reports whether the message matches.
func (p *Pattern) Match(message string) bool { return p.matcher.match(message, nil) }

// Extract reports whether the message matches, and what the match names: the fields of a
// space-delimited pattern ("$status", or "$5" for the fifth where it has no name) and the selected
// values of a JSON pattern ("$.user.id").
func (p *Pattern) Extract(message string) (values map[string]string, ok bool) {
	values = map[string]string{}
	if !p.matcher.match(message, values) {
		return nil, false
	}
	return values, true
}

// Regexes is how many regular expressions the pattern holds.
func (p *Pattern) Regexes() int { return p.regexes }

// String is the pattern as it was written.
func (p *Pattern) String() string { return p.source }

// everything matches every message.
type everything struct{}

func (everything) match(string, map[string]string) bool { return true }
