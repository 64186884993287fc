package asl

import (
	"fmt"
	"strings"

	"cirro/internal/asl/document"
	"cirro/internal/asl/jsonpath"
)

// rule is a rule of a Choice state.
type rule struct {
	next      string
	condition condition  // of JSONPath
	query     expression // of JSONata
	assign    expression
	output    expression
}

// condition is what a rule of JSONPath asks.
type condition interface {
	holds(v *view) (bool, *Failure)
}

type (
	and []condition
	or  []condition
	not struct{ condition }
	// test compares what a path leads to. The other side is a value, or another path.
	test struct {
		variable *jsonpath.Path
		operator string
		value    any
		path     *jsonpath.Path
		compare  func(a, b any) bool
	}
)

func (c and) holds(v *view) (bool, *Failure) {
	for _, c := range c {
		if ok, failure := c.holds(v); !ok || failure != nil {
			return false, failure
		}
	}
	return true, nil
}

func (c or) holds(v *view) (bool, *Failure) {
	for _, c := range c {
		if ok, failure := c.holds(v); ok || failure != nil {
			return ok, failure
		}
	}
	return false, nil
}

func (c not) holds(v *view) (bool, *Failure) {
	ok, failure := c.condition.holds(v)
	return !ok, failure
}

func (c *test) holds(v *view) (bool, *Failure) {
	a, found := v.find(c.variable)
	if c.operator == "IsPresent" {
		return found == c.value, nil
	}
	if !found {
		return false, v.missing(c.variable)
	}
	b := c.value
	if c.path != nil {
		if b, found = v.find(c.path); !found {
			return false, v.missing(c.path)
		}
	}
	return c.compare(a, b), nil
}

func (v *view) missing(p *jsonpath.Path) *Failure {
	return v.runtime("Invalid path '%s': The choice state's condition path references an invalid value.", p.Text)
}

// comparisons are the operators that compare two values; each also exists with Path.
// https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html#amazon-states-language-choice-state-rules
var comparisons = map[string]func(a, b any) bool{
	"BooleanEquals": func(a, b any) bool {
		x, ok := a.(bool)
		y, also := b.(bool)
		return ok && also && x == y
	},
	"StringEquals":               texts(func(n int) bool { return n == 0 }),
	"StringLessThan":             texts(func(n int) bool { return n < 0 }),
	"StringGreaterThan":          texts(func(n int) bool { return n > 0 }),
	"StringLessThanEquals":       texts(func(n int) bool { return n <= 0 }),
	"StringGreaterThanEquals":    texts(func(n int) bool { return n >= 0 }),
	"NumericEquals":              numbers(func(a, b float64) bool { return a == b }),
	"NumericLessThan":            numbers(func(a, b float64) bool { return a < b }),
	"NumericGreaterThan":         numbers(func(a, b float64) bool { return a > b }),
	"NumericLessThanEquals":      numbers(func(a, b float64) bool { return a <= b }),
	"NumericGreaterThanEquals":   numbers(func(a, b float64) bool { return a >= b }),
	"TimestampEquals":            times(func(n int) bool { return n == 0 }),
	"TimestampLessThan":          times(func(n int) bool { return n < 0 }),
	"TimestampGreaterThan":       times(func(n int) bool { return n > 0 }),
	"TimestampLessThanEquals":    times(func(n int) bool { return n <= 0 }),
	"TimestampGreaterThanEquals": times(func(n int) bool { return n >= 0 }),
}

// kinds are the operators that ask what a value is. IsPresent stands for itself.
var kinds = map[string]func(any) bool{
	"IsNull":      func(v any) bool { return v == nil },
	"IsPresent":   func(any) bool { return true },
	"IsNumeric":   func(v any) bool { _, ok := document.Float(v); return ok },
	"IsString":    func(v any) bool { _, ok := v.(string); return ok },
	"IsBoolean":   func(v any) bool { _, ok := v.(bool); return ok },
	"IsTimestamp": func(v any) bool { s, _ := v.(string); _, ok := Timestamp(s); return ok },
}

