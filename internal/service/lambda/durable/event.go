package durable

import (
	"time"

	api "cirro/internal/awsapi/lambda"
)

// Event is one of an execution's history. The input and the result of the execution itself are not in it: they lie
// beside.
type Event struct {
	Type    string
	At      time.Time
	ID      string           `json:",omitempty"` // of the operation
	Parent  string           `json:",omitempty"`
	Name    string           `json:",omitempty"`
	SubType string           `json:",omitempty"`
	Payload *string          `json:",omitempty"`
	Error   *api.ErrorObject `json:",omitempty"`

	Attempt   int32     `json:",omitempty"`
	Delay     int32     `json:",omitempty"` // before the next attempt, in seconds
	Seconds   int32     `json:",omitempty"` // of a wait, or until a callback times out, or of an execution
	Heartbeat int32     `json:",omitempty"`
	Until     time.Time `json:",omitzero"`
	Callback  string    `json:",omitempty"`
	Function  string    `json:",omitempty"`
	Version   string    `json:",omitempty"`
	Child     string    `json:",omitempty"` // the ARN of the execution that was begun
	Request   string    `json:",omitempty"`
	Began     time.Time `json:",omitzero"`
}

// Sight is how much of a history is shown.
type Sight struct {
	Data          bool // payloads and errors
	Input, Result *string
}

// View is the event as the API shows it.
// https://docs.aws.amazon.com/lambda/latest/api/API_Event.html
func (e *Event) View(number int, s Sight) api.Event {
	v := api.Event{EventType: &e.Type, EventId: new(int32(number)), EventTimestamp: &e.At, Id: text(e.ID), ParentId: text(e.Parent),
		Name: text(e.Name), SubType: text(e.SubType)}
	if !e.viewExecution(&v, s) && !e.viewWork(&v, s) {
		e.viewOutside(&v, s)
	}
	return v
}

// viewExecution sets the details of what happens to the execution itself.
func (e *Event) viewExecution(v *api.Event, s Sight) bool {
	switch e.Type {
	case api.EventTypeExecutionStarted:
		v.ExecutionStartedDetails = &api.ExecutionStartedDetails{Input: s.input(s.Input), ExecutionTimeout: &e.Seconds}
	case api.EventTypeExecutionSucceeded:
		v.ExecutionSucceededDetails = &api.ExecutionSucceededDetails{Result: s.result(s.Result)}
	case api.EventTypeExecutionFailed:
		v.ExecutionFailedDetails = &api.ExecutionFailedDetails{Error: s.failure(e.Error)}
	case api.EventTypeExecutionTimedOut:
		v.ExecutionTimedOutDetails = &api.ExecutionTimedOutDetails{}
	case api.EventTypeExecutionStopped:
		v.ExecutionStoppedDetails = &api.ExecutionStoppedDetails{Error: s.failure(e.Error)}
	case api.EventTypeInvocationCompleted:
		v.InvocationCompletedDetails = &api.InvocationCompletedDetails{StartTimestamp: &e.Began, EndTimestamp: &e.At, RequestId: &e.Request}
		if e.Error != nil {
			v.InvocationCompletedDetails.Error = s.failure(e.Error)
		}
	default:
		return false
	}
	return true
}

// viewWork sets the details of what the function does itself.
func (e *Event) viewWork(v *api.Event, s Sight) bool {
	switch e.Type {
	case api.EventTypeContextStarted:
		v.ContextStartedDetails = &api.ContextStartedDetails{}
	case api.EventTypeContextSucceeded:
		v.ContextSucceededDetails = &api.ContextSucceededDetails{Result: s.result(e.Payload)}
	case api.EventTypeContextFailed:
		v.ContextFailedDetails = &api.ContextFailedDetails{Error: s.failure(e.Error)}
	case api.EventTypeStepStarted:
		v.StepStartedDetails = &api.StepStartedDetails{}
	case api.EventTypeStepSucceeded:
		v.StepSucceededDetails = &api.StepSucceededDetails{Result: s.result(e.Payload), RetryDetails: e.retry()}
	case api.EventTypeStepFailed:
		v.StepFailedDetails = &api.StepFailedDetails{Error: s.failure(e.Error), RetryDetails: e.retry()}
	default:
		return false
	}
	return true
}

