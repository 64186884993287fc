package durable

import (
	"errors"
	"fmt"
	"slices"
	"time"

	api "cirro/internal/awsapi/lambda"
)

// ErrLate is the answer to what an execution, or its operation, no longer waits for.
var ErrLate = errors.New("durable: too late")

// Refusal is what is wrong with a request, in AWS's words.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// How invocations that fail are repeated. AWS's library for tests gives up after as many.
const (
	mostFailures = 5
	mostIdle     = 3
	firstBackoff = 5 * time.Second
)

// Step is one change of an execution, made in one transaction. Its fields below the execution and the ledger say how
// time runs and what else is known; those that it sets say what is to be done.
type Step struct {
	*Execution
	Ledger
	Now time.Time
	// Scale makes a duration as long as it is to be; nil for as long as it is.
	Scale func(time.Duration) time.Duration
	// CallbackID makes the id of the callback of an operation.
	CallbackID func(operation int) string
	// Targets are the functions that the updates of a checkpoint invoke, by the names that they use.
	Targets map[string]Target
	// Call has a chained invocation made, and returns the ARN of the execution that it began, if it did.
	Call func(*Operation, Target) (child string, err error)

	Invoke bool          // the function is to be invoked,
	After  time.Duration // so much later
	Ended  bool
	Result *string // of an execution that ended well
}

// Target is a function that a chained invocation names.
type Target struct {
	Version string
	Durable bool
	Error   *api.ErrorObject // why it cannot be invoked; nil where it can
}

// Begin begins the execution, whose record is new.
func (s *Step) Begin() error {
	s.Status, s.Start, s.Deadline = api.ExecutionStatusRunning, s.Now, s.Now.Add(time.Duration(s.Timeout)*time.Second)
	s.Operations = 1
	root := &Operation{ID: s.ID, Name: s.Name, Type: api.OperationTypeExecution, Status: api.OperationStatusStarted, Start: s.Now}
	if err := s.Keep(root, time.Time{}); err != nil {
		return err
	}
	s.Invoke, s.Invoking = true, true
	return s.record(root, Event{Type: api.EventTypeExecutionStarted, Seconds: int32(s.Timeout)})
}

// Stop ends the execution because somebody asks for it. One that has ended stays as it is.
func (s *Step) Stop(e *api.ErrorObject) error {
	if !s.Running() {
		return nil
	}
	if e == nil {
		e = &api.ErrorObject{}
	}
	return s.end(api.ExecutionStatusStopped, nil, e)
}

// Tick does what is due.
func (s *Step) Tick() error {
	if !s.Running() {
		return ErrLate
	}
	if !s.Now.Before(s.Deadline) {
		return s.end(api.ExecutionStatusTimedOut, nil, &api.ErrorObject{
			ErrorMessage: new(fmt.Sprintf("Execution timed out after %d seconds.", s.Timeout))})
	}
	if err := s.due(); err != nil {
		return err
	}
	s.wake()
	return nil
}

// due goes on with the operations whose time has come.
func (s *Step) due() error {
	ops, err := s.Due(s.Now)
	for _, op := range ops {
		if err == nil {
			err = s.timeUp(op)
		}
	}
	return err
}

func (s *Step) timeUp(op *Operation) error {
	switch op.Type {
	case api.OperationTypeWait:
		return s.change(op, api.OperationStatusSucceeded, Event{Type: api.EventTypeWaitSucceeded, Seconds: op.Seconds})
	case api.OperationTypeStep:
		return s.change(op, api.OperationStatusReady, Event{})
	case api.OperationTypeCallback:
		op.Error = &api.ErrorObject{ErrorType: new("Callback.Timeout"), ErrorMessage: new("Callback timed out")}
		if op.Closes.IsZero() || !op.Beat.IsZero() && op.Beat.Before(op.Closes) {
			op.Error = &api.ErrorObject{ErrorType: new("Callback.Heartbeat"), ErrorMessage: new("Callback timed out on heartbeat")}
		}
		// The event has the type alone: so AWS's conformance tests expect it.
		return s.change(op, api.OperationStatusTimedOut, Event{Type: api.EventTypeCallbackTimedOut, Error: &api.ErrorObject{ErrorType: op.Error.ErrorType}})
	}
	return fmt.Errorf("durable: time goes on with a %s", op.Type)
}

// Callback is the answer to a callback: an error, or a result. Whoever comes late gets ErrLate.
func (s *Step) Callback(n int, id string, result *string, failure *api.ErrorObject) error {
	op, err := s.callback(n, id)
	if err != nil {
		return err
	}
	op.Result, op.Error = result, failure
	status, event := api.OperationStatusSucceeded, Event{Type: api.EventTypeCallbackSucceeded, Payload: result}
	if failure != nil {
		status, event = api.OperationStatusFailed, Event{Type: api.EventTypeCallbackFailed, Error: failure}
	}
	if err := s.change(op, status, event); err != nil {
		return err
	}
	s.wake()
	return nil
}

// Heartbeat says that whoever is to answer a callback is alive.
func (s *Step) Heartbeat(n int, id string) error {
	op, err := s.callback(n, id)
	if err != nil || op.Heartbeat == 0 {
		return err
	}
	was := op.Due
	op.Beat = s.Now.Add(s.scaled(op.Heartbeat))
	op.Due = earlier(op.Closes, op.Beat)
	return s.Keep(op, was)
}

