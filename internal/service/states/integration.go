package states

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/awsapi"
	lambdaapi "cirro/internal/awsapi/lambda"
	"cirro/internal/service/states/engine"

	"github.com/google/uuid"
)

// perform performs a task.
func (s *Service) perform(ctx context.Context, t *engine.Task) engine.Reply {
	r, err := engine.ParseResource(t.Resource)
	if err != nil {
		return failed(asl.Runtime, err.Error())
	}
	ctx, p := s.onBehalf(ctx, t)
	switch {
	case r.Kind == engine.Function:
		return s.function(ctx, p, t)
	}
	return failed(asl.Runtime, fmt.Sprintf("Cirro does not implement the integration %s:%s", r.Service, r.Action))
}

func failed(name, cause string) engine.Reply {
	return engine.Reply{Failure: &asl.Failure{Error: name, Cause: cause}}
}

// onBehalf is the context and the principal of what a task calls: the role of its machine, or the one that it
// assumes.
func (s *Service) onBehalf(ctx context.Context, t *engine.Task) (context.Context, awsapi.Principal) {
	role := t.Role
	if t.Assume != "" {
		role = t.Assume
	}
	account := t.Account
	if parts := strings.Split(role, ":"); len(parts) > 4 && parts[4] != "" {
		account = parts[4]
	}
	name := role[strings.LastIndexByte(role, '/')+1:]
	p := awsapi.Principal{Account: account, ARN: fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", account, name, "cirro"), SourceARN: t.Machine}
	return awsapi.WithRequest(ctx, &awsapi.Request{ID: uuid.NewString(), Region: t.Region, Principal: p, Time: s.Clock(), TraceID: t.Trace}), p
}

// function invokes a function that a task names by its ARN.
// https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
func (s *Service) function(ctx context.Context, p awsapi.Principal, t *engine.Task) engine.Reply {
	out, err := s.Caller.Call(ctx, p, "lambda", "Invoke", &lambdaapi.InvocationRequest{FunctionName: &t.Resource, Payload: []byte(t.Parameters)})
	if err != nil {
		return refused("Lambda", err)
	}
	in := out.(*lambdaapi.InvocationResponse)
	if in.FunctionError != nil {
		return functionFailed(in.Payload)
	}
	if len(in.Payload) == 0 {
		return engine.Reply{Output: "null", Done: true}
	}
	return engine.Reply{Output: string(in.Payload), Done: true}
}

// functionFailed is the failure of a function that answered with an error: its type is the error's name.
// https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
func functionFailed(payload []byte) engine.Reply {
	name := "Lambda.Unknown"
	if v, err := document.Decode(payload); err == nil {
		if object, ok := v.(*document.Object); ok {
			if kind, ok := object.Get("errorType"); ok {
				if text, ok := kind.(string); ok && text != "" {
					name = text
				}
			}
		}
	}
	return failed(name, string(payload))
}

// refused is the failure of a call that a service refused, by the name that the service's errors begin with.
func refused(service string, err error) engine.Reply {
	var e *awsapi.Error
	if !errors.As(err, &e) {
		return engine.Reply{Again: true}
	}
	name := e.Type.Code
	if !strings.HasSuffix(name, "Exception") && service == "Lambda" {
		name += "Exception"
	}
	return failed(service+"."+name, fmt.Sprintf("%s (Service: %s, Status Code: %d)", e.Message, service, e.Type.Status))
}
