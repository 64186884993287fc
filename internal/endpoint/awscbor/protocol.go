// Package awscbor speaks awsJson in CBOR, as AWS's SDK for Java speaks to Kinesis: the operation is in the target
// header, the body is CBOR, and timestamps are whole milliseconds.
//
// https://github.com/aws/aws-sdk-java-v2/tree/master/core/protocols/aws-cbor-protocol
package awscbor

import (
	"net/http"
	"reflect"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/awsjson"
	"cirro/internal/endpoint/rpcv2cbor"
	"cirro/internal/endpoint/stream"
	"cirro/internal/endpoint/wire"
)

// ContentType is a body's.
const ContentType = "application/x-amz-cbor-1.1"

var coder = rpcv2cbor.Coder{Milliseconds: true}

// Protocol is awsJson 1.1 in CBOR.
type Protocol struct{}

var _ wire.Protocol = Protocol{}

// Decode reads the body.
func (Protocol) Decode(x *wire.Exchange, in any) error {
	return coder.Decode(x.Body, x.Operation.InputPlan(), reflect.ValueOf(in).Elem())
}

// Encode writes the output as the body, or nothing where the model has no output.
func (Protocol) Encode(w http.ResponseWriter, x *wire.Exchange, out any) error {
	if x.Operation.Output == awsapi.NoShape {
		return wire.Send(w, http.StatusOK, ContentType, nil)
	}
	plan := x.Operation.OutputPlan()
	v := reflect.ValueOf(out).Elem()
	b := wire.NewBuffer()
	defer b.Free()
	b.B = coder.Append(b.B, plan, v)
	if f := plan.StreamField(); f != nil {
		s := stream.New(w, x.Service.Plans, payload, ContentType)
		return s.Run(f, v, &stream.Initial{Body: b.B, ContentType: ContentType})
	}
	return wire.Send(w, http.StatusOK, ContentType, b.B)
}

func payload(p *wire.Plan, v reflect.Value) []byte { return coder.Append(nil, p, v) }

// EncodeError names the error in __type.
func (Protocol) EncodeError(w http.ResponseWriter, x *wire.Exchange, err *awsapi.Error) {
	awsjson.QueryError(w, x, err.Type)
	b := wire.NewBuffer()
	defer b.Free()
	b.B = rpcv2cbor.AppendError(b.B, x.Service.ExceptionShape(err.Type), err, err.Type.Code)
	_ = wire.Send(w, err.Type.Status, ContentType, b.B)
}
