package states

import (
	"context"
	"math/rand/v2"
	"strings"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/states"
	"cirro/internal/service/states/engine"

	"github.com/google/uuid"
)

// trial is a state that is tried by itself.
type trial struct {
	service *Service
	state   *asl.State
	scope   *asl.Scope
	in      *api.TestStateInput
	out     *api.TestStateOutput
	data    *api.InspectionData
	now     string
}

// TestState runs one state, without a machine, and tells what its fields made of its input.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_TestState.html
func (s *Service) TestState(ctx context.Context, in *api.TestStateInput) (*api.TestStateOutput, error) {
	t := &trial{service: s, in: in, out: &api.TestStateOutput{}, data: &api.InspectionData{}}
	if err := t.read(); err != nil {
		return nil, err
	}
	t.run(ctx)
	if level := awsapi.Val(in.InspectionLevel); level == api.InspectionLevelDebug || level == api.InspectionLevelTrace {
		t.out.InspectionData = t.data
	}
	return t.out, nil
}

// read reads the definition, of a state or of a whole machine, and what the state begins with.
func (t *trial) read() error {
	name := awsapi.Val(t.in.StateName)
	if name == "" {
		name = "StateName"
		state, diagnostics := asl.ParseState([]byte(*t.in.Definition), name)
		if state == nil {
			return invalidState(diagnostics)
		}
		t.state = state
	} else {
		m, diagnostics := t.service.check("", *t.in.Definition, api.StateMachineTypeStandard)
		if m == nil {
			return invalidState(diagnostics)
		}
		for at, state := range m.All() {
			if strings.HasSuffix(at, "/States/"+name) {
				t.state = state
			}
		}
		if t.state == nil {
			return api.ValidationException.New("State '%s' not found in definition", name)
		}
	}
	if t.state.Type == asl.Task {
		if problem := t.service.checkResource(t.state.Resource, false); problem != "" {
			return api.InvalidDefinition.New("Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: %s at /Resource'", problem)
		}
		if t.in.RoleArn == nil && t.in.Mock == nil {
			return api.ValidationException.New("RoleArn is required for a Task state unless it is mocked")
		}
	}
	if c := t.in.StateConfiguration; c != nil && c.MapItemReaderData != nil {
		return api.ValidationException.New("Cirro does not implement mapItemReaderData of TestState: give the items in the input")
	}
	if (t.state.Type == asl.Map || t.state.Type == asl.Parallel) && t.in.Mock == nil {
		return api.ValidationException.New("State type '%s' is not supported when a mock is not specified", t.state.Type)
	}
	return t.begin(name)
}

func invalidState(diagnostics []asl.Diagnostic) error {
	all := make([]string, len(diagnostics))
	for i, d := range diagnostics {
		all[i] = d.String()
	}
	return api.InvalidDefinition.New("Invalid State Machine Definition: '%s'", strings.Join(all, ", "))
}

// begin readies the scope of the state.
func (t *trial) begin(name string) error {
	text, err := inputOf(t.in.Input)
	if err != nil {
		return err
	}
	input, err := document.Decode([]byte(text))
	if err != nil {
		return err
	}
	t.data.Input = &text
	t.now = t.service.Clock().UTC().Format("2006-01-02T15:04:05.000Z")
	var given any = document.NewObject("Execution", document.NewObject("Id", "arn:aws:states:us-east-1:000000000000:express:Test:"+uuid.NewString(),
		"Input", input, "RoleArn", awsapi.Val(t.in.RoleArn), "StartTime", t.now), "State", document.NewObject("EnteredTime", t.now, "Name", name),
		"StateMachine", document.NewObject("Id", "arn:aws:states:us-east-1:000000000000:stateMachine:Test", "Name", "Test"))
	if t.in.Context != nil {
		if given, err = document.Decode([]byte(*t.in.Context)); err != nil {
			return api.ValidationException.New("The context is not valid JSON: %v", err)
		}
	}
	t.scope = &asl.Scope{Input: input, Context: func() any { return given }, Inspect: t.inspect}
	if t.in.Variables == nil {
		return nil
	}
	v, err := document.Decode([]byte(*t.in.Variables))
	object, ok := v.(*document.Object)
	if err != nil || !ok {
		return api.ValidationException.New("The variables are not a valid JSON object")
	}
	t.scope.Variables = map[string]any{}
	for name, v := range object.All() {
		t.scope.Variables[name] = v
	}
	return nil
}

func (t *trial) inspect(after string, v any) {
	to, ok := map[string]**string{"InputPath": &t.data.AfterInputPath, "Parameters": &t.data.AfterParameters, "Arguments": &t.data.AfterArguments,
		"ResultSelector": &t.data.AfterResultSelector, "ResultPath": &t.data.AfterResultPath}[after]
	if ok {
		*to = new(string(document.Encode(v)))
	}
}

