package eventpattern

import (
	"encoding/json"
	"slices"
	"strings"
)

// Pattern is a compiled event pattern. It may be used by many at once.
type Pattern struct {
	branches []branch
	set      *Set // of this pattern alone
}

// branch is one way to match a pattern: each of $or's alternatives makes more of them. All its fields have
// to match; they are sorted by path.
type branch []field

// field is what a branch demands of the values at a path: that one of them meets one of the conditions.
type field struct {
	path       string // names joined by dots
	conditions []condition
	absent     bool // or that there is none
}

// Error is why a pattern is refused. Its text is AWS's.
type Error struct{ Reason string }

func (e *Error) Error() string { return "Event pattern is not valid. Reason: " + e.Reason }

// Compile reads a pattern. Its errors are *Error.
func Compile(pattern []byte) (*Pattern, error) {
	c := compiler{reader: readTokens(pattern)}
	branches, err := c.pattern()
	if err != nil {
		return nil, err
	}
	for _, b := range branches {
		slices.SortFunc(b, func(x, y field) int { return strings.Compare(x.path, y.path) })
	}
	p := &Pattern{branches: branches}
	p.set = NewSet([]*Pattern{p})
	return p, nil
}

// Match reports whether an event, a JSON document, matches. What is no JSON object matches nothing.
func (p *Pattern) Match(event []byte) bool { return len(p.set.Match(event)) > 0 }

// MatchValue reports whether an event matches that is decoded already, as encoding/json decodes into an any.
func (p *Pattern) MatchValue(event any) bool {
	b, err := json.Marshal(event)
	return err == nil && p.Match(b)
}
