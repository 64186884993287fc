package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/courier"
	"cirro/internal/sandbox"
	"cirro/internal/service/lambda/durable"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// runInvocation invokes an execution's function once. Its message stands for the invocation: while it is not settled
// there is no other, and if the process dies it is taken up again, with what was checkpointed.
func (s *Service) runInvocation(ctx context.Context, m store.Message) courier.Verdict {
	in, ok := s.readMessage(m)
	if !ok {
		return courier.Verdict{}
	}
	a := durable.Answer{Invocation: uuid.NewString(), Request: uuid.NewString()}
	var x durable.Execution
	var event []byte
	err := s.stepDurable(ctx, in.Execution, func(tx store.Tx, st *durable.Step) error {
		told, err := st.Take(a.Invocation)
		if err == nil && !st.Ended {
			x, a.Began = *st.Execution, st.Now
			event, err = s.invocationEvent(tx, st.Execution, told)
		}
		return err
	})
	switch {
	case errors.Is(err, durable.ErrLate) || errors.Is(err, errNoExecution):
		return courier.Verdict{}
	case err != nil:
		return s.laterDurable(ctx, m, err)
	case event == nil:
		return courier.Verdict{} // it timed out
	}
	res, err := s.runVersion(ctx, &x, x.Version, &sandbox.Invocation{RequestID: a.Request, Payload: event, TraceID: x.Trace})
	switch {
	case errors.Is(err, api.ResourceNotFoundException):
		a.Failure, a.Final = errorOf(err), true
	case err != nil:
		return s.laterDurable(ctx, m, err)
	case res.FunctionError != "":
		a.Failure = failureOf(res.Payload, res.FunctionError)
	default:
		a.Payload = res.Payload
	}
	return s.settledDurable(in.Execution, func(st *durable.Step) error { return st.Answered(a) })
}

// settledDurable goes on with an execution in the transaction that takes a message away.
func (s *Service) settledDurable(id string, f func(*durable.Step) error) courier.Verdict {
	release := s.durables.stepping.lock(id)
	return courier.Verdict{
		Then: func(tx store.Tx) error {
			err := s.stepDurableIn(tx, id, func(_ store.Tx, st *durable.Step) error { return f(st) })
			if errors.Is(err, durable.ErrLate) || errors.Is(err, errNoExecution) {
				return nil
			}
			return err
		},
		Finally: func() {
			release()
			s.durables.Poke()
		},
	}
}

func (s *Service) readMessage(m store.Message) (in message, ok bool) {
	if err := json.Unmarshal(m.Body, &in); err != nil {
		s.Log.Error("lambda: a message of a durable execution cannot be read and is dropped", "error", err)
		return in, false
	}
	return in, true
}

// laterDurable puts a message back that could not be handled through no fault of a function.
func (s *Service) laterDurable(ctx context.Context, m store.Message, cause error) courier.Verdict {
	return s.later(ctx, m.Deliveries, cause).settled()
}

// invocationEvent is what the function gets: what it needs of the execution's state, and the token for its first checkpoint.
func (s *Service) invocationEvent(r store.Reader, x *durable.Execution, told []string) ([]byte, error) {
	input, err := r.Get(inputKey(x.ID))
	if err != nil {
		return nil, err
	}
	ops, next, err := ledger{Reader: r, id: x.ID}.state(0, mostItems, max(0, mostStateBytes-len(input)))
	if err != nil {
		return nil, err
	}
	event := durable.Invocation{DurableExecutionArn: x.ARN(), CheckpointToken: s.checkpointToken(x.ID, durable.Place{Invocation: x.Invocation, Sequence: x.Sequence}),
		UpdatedOperationIds: told, InitialExecutionState: durable.State{NextMarker: stateMarker(next)}}
	for _, op := range ops {
		b, err := op.Wire(string(input))
		if err != nil {
			return nil, err
		}
		event.InitialExecutionState.Operations = append(event.InitialExecutionState.Operations, b)
	}
	return json.Marshal(event)
}

// runVersion runs a version of an execution's function itself, as soon as it has room.
func (s *Service) runVersion(ctx context.Context, x *durable.Execution, qualifier string, inv *sandbox.Invocation) (*sandbox.Result, error) {
	in := scope{x.Account, x.Region}
	return s.whenRoom(ctx, in, x.Function, qualifier, func(r *route) (*sandbox.Result, error) {
		inv.InvokedARN = r.invokedARN
		return s.execute(ctx, r, r.pick(), inv)
	})
}

