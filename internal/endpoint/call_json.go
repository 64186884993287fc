package endpoint

import (
	"context"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/named"
)

var _ awsapi.JSONTeller = (*Endpoint)(nil)

// CallJSON calls an operation as Call does, with its input as JSON. The service is named as Call names it, or
// as the SDKs do: "eventbridge", "sfn".
func (e *Endpoint) CallJSON(ctx context.Context, p awsapi.Principal, service, operation string, input []byte) (any, error) {
	s := e.called(service)
	if s == nil {
		return nil, awsapi.NotImplemented.New("Cirro does not implement the service %s", service)
	}
	op := s.Lookup(operation)
	if op == nil {
		return nil, UnknownOperation.New("The service %s has no operation %s", service, operation)
	}
	in := op.New()
	if err := named.Decode(input, op, in); err != nil {
		return nil, err
	}
	return e.Call(ctx, p, s.Name, operation, in)
}

// JSON is what an operation answered, as JSON with the members' names in the SDKs.
func (e *Endpoint) JSON(service, operation string, out any) ([]byte, error) {
	s := e.called(service)
	if s == nil || s.Lookup(operation) == nil {
		return nil, UnknownOperation.New("There is no operation %s of a service %s", operation, service)
	}
	return named.Encode(s.Lookup(operation), out)
}

// Has reports whether there is an operation of a service.
func (e *Endpoint) Has(service, operation string) bool {
	s := e.called(service)
	return s != nil && s.Lookup(operation) != nil
}

// Declares reports whether a service's model has an error.
func (e *Endpoint) Declares(service, code string) bool {
	s := e.called(service)
	if s == nil {
		return false
	}
	for i := range s.Shapes {
		if x := s.Shapes[i].Exception; x != nil && x.Code == code {
			return true
		}
	}
	return false
}

// called finds a service as Call names it, or else as the SDKs do; nil for none.
func (e *Endpoint) called(name string) *service {
	if s := e.byName[name]; s != nil {
		return s
	}
	return e.bySDK(name)
}

// bySDK finds a service by the name that SDKs give their client: its id in lower case, without spaces.
// EventBridge's id is older than its name.
func (e *Endpoint) bySDK(name string) *service {
	if name == "eventbridge" {
		return e.byName["events"]
	}
	for _, s := range e.services {
		if strings.ToLower(strings.ReplaceAll(s.ID, " ", "")) == name {
			return s
		}
	}
	return nil
}
