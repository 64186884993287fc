package mock

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Config is a mock configuration. The nil Config mocks nothing.
type Config struct {
	machines map[string]map[string]Case // by the machine's name, and the test case's
}

// Case is a test case: by a state's name, what its task answers.
type Case map[string]*Responses

// Responses are what a mocked task answers, invocation by invocation.
type Responses struct {
	Name  string // in the file
	spans []span
}

// span is what the invocations up to one before end answer.
type span struct {
	start, end int64
	Response
}

// Response is one answer: a result, or an error.
type Response struct {
	Return       json.RawMessage // nil for an error
	Error, Cause string
}

// Read reads a file.
func Read(path string) (*Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the mock configuration cannot be read: %w", err)
	}
	c, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("the mock configuration %s is wrong: %w", path, err)
	}
	return c, nil
}

// Has reports whether a machine has a test case.
func (c *Config) Has(machine, name string) bool {
	if c == nil {
		return false
	}
	_, ok := c.machines[machine][name]
	return ok
}

// Responses are those of a state in a test case of a machine; nil where it is not mocked.
func (c *Config) Responses(machine, name, state string) *Responses {
	if c == nil {
		return nil
	}
	return c.machines[machine][name][state]
}

// Mocks reports whether any test case of a machine mocks a state.
func (c *Config) Mocks(machine, state string) bool {
	if c == nil {
		return false
	}
	for _, one := range c.machines[machine] {
		if one[state] != nil {
			return true
		}
	}
	return false
}

// At is the answer to an invocation, counted from 0; false where the file has none.
func (r *Responses) At(invocation int64) (Response, bool) {
	for _, s := range r.spans {
		if invocation >= s.start && invocation < s.end {
			return s.Response, true
		}
	}
	return Response{}, false
}

// file is the configuration as it is written.
type file struct {
	StateMachines map[string]struct {
		TestCases map[string]map[string]string
	}
	MockedResponses map[string]map[string]response
}

type response struct {
	Return json.RawMessage
	Throw  *struct{ Error, Cause *string }
}

// Parse reads a configuration. Its error names all that is wrong, with where it is.
func Parse(b []byte) (*Config, error) {
	if err := wellFormed(b); err != nil {
		return nil, err
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, mistyped(err)
	}
	var problems []error
	for _, top := range []struct {
		name    string
		missing bool
	}{{"StateMachines", f.StateMachines == nil}, {"MockedResponses", f.MockedResponses == nil}} {
		if top.missing {
			problems = append(problems, fmt.Errorf("%s is missing", top.name))
		}
	}
	responses := map[string]*Responses{}
	for _, name := range slices.Sorted(maps.Keys(f.MockedResponses)) {
		r, err := responsesOf(name, f.MockedResponses[name])
		if err != nil {
			problems = append(problems, err)
		}
		responses[name] = r
	}
	c := &Config{machines: map[string]map[string]Case{}}
	for _, machine := range slices.Sorted(maps.Keys(f.StateMachines)) {
		cases := f.StateMachines[machine].TestCases
		if cases == nil {
			problems = append(problems, fmt.Errorf("StateMachines.%s: TestCases is missing", machine))
		}
		c.machines[machine] = map[string]Case{}
		for _, name := range slices.Sorted(maps.Keys(cases)) {
			one := Case{}
			for _, state := range slices.Sorted(maps.Keys(cases[name])) {
				if one[state] = responses[cases[name][state]]; one[state] == nil && f.MockedResponses[cases[name][state]] == nil {
					problems = append(problems, fmt.Errorf("StateMachines.%s.TestCases.%s.%s: MockedResponses has no %q", machine, name, state, cases[name][state]))
				}
			}
			c.machines[machine][name] = one
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return c, nil
}

// wellFormed says where a text is no JSON, or has a name twice in an object.
func wellFormed(b []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(b))
	_, err := d.ReadValue()
	if err == nil {
		if _, err = d.ReadToken(); errors.Is(err, io.EOF) {
			return nil
		}
	}
	at, cause := d.InputOffset(), err
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at, cause = syntax.ByteOffset, syntax.Err
	} else if err == nil {
		cause = errors.New("there is more than one value")
	}
	line, column := position(b, at)
	return fmt.Errorf("line %d, column %d: %w", line, column, cause)
}

// position is where a byte is, for a reader: both numbers begin with 1.
func position(b []byte, at int64) (line, column int) {
	before := string(b[:min(max(at, 0), int64(len(b)))])
	return strings.Count(before, "\n") + 1, len(before) - strings.LastIndexByte(before, '\n')
}

// mistyped says which member has a value of the wrong type.
func mistyped(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		where := e.Field
		if where == "" {
			where = "the file"
		}
		return fmt.Errorf("%s must not be of the type %s", where, e.Value)
	}
	return err
}

// responsesOf reads the answers of one name: each invocation from 0 to the last has one.
func responsesOf(name string, list map[string]response) (*Responses, error) {
	r := &Responses{Name: name}
	at := "MockedResponses." + name
	for _, key := range slices.Sorted(maps.Keys(list)) {
		start, end, err := spanOf(key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		one, err := list[key].read()
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", at, key, err)
		}
		r.spans = append(r.spans, span{start, end, one})
	}
	slices.SortFunc(r.spans, func(a, b span) int { return int(a.start - b.start) })
	next := int64(0)
	for _, s := range r.spans {
		switch {
		case s.start < next:
			return nil, fmt.Errorf("%s: invocation %d has two responses", at, s.start)
		case s.start > next:
			return nil, fmt.Errorf("%s: invocation %d has no response", at, next)
		}
		next = s.end
	}
	if next == 0 {
		return nil, fmt.Errorf("%s: there is no response", at)
	}
	return r, nil
}

// maxInvocations bounds the numbers of invocations: an execution has no more events.
const maxInvocations = 25_000

// spanOf reads the numbers of invocations: "0", or "1-2" with both ends.
func spanOf(key string) (start, end int64, err error) {
	first, last, ranged := strings.Cut(key, "-")
	if start, err = invocation(first); err == nil && ranged {
		end, err = invocation(last)
	} else {
		end = start
	}
	if err != nil || end < start {
		return 0, 0, fmt.Errorf("%q names no invocations: write \"0\", or \"1-2\" for a range", key)
	}
	return start, end + 1, nil
}

func invocation(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil && n >= maxInvocations {
		err = strconv.ErrRange
	}
	return int64(n), err
}

func (r response) read() (Response, error) {
	switch {
	case r.Return != nil && r.Throw != nil:
		return Response{}, errors.New("there are both Return and Throw")
	case r.Return != nil:
		return Response{Return: r.Return}, nil
	case r.Throw == nil:
		return Response{}, errors.New("there is neither Return nor Throw")
	case r.Throw.Error == nil || r.Throw.Cause == nil:
		return Response{}, errors.New("a Throw must have Error and Cause")
	}
	return Response{Error: *r.Throw.Error, Cause: *r.Throw.Cause}, nil
}