// viewOutside sets the details of what goes on outside the function.
func (e *Event) viewOutside(v *api.Event, s Sight) {
	switch e.Type {
	case api.EventTypeWaitStarted:
		v.WaitStartedDetails = &api.WaitStartedDetails{Duration: &e.Seconds, ScheduledEndTimestamp: instant(e.Until)}
	case api.EventTypeWaitSucceeded:
		v.WaitSucceededDetails = &api.WaitSucceededDetails{Duration: &e.Seconds}
	case api.EventTypeWaitCancelled:
		v.WaitCancelledDetails = &api.WaitCancelledDetails{}
		if e.Error != nil {
			v.WaitCancelledDetails.Error = s.failure(e.Error)
		}
	case api.EventTypeCallbackStarted:
		v.CallbackStartedDetails = &api.CallbackStartedDetails{CallbackId: &e.Callback, Timeout: seconds(e.Seconds),
			HeartbeatTimeout: seconds(e.Heartbeat)}
	case api.EventTypeCallbackSucceeded:
		v.CallbackSucceededDetails = &api.CallbackSucceededDetails{Result: s.result(e.Payload)}
	case api.EventTypeCallbackFailed:
		v.CallbackFailedDetails = &api.CallbackFailedDetails{Error: s.failure(e.Error)}
	case api.EventTypeCallbackTimedOut:
		v.CallbackTimedOutDetails = &api.CallbackTimedOutDetails{Error: s.failure(e.Error)}
	case api.EventTypeChainedInvokeStarted:
		v.ChainedInvokeStartedDetails = &api.ChainedInvokeStartedDetails{FunctionName: &e.Function, ExecutedVersion: text(e.Version),
			DurableExecutionArn: text(e.Child)}
		if e.Version != "" {
			v.ChainedInvokeStartedDetails.Input = s.input(e.Payload)
		}
	case api.EventTypeChainedInvokeSucceeded:
		v.ChainedInvokeSucceededDetails = &api.ChainedInvokeSucceededDetails{Result: s.result(e.Payload)}
	case api.EventTypeChainedInvokeFailed:
		v.ChainedInvokeFailedDetails = &api.ChainedInvokeFailedDetails{Error: s.failure(e.Error)}
	case api.EventTypeChainedInvokeTimedOut:
		v.ChainedInvokeTimedOutDetails = &api.ChainedInvokeTimedOutDetails{Error: s.failure(e.Error)}
	case api.EventTypeChainedInvokeStopped:
		v.ChainedInvokeStoppedDetails = &api.ChainedInvokeStoppedDetails{Error: s.failure(e.Error)}
	}
}

func (e *Event) retry() *api.RetryDetails {
	return &api.RetryDetails{CurrentAttempt: &e.Attempt, NextAttemptDelaySeconds: seconds(e.Delay)}
}

// seconds is a duration that 0 says there is none.
func seconds(n int32) *int32 {
	if n == 0 {
		return nil
	}
	return &n
}

// input, result and failure show what is shown, or say that it was left out.
func (s Sight) input(p *string) *api.EventInput {
	if !s.Data {
		return &api.EventInput{Truncated: new(true)}
	}
	return &api.EventInput{Payload: p, Truncated: new(false)}
}

func (s Sight) result(p *string) *api.EventResult {
	if !s.Data {
		return &api.EventResult{Truncated: new(true)}
	}
	return &api.EventResult{Payload: p, Truncated: new(false)}
}

func (s Sight) failure(e *api.ErrorObject) *api.EventError {
	if !s.Data {
		return &api.EventError{Truncated: new(true)}
	}
	return &api.EventError{Payload: e, Truncated: new(false)}
}
