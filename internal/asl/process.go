package asl

import (
	"cirro/internal/asl/document"
	"cirro/internal/asl/jsonpath"
)

// Outcome is what follows from a state.
type Outcome struct {
	Output    any
	Variables map[string]any // that it assigned; nil for none
	Next      string         // the next state; "" where the machine ends
}

func (s *State) view(sc *Scope, root any) *view {
	return &view{Scope: sc, state: s, root: root, left: document.MaxWork}
}

// filtered is what InputPath or OutputPath leaves of a value.
func (f *filter) filtered(v *view) (any, *Failure) {
	if f == nil {
		return v.root, nil
	}
	if f.call != nil {
		return f.call.eval(v, f.field)
	}
	if f.Path == nil {
		return document.NewObject(), nil
	}
	value, ok := v.find(f.Path)
	if !ok {
		return nil, v.runtime("Invalid path '%s' : No results for path: %s", f.Text, spelled(f.Path))
	}
	return v.take(value)
}

// spelled is a path as the service's library spells it.
func spelled(p *jsonpath.Path) string {
	s := "$"
	for _, step := range p.Steps() {
		switch step := step.(type) {
		case string:
			s += "['" + step + "']"
		case int:
			s += "[" + string(document.Encode(int64(step))) + "]"
		}
	}
	return s
}

// Begin makes what goes to a state's work of its input: InputPath and Parameters, or Arguments.
func (s *State) Begin(sc *Scope) (any, *Failure) {
	v := s.view(sc, sc.Input)
	if s.Language == JSONata {
		if s.arguments == nil {
			return sc.Input, nil
		}
		made, failure := s.arguments.eval(v, "Arguments")
		if failure == nil {
			sc.inspect("Arguments", made)
		}
		return made, failure
	}
	effective, failure := s.InputPath.filtered(v)
	if failure != nil {
		return nil, failure
	}
	sc.inspect("InputPath", effective)
	if s.parameters == nil {
		sc.inspect("Parameters", effective)
		return effective, nil
	}
	made, failure := s.parameters.eval(s.view(sc, effective), "Parameters")
	if failure == nil {
		sc.inspect("Parameters", made)
	}
	return made, failure
}

// Passed is the result of a Pass state, which begins with effective input.
func (s *State) Passed(sc *Scope, effective any) (any, *Failure) {
	if s.result == nil {
		return effective, nil
	}
	return s.result.eval(s.view(sc, effective), "Result")
}

// Finish makes the outcome of a state whose work gave sc.Result.
func (s *State) Finish(sc *Scope) (Outcome, *Failure) {
	sc.Done = true
	out := Outcome{Next: s.Next}
	var failure *Failure
	if out.Variables, failure = s.assigned(sc, s.assign, "", sc.Result); failure != nil {
		return out, failure
	}
	if s.Language == JSONata {
		out.Output = sc.Result
		if s.Type == Succeed || s.Type == Wait {
			out.Output = sc.Input
		}
		if s.output != nil {
			out.Output, failure = s.output.eval(s.view(sc, nil), "Output")
		}
		return out, failure
	}
	result := sc.Result
	if s.resultSelector != nil {
		if result, failure = s.resultSelector.eval(s.view(sc, result), "ResultSelector"); failure != nil {
			return out, failure
		}
	}
	sc.inspect("ResultSelector", result)
	if out.Output, failure = s.placed(sc, result, s.ResultPath, s.DiscardResult); failure != nil {
		return out, failure
	}
	sc.inspect("ResultPath", out.Output)
	out.Output, failure = s.OutputPath.filtered(s.view(sc, out.Output))
	return out, failure
}

// placed puts a result into the state's input.
func (s *State) placed(sc *Scope, result any, at *jsonpath.Path, discard bool) (any, *Failure) {
	if discard {
		return sc.Input, nil
	}
	if at == nil {
		return result, nil
	}
	out, err := at.Set(sc.Input, result)
	if err != nil {
		return nil, s.view(sc, nil).failure(ResultPathMatchFailure, "Unable to apply step \"%s\" to input %s",
			last(at), document.Encode(sc.Input))
	}
	return out, nil
}

// last is the last step of a path.
func last(p *jsonpath.Path) string {
	steps := p.Steps()
	if len(steps) == 0 {
		return ""
	}
	if name, ok := steps[len(steps)-1].(string); ok {
		return name
	}
	return string(document.Encode(int64(steps[len(steps)-1].(int))))
}

// assigned are the variables that an Assign gives their values. of is whose it is: "" for the state's own, or
// "Choices[0]/" and the like.
func (s *State) assigned(sc *Scope, assign expression, of string, root any) (map[string]any, *Failure) {
	if assign == nil {
		return nil, nil
	}
	made, failure := assign.eval(s.view(sc, root), of+"Assign")
	if failure != nil {
		return nil, failure
	}
	variables := map[string]any{}
	for name, v := range made.(*document.Object).All() {
		variables[name] = v
	}
	return variables, nil
}

// Skim is the outcome of a state that does no work: Succeed, and Wait once its time has come.
func (s *State) Skim(sc *Scope) (Outcome, *Failure) {
	if s.Language == JSONata {
		sc.Result = sc.Input
		out := Outcome{Output: sc.Input, Next: s.Next}
		var failure *Failure
		if out.Variables, failure = s.assigned(sc, s.assign, "", nil); failure != nil {
			return out, failure
		}
		if s.output != nil {
			out.Output, failure = s.output.eval(s.view(sc, nil), "Output")
		}
		return out, failure
	}
	effective, failure := s.InputPath.filtered(s.view(sc, sc.Input))
	if failure != nil {
		return Outcome{}, failure
	}
	out := Outcome{Next: s.Next}
	if out.Variables, failure = s.assigned(sc, s.assign, "", effective); failure != nil {
		return out, failure
	}
	out.Output, failure = s.OutputPath.filtered(s.view(sc, effective))
	return out, failure
}

// Failed is the failure that a Fail state is.
func (s *State) Failed(sc *Scope) *Failure {
	f := &Failure{}
	v := s.view(sc, sc.Input)
	for _, field := range []struct {
		name string
		e    expression
		to   *string
	}{{"Error", s.errorName, &f.Error}, {"Cause", s.errorCause, &f.Cause}} {
		if field.e == nil {
			continue
		}
		value, failure := field.e.eval(v, inFail(field.e, field.name))
		if failure != nil {
			return failure
		}
		text, ok := value.(string)
		if !ok {
			return v.mistyped(field.e, field.name, "string", value)
		}
		*field.to = text
	}
	return f
}

// inFail is the name of a field of a Fail state as it stands in the definition.
func inFail(e expression, field string) string {
	if _, ok := e.(call); ok {
		return field + "Path"
	}
	return named(e, field)
}

// mistyped is the failure of an expression whose value has not the type that its field wants.
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/scenarios/test_base_scenarios.snapshot.json
func (v *view) mistyped(e expression, field, want string, value any) *Failure {
	if v.state.Language != JSONata {
		return v.runtime("The value for the field '%s' must be a %s, but was '%s'", field, want, document.Encode(value))
	}
	text := ""
	if q, ok := e.(query); ok {
		text = " '" + q.Text + "'"
	}
	failure := v.failure(QueryEvaluationError, "The JSONata expression%s specified for the field '%s' returned an unexpected result type. Expected '%s', but was '%s' for value: %s",
		text, field, want, typeOf(value), document.Encode(value))
	failure.Location = field
	return failure
}

// typeOf names a value's type as messages do.
func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case *document.Object:
		return "object"
	}
	return "number"
}
