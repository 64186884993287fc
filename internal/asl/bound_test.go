package asl

import (
	"fmt"
	"strings"
	"testing"

	"cirro/internal/asl/document"
)

// A field that would make far more than may pass between states fails before it is made.
func TestFieldsThatMakeTooMuchFail(t *testing.T) {
	input := document.NewObject("big", strings.Repeat("x", document.MaxSize/2))
	for name, state := range map[string]string{
		"a template": `"Parameters": {` + repeated(`"m%d.$": "$"`) + `}`,
		"calls":      `"Parameters": {` + repeated(`"m%d.$": "States.Array($, $)"`) + `}`,
		"queries":    `"QueryLanguage": "JSONata", "Output": {` + repeated(`"m%d": "{%% $states.input %%}"`) + `}`,
		"variables":  `"Assign": {` + repeated(`"m%d.$": "$"`) + `}`,
		"a path":     `"OutputPath": "$..[` + strings.Repeat("'big',", 100) + `'big']"`,
	} {
		t.Run(name, func(t *testing.T) {
			m, diagnostics := Parse([]byte(`{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true, ` + state + `}}}`))
			if m == nil {
				t.Fatal(diagnostics)
			}
			sc := &Scope{Input: input}
			s := m.States["A"]
			result, failure := s.Begin(sc)
			if failure == nil {
				sc.Result, sc.Done = result, true
				_, failure = s.Finish(sc)
			}
			if failure == nil || failure.Error != DataLimitExceeded {
				t.Errorf("%+v", failure)
			}
		})
	}
}

// repeated are a hundred members of an object.
func repeated(member string) string {
	var members []string
	for i := range 100 {
		members = append(members, fmt.Sprintf(member, i))
	}
	return strings.Join(members, ", ")
}
