package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"syscall"

	"cirro/internal/awsapi"
)

// Errors that the front door itself answers with, in the words of AWS.
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
var (
	UnknownOperation = &awsapi.ErrorType{Code: "UnknownOperationException", Status: http.StatusBadRequest}
	UnsupportedMedia = &awsapi.ErrorType{Code: "UnsupportedMediaTypeException", Status: http.StatusUnsupportedMediaType}
	RequestTooLarge  = &awsapi.ErrorType{Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge}
)

const internalMessage = "The request processing has failed because of an unknown error, exception or failure."

// panicked is a panic of a service, caught.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprint("panic: ", p.value) }

// guarded calls the operation and turns a panic into an error.
func guarded(ctx context.Context, op *awsapi.Operation, impl, in any) (out any, err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			out, err = nil, &panicked{v, debug.Stack()}
		}
	}()
	return op.Call(ctx, impl, in)
}

// answer returns the error as AWS's error. One of any other kind is logged and not shown, but that a disk is full the
// client is told.
func (e *Endpoint) answer(ctx context.Context, err error, service, operation, id string) *awsapi.Error {
	if known, ok := errors.AsType[*awsapi.Error](err); ok {
		return known
	}
	if t, ok := errors.AsType[*awsapi.ErrorType](err); ok {
		return t.New("")
	}
	if errors.Is(err, syscall.ENOSPC) {
		return awsapi.ServiceUnavailable.New("There is no room to write: %s", err)
	}
	if ctx.Err() == nil {
		args := []any{"service", service, "operation", operation, "request", id, "error", err}
		if p, ok := errors.AsType[*panicked](err); ok {
			args = append(args, "stack", string(p.stack))
		}
		e.log.ErrorContext(ctx, "an operation failed", args...)
	}
	return awsapi.InternalFailure.New(internalMessage)
}
