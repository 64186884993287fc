package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/sandbox"
	"cirro/internal/service/lambda/durable"
	"cirro/internal/store"
)

// mostAwaited is how long an execution may take that somebody waits for, in seconds.
const mostAwaited = 900

// unqualified refuses to begin an execution that names no version.
// https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html#durable-invoking-qualified-arns
func unqualified() *awsapi.Error {
	return api.InvalidParameterValueException.New("You cannot invoke a durable function using an unqualified ARN.").With("Type", "User")
}

// durablyNamed refuses what goes wrong with the way that a request names a function that is durable, or is not.
func (r *route) durablyNamed(name string) error {
	switch {
	case r.main.Durable != nil && r.Qualifier == "":
		return unqualified()
	case r.main.Durable == nil && name != "":
		return invalid("You cannot name an execution of a function that is not durable.")
	}
	return nil
}

// beginning says how an execution is begun.
type beginning struct {
	Name    string // "" for any
	Payload []byte
	Request string
	Trace   string
	Awaited bool
}

// start begins an execution, or finds the one that has its name already.
// https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html
func (s *Service) start(ctx context.Context, r *route, e *executable, b beginning) (*durable.Execution, error) {
	switch {
	case r.Qualifier == "":
		return nil, unqualified()
	case e.refused != nil:
		return nil, e.refused
	case b.Awaited && e.Durable.Timeout > mostAwaited:
		return nil, invalid("You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes.")
	}
	var x *durable.Execution
	err := s.durables.store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		x = newExecution(e, r.Qualifier, b.Name)
		x.Trace, x.Request, x.Awaited, x.Detached = b.Trace, b.Request, b.Awaited, !b.Awaited
		if b.Awaited {
			x.Limit = maxRequest
		}
		if b.Name != "" {
			found, err := s.started(tx, x, b)
			if err != nil || found != nil {
				x = found
				return err
			}
		}
		return s.beginDurable(tx, x, b.Payload)
	})
	s.durables.Poke()
	return x, err
}

// started is the execution that has the name of another already, nil for none. It must be the same.
func (s *Service) started(tx store.Tx, like *durable.Execution, b beginning) (*durable.Execution, error) {
	id, err := tx.Get(executionNameKey(like))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	x, found, err := store.GetRecord[durable.Execution](tx, executionKey(string(id)))
	if err != nil || !found {
		return nil, err
	}
	input, err := tx.Get(inputKey(x.ID))
	if err != nil {
		return nil, err
	}
	if x.Version != like.Version || !bytes.Equal(input, b.Payload) {
		return nil, api.DurableExecutionAlreadyStartedException.New("Execution already started: %s", x.ARN()).With("Type", "User")
	}
	if b.Awaited && x.Running() && !x.Awaited {
		x.Awaited = true
		err = store.SetRecord(tx, executionKey(x.ID), x)
	}
	return &x, err
}

// await waits for the end of an execution, and returns what a caller gets of it.
func (s *Service) await(ctx context.Context, x *durable.Execution) (*sandbox.Result, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(s.ctx, stop)()
	if x.Running() {
		if err := s.durables.store.Await(ctx, endedKey(x.ID), 0); err != nil {
			return nil, api.ServiceException.New("The AWS Lambda service encountered an internal error.").With("Type", "Service")
		}
	}
	var res *sandbox.Result
	err := s.durables.store.View(ctx, func(r store.Reader) error {
		ended, found, err := store.GetRecord[durable.Execution](r, executionKey(x.ID))
		if err != nil || !found {
			return orMissing(err, noExecution())
		}
		result, err := outputOf(r, &ended)
		if err == nil {
			res, err = resultOf(&ended, result)
		}
		return err
	})
	return res, err
}

// outputOf reads the result of an execution, nil for none.
func outputOf(r store.Reader, x *durable.Execution) (*string, error) {
	if !x.HasResult {
		return nil, nil
	}
	b, err := r.Get(outputKey(x.ID))
	return new(string(b)), err
}

// resultOf is what an execution that has ended comes to, as that of an invocation.
func resultOf(x *durable.Execution, result *string) (*sandbox.Result, error) {
	if x.Status == api.ExecutionStatusSucceeded {
		if result == nil {
			result = new("null")
		}
		return &sandbox.Result{Payload: []byte(*result)}, nil
	}
	var failure struct {
		Message string   `json:"errorMessage"`
		Type    string   `json:"errorType,omitempty"`
		Data    string   `json:"errorData,omitempty"`
		Stack   []string `json:"stackTrace,omitempty"`
	}
	if e := x.Error; e != nil {
		failure.Message, failure.Type, failure.Data = awsapi.Val(e.ErrorMessage), awsapi.Val(e.ErrorType), awsapi.Val(e.ErrorData)
		failure.Stack = e.StackTrace
	}
	b, err := json.Marshal(failure)
	return &sandbox.Result{Payload: b, FunctionError: unhandled}, err
}

// invokeDurably begins an execution for the request in ctx, and waits for it where it is to.
func (s *Service) invokeDurably(ctx context.Context, r *route, in *api.InvocationRequest, later bool) (*api.InvocationResponse, error) {
	check := checkRequest
	if later {
		check = checkEvent
	}
	payload, err := check(in.Payload)
	if err != nil {
		return nil, err
	}
	req := awsapi.RequestOf(ctx)
	trace := r.trace(s.Clock(), req.TraceID)
	if r.looping(trace) {
		return nil, recursive()
	}
	e := r.pick()
	x, err := s.start(ctx, r, e, beginning{Name: awsapi.Val(in.DurableExecutionName), Payload: payload, Request: req.ID, Trace: trace, Awaited: !later})
	if err != nil {
		return nil, err
	}
	out := &api.InvocationResponse{DurableExecutionArn: new(x.ARN())}
	if later {
		out.StatusCode = new(int32(http.StatusAccepted))
		return out, nil
	}
	res, err := s.await(context.WithoutCancel(ctx), x)
	if err != nil {
		return nil, err
	}
	out.StatusCode, out.Payload, out.ExecutedVersion = new(int32(http.StatusOK)), res.Payload, &x.Version
	if res.FunctionError != "" {
		out.FunctionError = &res.FunctionError
	}
	return out, nil
}

// runDurably is run for a version that is durable: it begins an execution, and waits for its end.
func (s *Service) runDurably(ctx context.Context, r *route, e *executable, inv *sandbox.Invocation) (*sandbox.Result, error) {
	x, err := s.start(ctx, r, e, beginning{Payload: inv.Payload, Request: inv.RequestID, Trace: inv.TraceID, Awaited: true})
	if err != nil {
		return nil, err
	}
	res, err := s.await(ctx, x)
	if err == nil && inv.Stream != nil {
		_, err = inv.Stream("application/json").Write(res.Payload)
		res.Payload = nil
	}
	return res, err
}
