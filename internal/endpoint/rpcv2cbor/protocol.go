// Package rpcv2cbor speaks Smithy RPC v2 CBOR.
//
// https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
package rpcv2cbor

import (
	"net/http"
	"reflect"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/awsjson"
	"cirro/internal/endpoint/stream"
	"cirro/internal/endpoint/wire"
)

// ContentType is a body's.
const ContentType = "application/cbor"

// Protocol is RPC v2 CBOR.
type Protocol struct{}

var _ wire.Protocol = Protocol{}

// Decode reads the body.
func (Protocol) Decode(x *wire.Exchange, in any) error {
	return Decode(x.Body, x.Operation.InputPlan(), reflect.ValueOf(in).Elem())
}

// Encode writes the output as the body, or nothing where the model has no output.
func (Protocol) Encode(w http.ResponseWriter, x *wire.Exchange, out any) error {
	w.Header()["Smithy-Protocol"] = []string{"rpc-v2-cbor"}
	if x.Operation.Output == awsapi.NoShape {
		return wire.Send(w, http.StatusOK, "", nil)
	}
	plan := x.Operation.OutputPlan()
	v := reflect.ValueOf(out).Elem()
	b := wire.NewBuffer()
	defer b.Free()
	b.B = Append(b.B, plan, v)
	if f := plan.StreamField(); f != nil {
		s := stream.New(w, x.Service.Plans, payload, ContentType)
		return s.Run(f, v, &stream.Initial{Body: b.B, ContentType: ContentType})
	}
	return wire.Send(w, http.StatusOK, ContentType, b.B)
}

func payload(p *wire.Plan, v reflect.Value) []byte { return Append(nil, p, v) }

// EncodeError names the error in __type.
func (Protocol) EncodeError(w http.ResponseWriter, x *wire.Exchange, err *awsapi.Error) {
	w.Header()["Smithy-Protocol"] = []string{"rpc-v2-cbor"}
	awsjson.QueryError(w, x, err.Type)
	b := wire.NewBuffer()
	defer b.Free()
	b.B = AppendError(b.B, x.Service.ExceptionShape(err.Type), err, err.Type.Code)
	_ = wire.Send(w, err.Type.Status, ContentType, b.B)
}
