package mock

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sample is the configuration of AWS's documentation, in short.
const sample = `{"StateMachines":{"LambdaSQSIntegration":{"TestCases":{
	"HappyPath":{"LambdaState":"MockedLambdaSuccess","SQSState":"MockedSQSSuccess"},
	"RetryPath":{"LambdaState":"MockedLambdaRetry","SQSState":"MockedSQSSuccess"},
	"HybridPath":{"LambdaState":"MockedLambdaSuccess"}}}},
"MockedResponses":{
	"MockedLambdaSuccess":{"0":{"Return":{"StatusCode":200}}},
	"MockedSQSSuccess":{"0":{"Return":null}},
	"MockedLambdaRetry":{
		"0":{"Throw":{"Error":"Lambda.ResourceNotReadyException","Cause":"not ready"}},
		"1-2":{"Throw":{"Error":"Lambda.TimeoutException","Cause":"timed out"}},
		"3":{"Return":{"StatusCode":200}}}}}`

func TestParse(t *testing.T) {
	c, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	const machine = "LambdaSQSIntegration"
	if !c.Has(machine, "HappyPath") || c.Has(machine, "None") || c.Has("None", "HappyPath") || (*Config)(nil).Has(machine, "HappyPath") {
		t.Error("test cases")
	}
	if !c.Mocks(machine, "SQSState") || c.Mocks(machine, "Other") || (*Config)(nil).Mocks(machine, "SQSState") {
		t.Error("mocked states")
	}
	if c.Responses(machine, "HybridPath", "SQSState") != nil || (*Config)(nil).Responses(machine, "HappyPath", "SQSState") != nil {
		t.Error("a state that is not mocked")
	}
	if r, ok := c.Responses(machine, "HappyPath", "SQSState").At(0); !ok || string(r.Return) != "null" {
		t.Errorf("a result that is null: %+v", r)
	}
	retry := c.Responses(machine, "RetryPath", "LambdaState")
	for n, want := range []Response{{Error: "Lambda.ResourceNotReadyException", Cause: "not ready"}, {Error: "Lambda.TimeoutException", Cause: "timed out"},
		{Error: "Lambda.TimeoutException", Cause: "timed out"}, {Return: []byte(`{"StatusCode":200}`)}} {
		if r, ok := retry.At(int64(n)); !ok || string(r.Return) != string(want.Return) || r.Error != want.Error || r.Cause != want.Cause {
			t.Errorf("invocation %d: %+v", n, r)
		}
	}
	if _, ok := retry.At(4); ok {
		t.Error("a response after the last")
	}
}

func TestWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "line 1, column 1: "},
		{"{\n  \"StateMachines\": {},\n  }", "line 3, column 3: "},
		{`{"StateMachines":{},"StateMachines":{},"MockedResponses":{}}`, "duplicate"},
		{`{} {}`, "there is more than one value"},
		{`[]`, "the file must not be of the type array"},
		{`{"StateMachines":{"M":{"TestCases":{"C":{"S":1}}}},"MockedResponses":{}}`, "TestCases"},
		{`{}`, "StateMachines is missing\nMockedResponses is missing"},
		{`{"StateMachines":{"M":{}},"MockedResponses":{}}`, "StateMachines.M: TestCases is missing"},
		{`{"StateMachines":{"M":{"TestCases":{"C":{"S":"R"}}}},"MockedResponses":{}}`, `StateMachines.M.TestCases.C.S: MockedResponses has no "R"`},
		{`{"StateMachines":{},"MockedResponses":{"R":{}}}`, "MockedResponses.R: there is no response"},
		{`{"StateMachines":{},"MockedResponses":{"R":{"0":{}}}}`, "MockedResponses.R.0: there is neither Return nor Throw"},
		{`{"StateMachines":{},"MockedResponses":{"R":{"0":{"Return":1,"Throw":{"Error":"a","Cause":"b"}}}}}`, "MockedResponses.R.0: there are both Return and Throw"},
		{`{"StateMachines":{},"MockedResponses":{"R":{"0":{"Throw":{"Error":"a"}}}}}`, "MockedResponses.R.0: a Throw must have Error and Cause"},
		{`{"StateMachines":{},"MockedResponses":{"R":{"x":{"Return":1}}}}`, `MockedResponses.R: "x" names no invocations: write "0", or "1-2" for a range`},
		{`{"StateMachines":{},"MockedResponses":{"R":{"2-1":{"Return":1}}}}`, `"2-1" names no invocations`},
		{`{"StateMachines":{},"MockedResponses":{"R":{"-1":{"Return":1}}}}`, `"-1" names no invocations`},
		{`{"StateMachines":{},"MockedResponses":{"R":{"99999999999":{"Return":1}}}}`, `"99999999999" names no invocations`},
		{`{"StateMachines":{},"MockedResponses":{"R":{"0":{"Return":1},"2":{"Return":1}}}}`, "MockedResponses.R: invocation 1 has no response"},
		{`{"StateMachines":{},"MockedResponses":{"R":{"1":{"Return":1}}}}`, "MockedResponses.R: invocation 0 has no response"},
		{`{"StateMachines":{},"MockedResponses":{"R":{"0-2":{"Return":1},"2":{"Return":1}}}}`, "MockedResponses.R: invocation 2 has two responses"},
	} {
		if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mocks.json")
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "the mock configuration cannot be read: ") {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "the mock configuration "+path+" is wrong: line 1") {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"StateMachines":{"M":{"TestCases":{"C":{"S":"R"}}}},"MockedResponses":{"R":{"0-3":{"Return":[]},"4":{"Throw":{"Error":"E","Cause":""}}}}}`))
	f.Add([]byte(`{"MockedResponses":{"R":{"0-":{}}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		for machine, cases := range c.machines {
			for name, states := range cases {
				for state, r := range states {
					if r == nil || !c.Mocks(machine, state) || !c.Has(machine, name) {
						t.Fatalf("%s.%s.%s has no responses", machine, name, state)
					}
					if _, ok := r.At(0); !ok {
						t.Fatalf("%s has no first response", r.Name)
					}
				}
			}
		}
	})
}