// callback is an operation that waits for an answer.
func (s *Step) callback(n int, id string) (*Operation, error) {
	if !s.Running() || n < 1 || n >= s.Operations {
		return nil, ErrLate
	}
	op, err := s.Numbered(n)
	if err != nil {
		return nil, err
	}
	if op.Callback != id || op.done() || !op.Due.IsZero() && !s.Now.Before(op.Due) {
		return nil, ErrLate
	}
	return op, nil
}

// Outcome is what came of a chained invocation.
type Outcome struct {
	Status string // of the operation
	Result *string
	Error  *api.ErrorObject
}

// Failed is the outcome of what went wrong.
func Failed(e *api.ErrorObject) Outcome {
	return Outcome{Status: api.OperationStatusFailed, Error: e}
}

// MostPayload bounds what goes into a chained invocation and what comes out of it, and every other payload but the
// execution's own, in bytes.
const MostPayload = 1 << 20

// OutcomeOf is what the end of an execution means to the one that began it.
func OutcomeOf(child *Execution, result *string) Outcome {
	switch child.Status {
	case api.ExecutionStatusSucceeded:
		return Outcome{Status: api.OperationStatusSucceeded, Result: result}
	case api.ExecutionStatusTimedOut:
		return Outcome{Status: api.OperationStatusTimedOut, Error: &api.ErrorObject{ErrorType: new("ChainedInvoke.Timeout"),
			ErrorMessage: new(fmt.Sprintf("CHAINED_INVOKE timed out after %d seconds.", child.Timeout))}}
	case api.ExecutionStatusStopped:
		return Outcome{Status: api.OperationStatusStopped, Error: child.Error}
	}
	return Failed(child.Error)
}

// Chained is the outcome of a chained invocation. Whatever comes late gets ErrLate.
func (s *Step) Chained(n int, o Outcome) error {
	if !s.Running() || n < 1 || n >= s.Operations {
		return ErrLate
	}
	op, err := s.Numbered(n)
	if err != nil {
		return err
	}
	if op.Type != api.OperationTypeChainedInvoke || op.done() {
		return ErrLate
	}
	if err := s.chained(op, o); err != nil {
		return err
	}
	s.wake()
	return nil
}

func (s *Step) chained(op *Operation, o Outcome) error {
	op.Result, op.Error = o.Result, o.Error
	if o.Error == nil && o.Status != api.OperationStatusSucceeded {
		op.Error = &api.ErrorObject{}
	}
	e := Event{Payload: op.Result, Error: op.Error, Type: map[string]string{
		api.OperationStatusSucceeded: api.EventTypeChainedInvokeSucceeded,
		api.OperationStatusFailed:    api.EventTypeChainedInvokeFailed,
		api.OperationStatusTimedOut:  api.EventTypeChainedInvokeTimedOut,
		api.OperationStatusStopped:   api.EventTypeChainedInvokeStopped,
	}[o.Status]}
	return s.change(op, o.Status, e)
}

// change gives an operation another status, and tells of it. An event without a type is none.
func (s *Step) change(op *Operation, status string, e Event) error {
	was, pending := op.Due, op.pending()
	op.Status = status
	switch {
	case op.done():
		op.End, op.Due = s.Now, time.Time{}
	case !op.pending():
		op.Due = time.Time{}
	}
	return s.keep(op, was, pending, e)
}

// keep writes an operation that changed.
func (s *Step) keep(op *Operation, was time.Time, pending bool, e Event) error {
	if pending {
		s.Pending--
	}
	if op.pending() {
		s.Pending++
	}
	if !slices.Contains(s.Untold, op.Number) {
		s.Untold = append(s.Untold, op.Number)
	}
	if err := s.Keep(op, was); err != nil || e.Type == "" {
		return err
	}
	return s.record(op, e)
}

// record appends an event of an operation to the history; nil for one of none.
func (s *Step) record(op *Operation, e Event) error {
	e.At = s.Now
	if op != nil {
		e.ID, e.Parent, e.Name, e.SubType = op.ID, op.Parent, op.Name, op.SubType
	}
	s.Events++
	return s.Record(s.Events, &e)
}

// wake has the function invoked if there is something to tell it, and nobody does.
func (s *Step) wake() {
	if s.Running() && !s.Invoking && len(s.Untold) > 0 {
		s.Invoke, s.Invoking = true, true
	}
}

// end ends the execution.
func (s *Step) end(status string, result *string, failure *api.ErrorObject) error {
	s.Status, s.End, s.Error, s.Ended = status, s.Now, failure, true
	s.Untold, s.Receipt, s.Invoke = nil, nil, false
	s.Result, s.HasResult = result, result != nil
	root, err := s.Numbered(0)
	if err != nil {
		return err
	}
	root.Status, root.End = status, s.Now // both have the same names
	if err := s.Keep(root, time.Time{}); err != nil {
		return err
	}
	return s.record(root, Event{Error: failure, Type: map[string]string{
		api.ExecutionStatusSucceeded: api.EventTypeExecutionSucceeded,
		api.ExecutionStatusFailed:    api.EventTypeExecutionFailed,
		api.ExecutionStatusTimedOut:  api.EventTypeExecutionTimedOut,
		api.ExecutionStatusStopped:   api.EventTypeExecutionStopped,
	}[status]})
}

func (s *Step) scaled(seconds int32) time.Duration {
	d := time.Duration(seconds) * time.Second
	if s.Scale != nil {
		return s.Scale(d)
	}
	return d
}
