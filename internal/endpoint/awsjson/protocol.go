package awsjson

import (
	"net/http"
	"reflect"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/stream"
	"cirro/internal/endpoint/wire"
)

// Protocol is awsJson in one version.
type Protocol struct{ ContentType string }

// The two versions.
var (
	V10 = &Protocol{"application/x-amz-json-1.0"}
	V11 = &Protocol{"application/x-amz-json-1.1"}
)

var _ wire.Protocol = V10

// Decode reads the body, whatever members say of other locations.
func (p *Protocol) Decode(x *wire.Exchange, in any) error {
	return Decode(x.Body, x.Operation.InputPlan(), reflect.ValueOf(in).Elem())
}

// Encode writes the output as the body, or nothing where the model has no output.
func (p *Protocol) Encode(w http.ResponseWriter, x *wire.Exchange, out any) error {
	plan := x.Operation.OutputPlan()
	v := reflect.ValueOf(out).Elem()
	if f := plan.StreamField(); f != nil {
		s := stream.New(w, x.Service.Plans, Payload, "application/json")
		initial := Append(nil, plan, wire.DefaultTime, v)
		return s.Run(f, v, &stream.Initial{Body: initial, ContentType: p.ContentType})
	}
	if x.Operation.Output == awsapi.NoShape {
		return wire.Send(w, http.StatusOK, p.ContentType, nil)
	}
	b := wire.NewBuffer()
	defer b.Free()
	b.B = appendMembers(b.B, plan, v, &x.Ready)
	return wire.Send(w, http.StatusOK, p.ContentType, b.B)
}

// Payload writes an event's payload.
func Payload(p *wire.Plan, v reflect.Value) []byte { return Append(nil, p, p.Time, v) }

// EncodeError names the error in __type.
func (p *Protocol) EncodeError(w http.ResponseWriter, x *wire.Exchange, err *awsapi.Error) {
	b := wire.NewBuffer()
	defer b.Free()
	b.B = append(b.B, `{"__type":`...)
	b.B = appendString(b.B, err.Type.Code)
	b.B = AppendErrorMembers(b.B, x.Service, err, true)
	b.B = append(b.B, '}')
	QueryError(w, x, err.Type)
	_ = wire.Send(w, err.Type.Status, p.ContentType, b.B)
}

// QueryError sets the header from which clients of a service that used to speak query read the old code.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#awsquerycompatible-trait
func QueryError(w http.ResponseWriter, x *wire.Exchange, t *awsapi.ErrorType) {
	if x.Service == nil || !x.Service.QueryCompatible {
		return
	}
	code, fault := t.Code, "Sender"
	if t.QueryCode != "" {
		code = t.QueryCode
	}
	if t.Server {
		fault = "Receiver"
	}
	w.Header()["X-Amzn-Query-Error"] = []string{code + ";" + fault}
}
