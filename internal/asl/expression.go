package asl

import (
	"fmt"
	"strings"

	"cirro/internal/asl/document"
	"cirro/internal/asl/intrinsic"
	"cirro/internal/asl/jsonata"
	"cirro/internal/asl/jsonpath"
)

// Scope is what the expressions of a state see. Values are documents, as package document has them.
type Scope struct {
	Entered   int64 // the id of the event by which the state was entered
	Input     any
	Context   func() any // the context object; nil for an empty one
	Variables map[string]any

	Result any // what the work gave; Done says that it did
	Done   bool
	Error  any // the error output, in a catcher

	// Inspect, where it is set, is told what a value is after a field of the state was applied.
	Inspect func(after string, v any)
}

func (sc *Scope) inspect(after string, v any) {
	if sc.Inspect != nil {
		sc.Inspect(after, v)
	}
}

// view is a scope with what $ stands for in JSONPath.
type view struct {
	*Scope
	state *State
	root  any
	left  int // bytes that may still be made
}

// take bounds what an expression makes, with all that was made beside it.
func (v *view) take(value any) (any, *Failure) {
	if !document.Fits(value, &v.left) {
		return nil, TooLarge(v.state.Name)
	}
	return value, nil
}

// expression is what a field of a definition holds: a value, what makes one, or both in a template.
type expression interface {
	// eval makes the value. field is where the expression stands, as messages have it.
	eval(v *view, field string) (any, *Failure)
}

// literal is a value that nothing changes.
type literal struct{ value any }

func (l literal) eval(*view, string) (any, *Failure) { return l.value, nil }

// object and list are templates with expressions within.
type (
	object []member
	member struct {
		name  string
		field string // as it stands in the definition, with the .$
		value expression
	}
	list []expression
)

func (o object) eval(v *view, field string) (any, *Failure) {
	made := document.NewObject()
	for _, m := range o {
		below := m.field
		if v.state.Language == JSONata {
			below = field + "/" + m.field
		}
		value, failure := m.value.eval(v, below)
		if failure != nil {
			return nil, failure
		}
		made.Set(m.name, value)
	}
	return made, nil
}

func (l list) eval(v *view, field string) (any, *Failure) {
	made := make([]any, len(l))
	for i, e := range l {
		value, failure := e.eval(v, fmt.Sprintf("%s[%d]", field, i))
		if failure != nil {
			return nil, failure
		}
		made[i] = value
	}
	return made, nil
}

// path is a JSONPath.
type path struct{ *jsonpath.Path }

func (p path) eval(v *view, field string) (any, *Failure) {
	value, ok := v.find(p.Path)
	if !ok && v.beyond(p.Path) {
		return nil, nil
	}
	if !ok {
		return nil, v.runtime("The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'",
			p.Text, field, document.Encode(v.rootOf(p.Path)))
	}
	return v.take(value)
}

// beyond reports whether a path leads to an item behind a list's last, which is null in a template, and nowhere else.
// https://github.com/floci-io/floci/blob/main/docs/services/step-functions.md
func (v *view) beyond(p *jsonpath.Path) bool {
	steps := p.Steps()
	if len(steps) == 0 {
		return false
	}
	i, ok := steps[len(steps)-1].(int)
	if !ok || i < 0 {
		return false
	}
	list, _ := v.find(p.Parent())
	_, ok = list.([]any)
	return ok
}

// rootOf is what a path leads into.
func (v *view) rootOf(p *jsonpath.Path) any {
	switch p.Root {
	case jsonpath.Context:
		return v.context()
	case jsonpath.Variable:
		return v.Variables[p.Name]
	}
	return v.root
}

func (sc *Scope) context() any {
	if sc.Context == nil {
		return document.NewObject()
	}
	return sc.Context()
}

// find is what a path leads to.
func (v *view) find(p *jsonpath.Path) (any, bool) {
	if p.Root == jsonpath.Variable {
		if _, ok := v.Variables[p.Name]; !ok {
			return nil, false
		}
	}
	return p.Get(v.rootOf(p))
}

// runtime and failure are failures of a state, as the service words them.
func (v *view) runtime(reason string, args ...any) *Failure {
	return v.failure(Runtime, reason, args...)
}

func (v *view) failure(name, reason string, args ...any) *Failure {
	return fail(name, "An error occurred while executing the state '%s' (entered at the event id #%d). %s",
		v.state.Name, v.Entered, fmt.Sprintf(reason, args...))
}

// call is an intrinsic function. What fails is told as it was measured of the service; it is no States.IntrinsicFailure,
// against the documentation.
// https://github.com/floci-io/floci/blob/main/docs/services/step-functions.md
type call struct{ *intrinsic.Call }

func (c call) eval(v *view, field string) (any, *Failure) {
	value, err := c.Eval(func(p *jsonpath.Path) (any, error) {
		value, ok := v.find(p)
		if !ok {
			text, _ := strings.CutPrefix(p.Text, "$$")
			return nil, notFound(fmt.Sprintf("The JsonPath argument for the field '$%s' could not be found in the input '%s'",
				strings.TrimPrefix(text, "$"), document.Encode(v.root)))
		}
		return value, nil
	})
	if err != nil {
		return nil, v.runtime("The function '%s' had the following error: %v", c.Text, err)
	}
	return v.take(value)
}

// notFound says which argument was not found.
type notFound string

func (n notFound) Error() string { return string(n) }

// query is a JSONata expression.
type query struct{ *jsonata.Expression }

func (q query) eval(v *view, field string) (any, *Failure) {
	value, err := q.Eval(func(name string) (any, bool) {
		if name == "states" {
			return v.states(), true
		}
		value, ok := v.Variables[name]
		return value, ok
	})
	if err != nil {
		failure := v.failure(QueryEvaluationError, "The JSONata expression '%s' specified for the field '%s' %v", q.Text, field, err)
		failure.Location = field
		return nil, failure
	}
	return v.take(value)
}

// states is the reserved variable $states.
// https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html#sfn-reserved-variable
func (v *view) states() *document.Object {
	states := document.NewObject("input", v.Input, "context", v.context())
	if v.Done {
		states.Set("result", v.Result)
	}
	if v.Error != nil {
		states.Set("errorOutput", v.Error)
	}
	return states
}
