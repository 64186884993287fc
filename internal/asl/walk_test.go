package asl

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cirro/internal/asl/document"

	"github.com/cockroachdb/datadriven"
)

// TestWalk walks machines from their first state to an end, as testdata/walk says:
//
//	machine     a definition
//	walk        an input, and lines "state: result" or "state! error cause" of what tasks give, in turn
//
// What comes out is the states on the way and the output, or the failure. Time does not pass.
func TestWalk(t *testing.T) {
	datadriven.Walk(t, "testdata/walk", func(t *testing.T, file string) {
		var m *Machine
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "machine":
				var diagnostics []Diagnostic
				if m, diagnostics = Parse([]byte(d.Input)); m != nil {
					return ""
				}
				var b strings.Builder
				for _, diagnostic := range diagnostics {
					fmt.Fprintln(&b, diagnostic)
				}
				return b.String()
			case "walk":
				w := walker{mocks: map[string][]string{}}
				input, rest, _ := strings.Cut(d.Input, "\n")
				for line := range strings.SplitSeq(rest, "\n") {
					if i := strings.IndexAny(line, ":!"); i > 0 {
						w.mocks[line[:i]] = append(w.mocks[line[:i]], line[i:])
					}
				}
				v, err := document.Decode([]byte(input))
				if err != nil {
					return err.Error()
				}
				out, failure := w.machine(m, v, map[string]any{}, document.NewObject("Execution", document.NewObject("Id", "arn:execution", "Input", v)))
				if failure != nil {
					return fmt.Sprintf("%sfailed: %s: %s\n", w.trail.String(), failure.Error, failure.Cause)
				}
				return fmt.Sprintf("%s%s\n", w.trail.String(), document.Encode(out))
			}
			return "unknown command " + d.Cmd
		})
	})
}

type walker struct {
	mocks map[string][]string
	trail strings.Builder
	steps int
}

func (w *walker) machine(m *Machine, input any, variables map[string]any, context *document.Object) (any, *Failure) {
	for name := m.StartAt; ; {
		if w.steps++; w.steps > 100 {
			return nil, fail("Endless", "too many steps")
		}
		s := m.States[name]
		w.trail.WriteString(name + "\n")
		within := context.Clone()
		within.Set("State", document.NewObject("Name", name))
		sc := &Scope{Entered: int64(w.steps), Input: input, Context: func() any { return within }, Variables: variables}
		out, failure := w.state(s, sc)
		if failure != nil {
			if s.Type == Fail {
				return nil, failure
			}
			var caught bool
			var again *Failure
			if out, caught, again = s.Catch(sc, failure); again != nil {
				return nil, again
			}
			if !caught {
				return nil, failure
			}
		}
		for name, v := range out.Variables {
			variables[name] = v
		}
		if out.Next == "" {
			return out.Output, nil
		}
		name, input = out.Next, out.Output
	}
}

func (w *walker) state(s *State, sc *Scope) (Outcome, *Failure) {
	switch s.Type {
	case Choice:
		return s.Choose(sc)
	case Wait:
		at, failure := s.Until(sc, time.Unix(0, 0).UTC())
		if failure != nil {
			return Outcome{}, failure
		}
		fmt.Fprintf(&w.trail, "  until %s\n", at.Format(time.RFC3339))
		return s.Skim(sc)
	case Succeed:
		return s.Skim(sc)
	case Fail:
		return Outcome{}, s.Failed(sc)
	}
	effective, failure := s.Begin(sc)
	if failure != nil {
		return Outcome{}, failure
	}
	attempts := make([]int64, len(s.Retriers))
	for {
		sc.Result, failure = w.work(s, sc, effective)
		if failure == nil {
			return s.Finish(sc)
		}
		delay, i, again := s.RetryAfter(failure, attempts, func() float64 { return 0.5 })
		if !again {
			return Outcome{}, failure
		}
		attempts[i]++
		fmt.Fprintf(&w.trail, "  %s, again after %v\n", failure.Error, delay)
	}
}

func (w *walker) work(s *State, sc *Scope, effective any) (any, *Failure) {
	switch s.Type {
	case Pass:
		return s.Passed(sc, effective)
	case Task:
		timeout, heartbeat, failure := s.Timeouts(sc)
		if failure != nil {
			return nil, failure
		}
		fmt.Fprintf(&w.trail, "  %s", document.Encode(effective))
		if timeout > 0 || heartbeat > 0 {
			fmt.Fprintf(&w.trail, " within %v, %v", timeout, heartbeat)
		}
		w.trail.WriteString("\n")
		return w.mocked(s, effective)
	case Parallel:
		results := make([]any, len(s.Branches))
		for i, b := range s.Branches {
			var failure *Failure
			if results[i], failure = w.machine(b, effective, map[string]any{}, sc.context().(*document.Object)); failure != nil {
				return nil, failure
			}
		}
		return results, nil
	}
	items, failure := s.Items(sc, effective)
	if failure != nil {
		return nil, failure
	}
	results := make([]any, len(items))
	for i, item := range items {
		inner := *sc
		context := sc.context().(*document.Object).Clone()
		context.Set("Map", document.NewObject("Item", document.NewObject("Index", int64(i), "Value", item)))
		inner.Context = func() any { return context }
		input, failure := s.Item(&inner, effective, item)
		if failure != nil {
			return nil, failure
		}
		if results[i], failure = w.machine(s.Processor, input, map[string]any{}, context); failure != nil {
			return nil, failure
		}
	}
	return results, nil
}

func (w *walker) mocked(s *State, effective any) (any, *Failure) {
	mocks := w.mocks[s.Name]
	if len(mocks) == 0 {
		return effective, nil
	}
	mock := mocks[0]
	if len(mocks) > 1 {
		w.mocks[s.Name] = mocks[1:]
	}
	if mock[0] == '!' {
		name, cause, _ := strings.Cut(strings.TrimSpace(mock[1:]), " ")
		return nil, &Failure{Error: name, Cause: cause}
	}
	v, err := document.Decode([]byte(mock[1:]))
	if err != nil {
		panic(errors.Join(err, errors.New(mock)))
	}
	return v, nil
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"a.$":"$.b","c":{"d.$":"States.Format('{}', $.e)"}},"End":true}}}`,
		`{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Map","Items":"{% $states.input %}","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}},"End":true}}}`,
		`{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"And":[{"Variable":"$.a","IsPresent":true},{"Not":{"Variable":"$.a","StringMatches":"x*"}}],"Next":"B"}],"Default":"B"},"B":{"Type":"Fail","Error":"e"}}}`,
	} {
		f.Add(s)
	}
	input, err := document.Decode([]byte(`{"a":1,"b":[1,2],"e":"x"}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, diagnostics := Parse([]byte(s))
		if (m == nil) != (len(diagnostics) > 0) {
			t.Fatal(m, diagnostics)
		}
		if m != nil {
			w := walker{}
			w.machine(m, input, map[string]any{}, document.NewObject())
		}
	})
}