func texts(holds func(int) bool) func(a, b any) bool {
	return func(a, b any) bool {
		x, ok := a.(string)
		y, also := b.(string)
		return ok && also && holds(strings.Compare(x, y))
	}
}

func numbers(holds func(a, b float64) bool) func(a, b any) bool {
	return func(a, b any) bool {
		x, ok := document.Float(a)
		y, also := document.Float(b)
		return ok && also && holds(x, y)
	}
}

func times(holds func(int) bool) func(a, b any) bool {
	return func(a, b any) bool {
		x, _ := a.(string)
		y, _ := b.(string)
		t, ok := Timestamp(x)
		u, also := Timestamp(y)
		return ok && also && holds(t.Compare(u))
	}
}

// matches compares a text with a pattern in which * stands for anything, and a backslash takes its meaning
// from a star or a backslash.
func matches(a, b any) bool {
	text, ok := a.(string)
	pattern, also := b.(string)
	return ok && also && glob(pattern, text)
}

func glob(pattern, text string) bool {
	p, t, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
			continue
		case p < len(pattern):
			n := 1
			if pattern[p] == '\\' && p+1 < len(pattern) {
				n = 2
			}
			if pattern[p+n-1] == text[t] {
				p, t = p+n, t+1
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		p, t = star+1, mark
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// Choose makes the outcome of a Choice state.
func (s *State) Choose(sc *Scope) (Outcome, *Failure) {
	if s.Language == JSONata {
		return s.chooseByQuery(sc)
	}
	effective, failure := s.InputPath.filtered(s.view(sc, sc.Input))
	if failure != nil {
		return Outcome{}, failure
	}
	v := s.view(sc, effective)
	out := Outcome{Next: s.Fallback}
	assign, of := s.assign, ""
	for i, r := range s.rules {
		ok, failure := r.condition.holds(v)
		if failure != nil {
			return out, failure
		}
		if ok {
			out.Next, assign, of = r.next, r.assign, ruleField(i)
			break
		}
	}
	if out.Next == "" {
		return out, s.unmatched(sc)
	}
	if out.Variables, failure = s.assigned(sc, assign, of, effective); failure != nil {
		return out, failure
	}
	out.Output, failure = s.OutputPath.filtered(v)
	return out, failure
}

func (s *State) chooseByQuery(sc *Scope) (Outcome, *Failure) {
	v := s.view(sc, nil)
	out := Outcome{Output: sc.Input, Next: s.Fallback}
	assign, output, ofAssign, ofOutput := s.assign, s.output, "", ""
	for i, r := range s.rules {
		field := ruleField(i) + "Condition"
		value, failure := r.query.eval(v, field)
		if failure != nil {
			return out, failure
		}
		ok, isBool := value.(bool)
		if !isBool {
			return out, v.mistyped(r.query, field, "boolean", value)
		}
		if ok {
			out.Next, assign, ofAssign = r.next, r.assign, ruleField(i)
			if r.output != nil {
				output, ofOutput = r.output, ruleField(i)
			}
			break
		}
	}
	if out.Next == "" {
		return out, s.unmatched(sc)
	}
	var failure *Failure
	if out.Variables, failure = s.assigned(sc, assign, ofAssign, nil); failure != nil || output == nil {
		return out, failure
	}
	out.Output, failure = output.eval(v, ofOutput+"Output")
	return out, failure
}

// ruleField is what the names of a rule's fields begin with, as messages have them.
func ruleField(i int) string { return fmt.Sprintf("Choices[%d]/", i) }

func (s *State) unmatched(sc *Scope) *Failure {
	return s.view(sc, nil).failure(NoChoiceMatched, "Failed to transition out of the state. The state does not point to a next state.")
}