// run runs the state and writes down how it ended.
func (t *trial) run(ctx context.Context) {
	out, failure := t.outcome(ctx)
	if failure == nil {
		t.succeeded(out, api.TestExecutionStatusSucceeded)
		return
	}
	t.out.Error, t.out.Cause = some(failure.Error), some(failure.Cause)
	if t.state.Type != asl.Fail {
		if t.retriable(failure) {
			return
		}
		if out, caught, again := t.state.Catch(t.scope, failure); caught && again == nil {
			t.data.ErrorDetails = &api.InspectionErrorDetails{CatchIndex: new(int32(t.state.CaughtBy(failure)))}
			t.succeeded(out, api.TestExecutionStatusCaughtError)
			return
		}
	}
	t.out.Status = new(api.TestExecutionStatusFailed)
}

func (t *trial) succeeded(out asl.Outcome, status string) {
	t.out.Status, t.out.Output, t.out.NextState = &status, new(string(document.Encode(out.Output))), some(out.Next)
	if len(out.Variables) > 0 {
		variables := document.NewObject()
		for name, v := range out.Variables {
			variables.Set(name, v)
		}
		t.data.Variables = new(string(document.Encode(variables)))
	}
}

// retriable reports whether the state would be tried again.
func (t *trial) retriable(failure *asl.Failure) bool {
	attempts := make([]int64, len(t.state.Retriers))
	if c := t.in.StateConfiguration; c != nil && c.RetrierRetryCount != nil {
		for i := range attempts {
			attempts[i] = int64(*c.RetrierRetryCount)
		}
	}
	delay, i, again := t.state.RetryAfter(failure, attempts, rand.Float64)
	if again {
		t.out.Status = new(api.TestExecutionStatusRetriable)
		t.data.ErrorDetails = &api.InspectionErrorDetails{RetryIndex: new(int32(i)), RetryBackoffIntervalSeconds: new(int32(delay.Seconds()))}
	}
	return again
}

func (t *trial) outcome(ctx context.Context) (out asl.Outcome, failure *asl.Failure) {
	s, sc := t.state, t.scope
	switch s.Type {
	case asl.Choice:
		return s.Choose(sc)
	case asl.Succeed:
		return s.Skim(sc)
	case asl.Fail:
		return out, s.Failed(sc)
	case asl.Wait:
		if _, failure := s.Until(sc, t.service.Clock()); failure != nil {
			return out, failure
		}
		return s.Skim(sc)
	}
	effective, failure := s.Begin(sc)
	if failure != nil {
		return out, failure
	}
	if s.Type == asl.Pass {
		sc.Result, failure = s.Passed(sc, effective)
	} else {
		sc.Result, failure = t.work(ctx, effective)
	}
	if failure != nil {
		return out, failure
	}
	t.data.Result = new(string(document.Encode(sc.Result)))
	return s.Finish(sc)
}

// tolerated is the failure of a Map state of which more iterations fail, as its trial says, than it tolerates.
func (t *trial) tolerated() *asl.Failure {
	if t.state.Type != asl.Map || t.in.StateConfiguration == nil || t.in.StateConfiguration.MapIterationFailureCount == nil {
		return nil
	}
	count, percent, failure := t.state.Tolerated(t.scope)
	if failure != nil {
		return failure
	}
	bad := int64(*t.in.StateConfiguration.MapIterationFailureCount)
	if bad == 0 || bad <= count {
		return nil
	}
	if items, failure := t.state.Items(t.scope, t.scope.Input); failure == nil && percent > 0 && float64(bad) <= percent/100*float64(len(items)) {
		return nil
	}
	return &asl.Failure{Error: asl.ExceedToleratedFailureThreshold, Cause: "The specified tolerated failure threshold was exceeded"}
}

// work is what a mock says, or what the task gives.
func (t *trial) work(ctx context.Context, effective any) (any, *asl.Failure) {
	if failure := t.tolerated(); failure != nil {
		return nil, failure
	}
	if m := t.in.Mock; m != nil {
		if e := m.ErrorOutput; e != nil {
			return nil, &asl.Failure{Error: awsapi.Val(e.Error), Cause: awsapi.Val(e.Cause)}
		}
		v, err := document.Decode([]byte(awsapi.Val(m.Result)))
		if err != nil {
			return nil, &asl.Failure{Error: asl.Runtime, Cause: "The mocked result is not valid JSON: " + err.Error()}
		}
		return v, nil
	}
	r := awsapi.RequestOf(ctx)
	reply := t.service.perform(ctx, &engine.Task{Run: uuid.NewString(), State: t.state.Name, Resource: t.state.Resource, Parameters: string(document.Encode(effective)),
		Machine: "arn:aws:states:" + r.Region + ":" + r.Account() + ":stateMachine:Test", Role: awsapi.Val(t.in.RoleArn), Account: r.Account(), Region: r.Region})
	switch {
	case reply.Failure != nil:
		return nil, reply.Failure
	case !reply.Done:
		return nil, &asl.Failure{Error: asl.Runtime, Cause: "A state that waits for an answer can only be tested with a mock"}
	}
	v, err := document.Decode([]byte(reply.Output))
	if err != nil {
		return nil, &asl.Failure{Error: asl.Runtime, Cause: "The task's result is not valid JSON: " + err.Error()}
	}
	return v, nil
}