// whenRoom runs a function as it is now. If that has no room it waits for some a while, unless many do.
func (s *Service) whenRoom(ctx context.Context, in scope, name, qualifier string, run func(*route) (*sandbox.Result, error)) (*sandbox.Result, error) {
	until, pause, held := s.Clock().Add(holdFor), shortestHold, false
	for {
		r, err := s.route(ctx, in, name, qualifier)
		if err != nil {
			return nil, err
		}
		res, err := run(r)
		if !errors.Is(err, api.TooManyRequestsException) || ctx.Err() != nil || s.Clock().After(until) {
			return res, err
		}
		if !held {
			if !r.load.waiting.take(holdAtMost) {
				return nil, err
			}
			held = true
			defer r.load.waiting.Add(-1)
		}
		sleep(ctx, pause)
		pause = min(2*pause, longestHold)
	}
}

// takeStep goes on with an execution: something it waits for has ended, a time has come, or its outcome is to be delivered.
func (s *Service) takeStep(ctx context.Context, m store.Message) courier.Verdict {
	in, ok := s.readMessage(m)
	switch {
	case !ok:
		return courier.Verdict{}
	case in.Concluded:
		return s.concludeDurable(ctx, m, in.Execution)
	case in.Child != "":
		return s.childEnded(ctx, m, in)
	}
	return s.lookAt(in.Execution)
}

// lookAt does what is due of an execution, or forgets it.
func (s *Service) lookAt(id string) courier.Verdict {
	release := s.durables.stepping.lock(id)
	return courier.Verdict{
		Then: func(tx store.Tx) error {
			x, found, err := store.GetRecord[durable.Execution](tx, executionKey(id))
			switch {
			case err != nil || !found:
				return err
			case !x.Running() && !s.Clock().Before(x.Alarm):
				return forget(tx, &x)
			}
			st := s.durableStep(tx, &x)
			x.Alarm = time.Time{} // it has rung: whatever comes next is set anew
			if err := st.Tick(); err != nil && !errors.Is(err, durable.ErrLate) {
				return err
			}
			return s.settleDurable(tx, st)
		},
		Finally: func() {
			release()
			s.durables.Poke()
		},
	}
}

// childEnded goes on with an execution whose chained invocation began another one that has ended.
func (s *Service) childEnded(ctx context.Context, m store.Message, in message) courier.Verdict {
	var o durable.Outcome
	err := s.durables.store.View(ctx, func(r store.Reader) error {
		child, found, err := store.GetRecord[durable.Execution](r, executionKey(in.Child))
		if err != nil || !found {
			return orMissing(err, errNoExecution)
		}
		result, err := outputOf(r, &child)
		o = durable.OutcomeOf(&child, result)
		return err
	})
	switch {
	case errors.Is(err, errNoExecution):
		return courier.Verdict{}
	case err != nil:
		return s.laterDurable(ctx, m, err)
	}
	return s.settledDurable(in.Execution, func(st *durable.Step) error { return st.Chained(in.Operation, o) })
}

// concludeDurable delivers the outcome of an execution that nobody waited for.
// https://docs.aws.amazon.com/lambda/latest/dg/durable-best-practices.html
func (s *Service) concludeDurable(ctx context.Context, m store.Message, id string) courier.Verdict {
	var x durable.Execution
	var found bool
	ev := &event{Attempts: 1}
	err := s.durables.store.View(ctx, func(r store.Reader) (err error) {
		if x, found, err = store.GetRecord[durable.Execution](r, executionKey(id)); err != nil || !found {
			return err
		}
		if ev.Payload, err = r.Get(inputKey(id)); err != nil {
			return err
		}
		result, err := outputOf(r, &x)
		if err != nil {
			return err
		}
		res, err := resultOf(&x, result)
		if err == nil {
			ev.Response, ev.FunctionError = res.Payload, res.FunctionError
		}
		return err
	})
	if err != nil {
		return s.laterDurable(ctx, m, err)
	}
	r, err := s.route(ctx, scope{x.Account, x.Region}, x.Function, x.Qualifier)
	switch {
	case !found || errors.Is(err, api.ResourceNotFoundException):
		return courier.Verdict{}
	case err != nil:
		return s.laterDurable(ctx, m, err)
	}
	ev.scope, ev.Function, ev.Qualifier, ev.Version = scope{x.Account, x.Region}, x.Function, x.Qualifier, x.Version
	ev.RequestID, ev.TraceID, ev.Accepted = x.Request, x.Trace, x.Start
	c := endedWell
	if ev.FunctionError != "" {
		c = endedExhausted
	}
	return s.conclude(r, ev, c).settled()
}

