package endpoint

import (
	"context"
	"fmt"
	"reflect"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/validate"
	"cirro/internal/endpoint/wire"

	"github.com/google/uuid"
)

// Call calls an operation of a service as p, in the region of the request that ctx belongs to (the
// default one where it belongs to none). in is the operation's input, or nil for an empty one.
func (e *Endpoint) Call(ctx context.Context, p awsapi.Principal, service, operation string, in any) (any, error) {
	s := e.byName[service]
	if s == nil {
		return nil, awsapi.NotImplemented.New("Cirro does not implement the service %s", service)
	}
	op := s.Lookup(operation)
	if op == nil {
		return nil, UnknownOperation.New("The service %s has no operation %s", service, operation)
	}
	if in == nil {
		in = op.New()
	}
	if reflect.TypeOf(in) != op.InputType() {
		return nil, fmt.Errorf("endpoint: %s.%s takes a %v, not a %T", service, operation, op.InputType(), in)
	}
	if err := validate.Input(op, in); err != nil {
		return nil, err
	}
	r := e.innerRequest(ctx, p)
	out, err := guarded(awsapi.WithRequest(ctx, r), op.Operation, s.impl, in)
	if err != nil {
		return nil, e.answer(ctx, err, service, operation, r.ID)
	}
	return out, nil
}

// innerRequest is the request of one service to another: what came from outside stays as it was.
func (e *Endpoint) innerRequest(ctx context.Context, p awsapi.Principal) *awsapi.Request {
	r := &awsapi.Request{Region: DefaultRegion, SourceIP: p.Service, UserAgent: p.Service}
	if outer, ok := awsapi.LookupRequest(ctx); ok {
		*r = *outer
		if p.Service != "" {
			r.SourceIP, r.UserAgent = p.Service, p.Service
		}
	}
	r.ID, r.Principal, r.Time, r.Ready, r.Input, r.NoWait = uuid.NewString(), p, e.now(), nil, nil, false
	return r
}

// output returns what the operation answered, or an empty output where it answered nothing.
func output(op *wire.Operation, out any) any {
	if v := reflect.ValueOf(out); !v.IsValid() || v.IsNil() {
		return reflect.New(op.Out()).Interface()
	}
	return out
}
