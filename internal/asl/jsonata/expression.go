// Package jsonata is JSONata as Amazon States Language has it: expressions over $states and a machine's
// variables, with the functions that the service adds and without $eval, and with limits of time.
//
// The language itself is recolabs/gnata's.
//
// https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
package jsonata

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"cirro/internal/asl/document"

	"github.com/recolabs/gnata"
)

// Limit is how long an expression may take.
const Limit = time.Second

// ErrUndefined is the answer of an expression that finds nothing.
var ErrUndefined error = sentence("returned nothing (undefined).")

// sentence is an error as the service ends its messages.
type sentence string

func (s sentence) Error() string { return string(s) }

// Expression is a compiled expression. It may be used by many at once.
type Expression struct {
	Text      string
	Variables []string // that it may refer to, $states among them
	compiled  *gnata.Expression

	references references
}

// evals is a call of the function that the service does not have.
var evals = regexp.MustCompile(`\$eval\s*\(`)

// Parse compiles an expression, without the {% %} around it.
func Parse(text string) (*Expression, error) {
	if evals.MatchString(text) {
		return nil, errors.New("the function $eval is not supported")
	}
	compiled, err := parse(text)
	if err != nil {
		return nil, inWords(err)
	}
	e := &Expression{Text: text, compiled: compiled}
	e.references.walk(tree(compiled), false, map[string]bool{})
	e.Variables = e.references.variables
	return e, nil
}

// parse keeps what the library panics of from its caller.
func parse(text string) (e *gnata.Expression, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the expression cannot be read: %v", r)
		}
	}()
	return gnata.Compile(text)
}

var builtin = gnataNames()

// gnataNames are the functions that are there without being anybody's variables.
func gnataNames() map[string]bool {
	names := map[string]bool{}
	for name := range strings.FieldsSeq(`abs append assert average base64decode base64encode boolean ceil clone contains
		count decodeUrl decodeUrlComponent distinct each encodeUrl encodeUrlComponent error eval exists filter floor
		formatBase formatInteger formatNumber fromMillis join keys length lookup lowercase map match max merge millis min
		not now number pad parseInteger power random reduce replace reverse round shuffle sift single sort split spread
		sqrt string substring substringAfter substringBefore sum toMillis trim type uppercase zip
		partition range hash uuid parse`) {
		names[name] = true
	}
	return names
}

// Eval evaluates the expression with variables by name, as documents. The error is ErrUndefined, or says
// what went wrong.
func (e *Expression) Eval(lookup func(name string) (any, bool)) (any, error) {
	env := environments.Get().(*environment)
	for _, name := range e.Variables {
		v, ok := lookup(name)
		if !ok {
			continue
		}
		bound, err := inward(v)
		if err != nil {
			return nil, err
		}
		env.bind(name, bound)
	}
	done := make(chan answer, 1)
	go func() {
		v, err := outcome(newMeter(), env, e.compiled, nil)
		done <- answer{v, err}
	}()
	// The library asks for its context between an expression's parts, not within ** and comparisons: one that hangs
	// there is left behind, and its environment with it.
	timer := time.NewTimer(Limit + grace)
	defer timer.Stop()
	select {
	case a := <-done:
		for _, name := range e.Variables {
			env.bind(name, nil)
		}
		environments.Put(env)
		return a.v, a.err
	case <-timer.C:
		return nil, fmt.Errorf("took longer than %v", Limit)
	}
}

// answer is what an evaluation gave.
type answer struct {
	v   any
	err error
}

// grace is how much later than its limit an expression may notice it.
const grace = 200 * time.Millisecond

// outcome evaluates an expression about data within an environment.
func outcome(ctx context.Context, env *environment, e *gnata.Expression, data any) (any, error) {
	v, err := env.eval(ctx, e, data)
	left := MaxBytes
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("took longer than %v", Limit)
	case ctx.Err() == nil && err == nil && v != nil && !fits(v, &left):
		err = errTooLarge
	}
	switch {
	case err != nil:
		return nil, errors.New("threw an error during evaluation. " + err.Error())
	case v == nil:
		return nil, ErrUndefined
	}
	return outward(v)
}

// environment is where names are bound: one evaluation's at a time.
type environment struct {
	bind func(name string, v any)
	eval func(ctx context.Context, e *gnata.Expression, data any) (any, error)
}

var environments = sync.Pool{New: func() any {
	env := gnata.NewCustomEnv(functions())
	bound(env)
	return &environment{bind: env.Bind, eval: func(ctx context.Context, e *gnata.Expression, data any) (any, error) {
		return e.EvalWithCustomFuncs(ctx, data, env)
	}}
}}

// inward is a document as the library has it: its own kind of object, whose members keep their order too.
func inward(v any) (any, error) { return gnata.DecodeJSON(document.Encode(v)) }

// ordered is the library's object.
type ordered interface {
	Len() int
	Range(func(name string, v any) bool)
}

// outward is what the library answered as a document.
func outward(v any) (any, error) {
	if gnata.IsNull(v) {
		return nil, nil
	}
	switch v := v.(type) {
	case nil, bool, string:
		return v, nil
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return nil, errors.New("returned a number that is out of range")
		}
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil
		}
		return v, nil
	case json.Number:
		return document.Number(string(v)), nil
	case []any:
		list := make([]any, len(v))
		for i := range v {
			var err error
			if list[i], err = outward(v[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case ordered:
		object := document.NewObject()
		var err error
		v.Range(func(name string, member any) bool {
			var out any
			out, err = outward(member)
			object.Set(name, out)
			return err == nil
		})
		return object, err
	case map[string]any:
		object := document.NewObject()
		for _, name := range slices.Sorted(maps.Keys(v)) {
			out, err := outward(v[name])
			if err != nil {
				return nil, err
			}
			object.Set(name, out)
		}
		return object, nil
	}
	if list, ok := gnata.NormalizeValue(v).([]any); ok { // one of the library's sequences
		return outward(list)
	}
	return nil, sentence("returned an unsupported result type.")
}
