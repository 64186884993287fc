package durable

import (
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
)

// ErrToken refuses a checkpoint token that is not, or no longer, good.
const ErrToken = Refusal("Invalid checkpoint token")

// Place is where in an execution a checkpoint token stands: it is good for one checkpoint of one invocation.
type Place struct {
	Invocation string
	Sequence   int64
}

// Stands refuses a place that the execution is not at.
func (x *Execution) Stands(at Place) error {
	if !x.Running() || x.Invocation == "" || at.Invocation != x.Invocation || at.Sequence != x.Sequence {
		return ErrToken
	}
	return nil
}

// Reply is what a checkpoint is answered: all that changed since the function was last told.
type Reply struct {
	Place      *Place // of the next checkpoint; nil where the execution has ended
	Operations []*Operation
}

// Checkpoint makes the updates that a function sends, all or none. Where it sends the last ones again, with the token
// of its own that it gave, it gets the same answer.
// https://docs.aws.amazon.com/lambda/latest/api/API_CheckpointDurableExecution.html
func (s *Step) Checkpoint(at Place, client string, updates []api.OperationUpdate) (*Reply, error) {
	if r := s.Receipt; r != nil && client != "" && r.Client == client && s.Stands(Place{at.Invocation, at.Sequence + 1}) == nil {
		return s.reply(r.Told)
	}
	if err := s.Stands(at); err != nil {
		return nil, err
	}
	if err := checkWhole(updates); err != nil {
		return nil, err
	}
	for i := range updates {
		if err := s.update(&updates[i]); err != nil {
			return nil, err
		}
	}
	if s.Ended {
		return &Reply{}, nil
	}
	if err := s.due(); err != nil {
		return nil, err
	}
	s.Sequence++
	s.Receipt = &Receipt{Client: client, Told: s.told()}
	return s.reply(s.Receipt.Told)
}

func (s *Step) reply(told []int) (*Reply, error) {
	r := &Reply{Place: &Place{s.Invocation, s.Sequence}}
	for _, n := range told {
		op, err := s.Numbered(n)
		if err != nil {
			return nil, err
		}
		r.Operations = append(r.Operations, op)
	}
	return r, nil
}

// update makes one update.
func (s *Step) update(u *api.OperationUpdate) error {
	if *u.Type == api.OperationTypeExecution {
		return s.updateExecution(u)
	}
	op, err := s.Operation(*u.Id)
	if err != nil {
		return err
	}
	if err := s.check(u, op); err != nil {
		return err
	}
	switch *u.Type {
	case api.OperationTypeContext:
		return s.updateContext(u, op)
	case api.OperationTypeStep:
		return s.updateStep(u, op)
	case api.OperationTypeWait:
		return s.updateWait(u, op)
	case api.OperationTypeCallback:
		return s.startCallback(u, op)
	}
	return s.startInvoke(u, op)
}

// updateExecution ends the execution. The update's id is the function's own invention.
func (s *Step) updateExecution(u *api.OperationUpdate) error {
	if err := s.check(u, nil); err != nil {
		return err
	}
	if *u.Action == api.OperationActionSucceed {
		return s.end(api.ExecutionStatusSucceeded, u.Payload, nil)
	}
	return s.end(api.ExecutionStatusFailed, nil, orEmpty(u.Error))
}

func (s *Step) updateContext(u *api.OperationUpdate, op *Operation) error {
	if *u.Action == api.OperationActionStart {
		if op != nil {
			return Refusal("Cannot start a CONTEXT that already exist.")
		}
		return s.start(s.create(u), Event{Type: api.EventTypeContextStarted})
	}
	if op == nil {
		op = s.create(u)
	} else if op.done() {
		return Refusal("Invalid current CONTEXT state to close.")
	}
	if o := u.ContextOptions; o != nil {
		op.Replays = awsapi.Val(o.ReplayChildren)
	}
	if *u.Action == api.OperationActionSucceed {
		op.Result = u.Payload
		return s.change(op, api.OperationStatusSucceeded, Event{Type: api.EventTypeContextSucceeded, Payload: op.Result})
	}
	op.Error = orEmpty(u.Error)
	return s.change(op, api.OperationStatusFailed, Event{Type: api.EventTypeContextFailed, Error: op.Error})
}

