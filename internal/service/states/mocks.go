package states

import (
	"fmt"
	"strings"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	api "cirro/internal/awsapi/states"
	"cirro/internal/service/states/engine"
)

// testCase takes a test case from the ARN of a machine that an execution is begun with: "…:stateMachine:name#case".
// https://docs.aws.amazon.com/step-functions/latest/dg/sfn-local-test-sm-exec.html
func (s *Service) testCase(arn string) (machine, name string, err error) {
	machine, name, mocked := strings.Cut(arn, "#")
	if !mocked {
		return arn, "", nil
	}
	res, err := parseARN(machine, "stateMachine")
	if err != nil {
		return "", "", err
	}
	plain, _ := res.split()
	switch {
	case s.Mocks == nil:
		err = api.ValidationException.New("The test case '%s' cannot be run: there is no mock configuration (cirro serve --states-mocks FILE)", name)
	case !s.Mocks.Has(plain, name):
		err = api.ValidationException.New("The mock configuration has no test case '%s' of the state machine '%s'", name, plain)
	}
	return machine, name, err
}

// mocked reports whether a mock answers for a state's task.
func (s *Service) mocked(run *engine.Run, state string) bool {
	return s.Mocks.Responses(mockedMachine(run.Machine), run.Case, state) != nil
}

// mockedMachine is the name by which the mock configuration knows a machine: a part of a distributed Map goes by the
// whole machine's.
func mockedMachine(arn string) string {
	name := arn[strings.LastIndexByte(arn, ':')+1:]
	name, _, _ = strings.Cut(name, "/")
	return name
}

// mock answers for a task. What a task waits for has begun, and has ended at once.
func (s *Service) mock(t *engine.Task, r engine.Resource) engine.Reply {
	responses := s.Mocks.Responses(mockedMachine(t.Machine), t.Case, t.State)
	if responses == nil { // the platform was started anew, with another configuration
		return failed(asl.Runtime, fmt.Sprintf("The mock configuration has no responses for the state '%s' in the test case '%s'", t.State, t.Case))
	}
	response, ok := responses.At(t.Invocation)
	switch {
	case !ok:
		return failed(asl.Runtime, fmt.Sprintf("The mocked response '%s' has none for invocation %d of the state '%s'", responses.Name, t.Invocation, t.State))
	case response.Return == nil:
		return failed(response.Error, response.Cause)
	}
	v, err := document.Decode(response.Return)
	if err != nil {
		return failed(asl.Runtime, fmt.Sprintf("The mocked response '%s' is no JSON: %v", responses.Name, err))
	}
	if r.Kind == engine.Function {
		v = functionResult(v)
	}
	reply := engine.Reply{Output: string(document.Encode(v)), Done: true}
	if r.Wait != "" {
		reply.Submitted = reply.Output
	}
	return reply
}

// functionResult is the result of a function that a task names by its ARN: of a response in the form of lambda:invoke,
// its payload.
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/local_mocking/test_base_scenarios.snapshot.json
func functionResult(v any) any {
	o, ok := v.(*document.Object)
	if !ok {
		return v
	}
	payload, has := o.Get("Payload")
	if _, status := o.Get("StatusCode"); has && status {
		return payload
	}
	return v
}