// runCall makes a chained invocation of a function that is not durable.
func (s *Service) runCall(ctx context.Context, m store.Message) courier.Verdict {
	in, ok := s.readMessage(m)
	if !ok {
		return courier.Verdict{}
	}
	var x durable.Execution
	var op *durable.Operation
	err := s.durables.store.View(ctx, func(r store.Reader) (err error) {
		var found bool
		if x, found, err = store.GetRecord[durable.Execution](r, executionKey(in.Execution)); err != nil || !found {
			return orMissing(err, errNoExecution)
		}
		op, err = ledger{Reader: r, id: x.ID}.Numbered(in.Operation)
		return err
	})
	switch {
	case errors.Is(err, errNoExecution):
		return courier.Verdict{}
	case err != nil:
		return s.laterDurable(ctx, m, err)
	}
	payload := []byte("{}")
	if op.Input != nil {
		payload = []byte(*op.Input)
	}
	res, err := s.whenRoom(ctx, scope{x.Account, x.Region}, op.Function, "", func(r *route) (*sandbox.Result, error) {
		trace := r.trace(s.Clock(), cmp.Or(op.Trace, x.Trace))
		return s.run(ctx, r, r.pick(), &sandbox.Invocation{RequestID: uuid.NewString(), InvokedARN: r.invokedARN, Payload: payload, TraceID: trace})
	})
	if err != nil && (ctx.Err() != nil || courier.Passing(err)) {
		return s.laterDurable(ctx, m, err)
	}
	return s.settledDurable(in.Execution, func(st *durable.Step) error { return st.Chained(in.Operation, outcomeOfCall(res, err)) })
}

// outcomeOfCall is what a plain function's answer means to the execution that invoked it.
func outcomeOfCall(res *sandbox.Result, err error) durable.Outcome {
	switch {
	case err != nil:
		return durable.Failed(errorOf(err))
	case res.FunctionError != "":
		return durable.Failed(failureOf(res.Payload, res.FunctionError))
	case len(res.Payload) > durable.MostPayload:
		return durable.Failed(&api.ErrorObject{ErrorMessage: new("CHAINED_INVOKE output payload size must be less than or equal to 1048576 bytes.")})
	case !utf8.Valid(res.Payload):
		return durable.Failed(&api.ErrorObject{ErrorMessage: new("CHAINED_INVOKE response could not be decoded as UTF-8.")})
	case len(res.Payload) == 0:
		return durable.Outcome{Status: api.OperationStatusSucceeded}
	}
	return durable.Outcome{Status: api.OperationStatusSucceeded, Result: new(string(res.Payload))}
}

// errorOf is an error of the API as an execution keeps it.
func errorOf(err error) *api.ErrorObject {
	var e *awsapi.Error
	if !errors.As(err, &e) {
		return &api.ErrorObject{ErrorMessage: new(err.Error())}
	}
	return &api.ErrorObject{ErrorType: &e.Type.Code, ErrorMessage: &e.Message}
}

// failureOf is what a function failed with as an execution keeps it.
func failureOf(payload []byte, kind string) *api.ErrorObject {
	var f struct {
		Message *string           `json:"errorMessage"`
		Type    *string           `json:"errorType"`
		Stack   []json.RawMessage `json:"stackTrace"`
	}
	if json.Unmarshal(payload, &f) != nil || f.Message == nil {
		return &api.ErrorObject{ErrorMessage: new(string(payload)), ErrorType: &kind}
	}
	e := &api.ErrorObject{ErrorMessage: f.Message, ErrorType: f.Type}
	for _, line := range f.Stack {
		var text string
		if json.Unmarshal(line, &text) != nil {
			text = string(line)
		}
		e.StackTrace = append(e.StackTrace, text)
	}
	return e
}
