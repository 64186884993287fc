package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/sandbox"
)

// Invoke runs a function and returns its answer, or takes an event for it to run later.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (s *Service) Invoke(ctx context.Context, in *api.InvocationRequest) (*api.InvocationResponse, error) {
	r, err := s.routeOf(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if err := r.durablyNamed(awsapi.Val(in.DurableExecutionName)); err != nil {
		return nil, err
	}
	later := awsapi.Val(in.InvocationType) == api.InvocationTypeEvent
	switch {
	case awsapi.Val(in.InvocationType) == api.InvocationTypeDryRun:
		return &api.InvocationResponse{StatusCode: new(int32(http.StatusNoContent))}, nil
	case r.main.Durable != nil:
		return s.invokeDurably(ctx, r, in, later)
	case later:
		return s.invokeLater(ctx, r, in)
	}
	return s.invokeNow(ctx, r, in)
}

// InvokeAsync takes an event for a function to run later. AWS keeps it for old clients alone.
// https://docs.aws.amazon.com/lambda/latest/api/API_InvokeAsync.html
func (s *Service) InvokeAsync(ctx context.Context, in *api.InvokeAsyncRequest) (*api.InvokeAsyncResponse, error) {
	r, err := s.routeOf(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	var payload []byte
	if in.InvokeArgs != nil {
		if payload, err = io.ReadAll(io.LimitReader(in.InvokeArgs, maxEvent+1)); err != nil {
			return nil, api.InvalidRequestContentException.New("Could not read request body: %s", err).With("Type", "User")
		}
	}
	if payload, err = checkEvent(payload); err != nil {
		return nil, err
	}
	if r.main.Durable != nil {
		req := awsapi.RequestOf(ctx)
		_, err = s.start(ctx, r, r.pick(), beginning{Payload: payload, Request: req.ID, Trace: r.trace(s.Clock(), req.TraceID)})
	} else {
		err = s.enqueue(ctx, r, payload)
	}
	if err != nil {
		return nil, err
	}
	return &api.InvokeAsyncResponse{Status: new(int32(http.StatusAccepted))}, nil
}

// routeOf is where the request in ctx goes.
func (s *Service) routeOf(ctx context.Context, name, qualifier *string) (*route, error) {
	req := awsapi.RequestOf(ctx)
	r, err := s.route(ctx, scope{req.Account(), req.Region}, awsapi.Val(name), awsapi.Val(qualifier))
	if err != nil {
		return nil, err
	}
	return r, s.permitted(r, req.Principal)
}

func (s *Service) invokeLater(ctx context.Context, r *route, in *api.InvocationRequest) (*api.InvocationResponse, error) {
	payload, err := checkEvent(in.Payload)
	if err != nil {
		return nil, err
	}
	if err := s.enqueue(ctx, r, payload); err != nil {
		return nil, err
	}
	return &api.InvocationResponse{StatusCode: new(int32(http.StatusAccepted))}, nil
}

func (s *Service) invokeNow(ctx context.Context, r *route, in *api.InvocationRequest) (*api.InvocationResponse, error) {
	inv, err := s.invocation(ctx, r, in.Payload, awsapi.Val(in.ClientContext), awsapi.Val(in.LogType))
	if err != nil {
		return nil, err
	}
	e := r.pick()
	res, err := s.run(context.WithoutCancel(ctx), r, e, inv)
	if err != nil {
		return nil, err
	}
	out := &api.InvocationResponse{
		StatusCode:      new(int32(http.StatusOK)),
		Payload:         res.Payload,
		ExecutedVersion: &e.Number,
	}
	if res.FunctionError != "" {
		out.FunctionError = &res.FunctionError
	}
	if inv.TailLog {
		out.LogResult = new(base64.StdEncoding.EncodeToString(res.LogTail))
	}
	return out, nil
}

// invocation makes the invocation of the request in ctx.
func (s *Service) invocation(ctx context.Context, r *route, payload []byte, clientContext, logType string) (*sandbox.Invocation, error) {
	payload, err := checkRequest(payload)
	if err != nil {
		return nil, err
	}
	decoded, err := decodeClientContext(clientContext)
	if err != nil {
		return nil, err
	}
	req := awsapi.RequestOf(ctx)
	traceID := r.trace(s.Clock(), req.TraceID)
	if r.looping(traceID) {
		return nil, recursive()
	}
	return &sandbox.Invocation{
		RequestID:     req.ID,
		InvokedARN:    r.invokedARN,
		Payload:       payload,
		ClientContext: decoded,
		TraceID:       traceID,
		TailLog:       logType == api.LogTypeTail,
	}, nil
}

// run runs an invocation if it may run now. What the function does wrong is in the result; the errors
// are AWS's. ctx ends the function, so it must not be that of a client: AWS lets a function finish whose
// caller has gone.
func (s *Service) run(ctx context.Context, r *route, e *executable, inv *sandbox.Invocation) (*sandbox.Result, error) {
	if e.Durable != nil {
		return s.runDurably(ctx, r, e, inv)
	}
	return s.execute(ctx, r, e, inv)
}

// execute is run of one invocation in an environment, whether the function is durable or not.
func (s *Service) execute(ctx context.Context, r *route, e *executable, inv *sandbox.Invocation) (*sandbox.Result, error) {
	if e.refused != nil {
		return nil, e.refused
	}
	unreserved, err := s.unreserved(ctx, r.account)
	if err != nil {
		return nil, err
	}
	p, reason := admit(r.load, &r.limits, e.allotment, &r.account.running, unreserved, s.Clock)
	if reason != "" {
		return nil, throttled(reason)
	}
	defer p.release()
	spec := e.onDemand
	if p.allotment != nil {
		spec = e.prepared
	}
	res, err := s.Runner.Invoke(ctx, spec, inv)
	var restore *sandbox.RestoreError
	if errors.As(err, &restore) {
		return nil, restoreFailed(restore)
	}
	if err != nil {
		s.Log.Error("lambda: invoke", "function", spec.ARN, "request", inv.RequestID, "error", err)
		return nil, api.ServiceException.New("The AWS Lambda service encountered an internal error.").With("Type", "Service")
	}
	if len(res.Payload) > maxResponse {
		res.FunctionError, res.Payload = unhandled, responseTooLarge
	}
	return res, nil
}

// unhandled is the FunctionError of all that the platform says in a function's stead.
const unhandled = "Unhandled"

// responseTooLarge is the answer in place of one that is too large. See test_lambda_too_large_response in
// https://github.com/localstack/localstack/blob/main/tests/aws/services/lambda_/test_lambda.snapshot.json
var responseTooLarge = functionError("Function.ResponseSizeTooLarge",
	fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponse))

func functionError(kind, message string) []byte {
	b, err := json.Marshal(struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}{message, kind})
	if err != nil {
		panic(err) // two strings
	}
	return b
}
