package engine

import (
	"fmt"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
)

// scope is what the expressions of a frame's state see.
func (s *step) scope(f *frame) (*asl.Scope, error) {
	if !f.decoded {
		v, err := document.Decode([]byte(f.Input))
		if err != nil {
			return nil, fmt.Errorf("states: an input is damaged: %w", err)
		}
		f.value, f.decoded = v, true
	}
	variables, err := s.variables(f)
	if err != nil {
		return nil, err
	}
	var context any
	return &asl.Scope{Entered: f.Entered, Input: f.value, Variables: variables, Context: func() any {
		if context == nil {
			context = s.context(f)
		}
		return context
	}}, nil
}

// variables are those that a frame sees: its own, and those of the frames around it.
func (s *step) variables(f *frame) (map[string]any, error) {
	if len(f.Variables) == 0 && !f.Outer {
		return nil, nil
	}
	seen := map[string]any{}
	for at := f; at != nil; {
		for name, text := range at.Variables {
			if _, ok := seen[name]; ok {
				continue
			}
			v, err := document.Decode([]byte(text))
			if err != nil {
				return nil, fmt.Errorf("states: a variable is damaged: %w", err)
			}
			seen[name] = v
		}
		if !at.Outer {
			break
		}
		var err error
		if at, err = s.load(at.Parent); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

// timeFormat is how the context object has times.
const timeFormat = "2006-01-02T15:04:05.000Z"

// context is the context object.
// https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
func (s *step) context(f *frame) *document.Object {
	execution := document.NewObject("Id", s.run.ARN, "Input", s.executionInput(), "StartTime", s.run.Started.UTC().Format(timeFormat),
		"Name", s.run.Name, "RoleArn", s.run.Role, "RedriveCount", s.run.Redrives)
	if s.run.Redrives > 0 {
		execution.Set("RedriveTime", s.run.Redriven.UTC().Format(timeFormat))
	}
	state := document.NewObject("Name", f.State, "EnteredTime", f.EnteredAt.UTC().Format(timeFormat))
	if t := s.state(f).Type; t == asl.Task || t == asl.Parallel || t == asl.Map {
		state.Set("RetryCount", f.Retries)
	}
	context := document.NewObject("Execution", execution, "StateMachine",
		document.NewObject("Id", s.run.Machine, "Name", machineName(s.run.Machine)), "State", state)
	if tokenised(s.state(f)) {
		context.Set("Task", document.NewObject("Token", s.e.token(s.run.ID, f.ID, f.Turn+1)))
	}
	if f.Item != "" {
		if item, err := document.Decode([]byte(f.Item)); err == nil {
			context.Set("Map", document.NewObject("Item", item))
		}
	}
	return context
}

func (s *step) executionInput() any {
	if s.decoded {
		return s.input
	}
	s.decoded = true
	text, err := Input(s.tx, s.run.ID)
	if err == nil {
		s.input, _ = document.Decode([]byte(text)) // it was checked at the start
	}
	return s.input
}

// machineName is the last part of a state machine's ARN.
func machineName(arn string) string {
	for i := len(arn) - 1; i >= 0; i-- {
		if arn[i] == ':' {
			return arn[i+1:]
		}
	}
	return arn
}