func (s *Step) updateStep(u *api.OperationUpdate, op *Operation) error {
	if *u.Action == api.OperationActionStart {
		if op == nil {
			return s.start(s.create(u), Event{Type: api.EventTypeStepStarted})
		}
		if op.Status != api.OperationStatusReady {
			return Refusal("Invalid current STEP state to start.")
		}
		return s.change(op, api.OperationStatusStarted, Event{Type: api.EventTypeStepStarted})
	}
	retry := *u.Action == api.OperationActionRetry
	switch {
	case op != nil && op.Status != api.OperationStatusStarted && op.Status != api.OperationStatusReady:
		if retry {
			return Refusal("Invalid current STEP state to re-attempt.")
		}
		return Refusal("Invalid current STEP state to close.")
	case retry && (u.StepOptions == nil || u.StepOptions.NextAttemptDelaySeconds == nil):
		return Refusal("Invalid StepOptions for the given action.")
	case retry && u.Error != nil && u.Payload != nil:
		return Refusal("Cannot provide both error and payload to RETRY a STEP.")
	}
	if op == nil {
		op = s.create(u)
	}
	op.Attempt++
	op.Result, op.Error = u.Payload, u.Error
	e := Event{Type: api.EventTypeStepSucceeded, Payload: op.Result, Error: op.Error, Attempt: int32(op.Attempt)}
	switch {
	case retry:
		return s.retryStep(op, *u.StepOptions.NextAttemptDelaySeconds, e)
	case *u.Action == api.OperationActionSucceed:
		return s.change(op, api.OperationStatusSucceeded, e)
	}
	op.Error = orEmpty(op.Error)
	e.Type, e.Error = api.EventTypeStepFailed, op.Error
	return s.change(op, api.OperationStatusFailed, e)
}

// retryStep has a step wait for its next attempt. Without an error it only looks again later, and keeps what it saw.
func (s *Step) retryStep(op *Operation, seconds int32, e Event) error {
	if op.Error != nil {
		e.Type = api.EventTypeStepFailed
	}
	e.Delay = seconds
	was, pending := op.Due, op.pending()
	op.Status, op.Due = api.OperationStatusPending, s.Now.Add(s.scaled(seconds))
	return s.keep(op, was, pending, e)
}

func (s *Step) updateWait(u *api.OperationUpdate, op *Operation) error {
	if *u.Action == api.OperationActionCancel {
		if op == nil || op.done() {
			return Refusal("Cannot cancel a WAIT that does not exist or has already completed.")
		}
		return s.change(op, api.OperationStatusCancelled, Event{Type: api.EventTypeWaitCancelled, Error: u.Error})
	}
	switch {
	case op != nil:
		return Refusal("Cannot start a WAIT that already exist.")
	case u.WaitOptions == nil || u.WaitOptions.WaitSeconds == nil:
		return Refusal("Update for WAIT operation requires WaitOptions.")
	}
	op = s.create(u)
	op.Seconds = *u.WaitOptions.WaitSeconds
	op.Closes = s.Now.Add(s.scaled(op.Seconds))
	op.Due = op.Closes
	return s.start(op, Event{Type: api.EventTypeWaitStarted, Seconds: op.Seconds, Until: op.Closes})
}

func (s *Step) startCallback(u *api.OperationUpdate, op *Operation) error {
	if op != nil {
		return Refusal("Cannot start a CALLBACK that already exist.")
	}
	op = s.create(u)
	op.Callback = s.CallbackID(op.Number)
	e := Event{Type: api.EventTypeCallbackStarted, Callback: op.Callback}
	if o := u.CallbackOptions; o != nil {
		if e.Seconds = awsapi.Val(o.TimeoutSeconds); e.Seconds > 0 {
			op.Closes = s.Now.Add(s.scaled(e.Seconds))
		}
		if op.Heartbeat = awsapi.Val(o.HeartbeatTimeoutSeconds); op.Heartbeat > 0 {
			op.Beat = s.Now.Add(s.scaled(op.Heartbeat))
		}
		e.Heartbeat = op.Heartbeat
	}
	op.Due = earlier(op.Closes, op.Beat)
	return s.start(op, e)
}

// startInvoke has another function invoked. One that cannot be has failed at once, and its input is not kept.
func (s *Step) startInvoke(u *api.OperationUpdate, op *Operation) error {
	switch {
	case op != nil:
		return Refusal("Cannot start a CHAINED_INVOKE that already exist.")
	case u.ChainedInvokeOptions == nil:
		return Refusal("Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.")
	}
	op = s.create(u)
	op.Function, op.Trace = *u.ChainedInvokeOptions.FunctionName, awsapi.Val(u.ChainedInvokeOptions.XAmznTraceId)
	e := Event{Type: api.EventTypeChainedInvokeStarted, Function: op.Function}
	target := s.Targets[op.Function]
	if target.Error != nil {
		if err := s.start(op, e); err != nil {
			return err
		}
		return s.chained(op, Failed(target.Error))
	}
	op.Input = u.Payload
	child, err := s.Call(op, target)
	if err != nil {
		return err
	}
	e.Payload, e.Version, e.Child = op.Input, target.Version, child
	return s.start(op, e)
}

// create makes the operation of an update, which start or change writes.
func (s *Step) create(u *api.OperationUpdate) *Operation {
	op := &Operation{Number: s.Operations, ID: *u.Id, Parent: awsapi.Val(u.ParentId), Name: awsapi.Val(u.Name), Type: *u.Type,
		SubType: awsapi.Val(u.SubType), Status: api.OperationStatusReady, Start: s.Now}
	s.Operations++
	return op
}

// start writes an operation that is new.
func (s *Step) start(op *Operation, e Event) error {
	op.Status = api.OperationStatusStarted
	return s.keep(op, time.Time{}, false, e)
}

func orEmpty(e *api.ErrorObject) *api.ErrorObject {
	if e == nil {
		return &api.ErrorObject{}
	}
	return e
}
