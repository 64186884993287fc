// Package restjson speaks restJson1.
//
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
package restjson

import (
	"io"
	"net/http"
	"reflect"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/awsjson"
	"cirro/internal/endpoint/rest"
	"cirro/internal/endpoint/stream"
	"cirro/internal/endpoint/wire"
)

// ContentType is a JSON body's.
const ContentType = "application/json"

// Protocol is restJson1.
type Protocol struct{}

var _ wire.Protocol = Protocol{}

// Decode reads path, query string, headers and body.
func (Protocol) Decode(x *wire.Exchange, in any) error {
	v := reflect.ValueOf(in).Elem()
	plan := x.Operation.InputPlan()
	if err := rest.Bind(x, v); err != nil {
		return err
	}
	f := plan.PayloadField()
	if f == nil {
		if plan.BodyMembers() == 0 {
			return nil
		}
		return awsjson.Decode(x.Body, plan, v)
	}
	switch {
	case x.Stream != nil:
		f.Set(v).Set(reflect.ValueOf(x.Stream))
		return nil
	case len(x.Body) == 0:
		return nil
	case f.Plan.Kind == awsapi.Blob:
		f.Set(v).SetBytes(x.Body)
		return nil
	case f.Plan.Kind == awsapi.String:
		f.Set(v).SetString(string(x.Body))
		return nil
	}
	return awsjson.Decode(x.Body, f.Plan, f.Set(v))
}

// Encode writes status, headers and body.
func (Protocol) Encode(w http.ResponseWriter, x *wire.Exchange, out any) error {
	plan := x.Operation.OutputPlan()
	v := reflect.ValueOf(out).Elem()
	h := w.Header()
	status := rest.Head(h, x, plan, v)
	if f := plan.StreamField(); f != nil {
		return stream.New(w, x.Service.Plans, awsjson.Payload, ContentType).Run(f, v, nil)
	}
	if f := plan.PayloadField(); f != nil {
		return encodePayload(w, status, f, v)
	}
	if x.Operation.Output == awsapi.NoShape || status == http.StatusNoContent {
		return wire.Send(w, status, emptyType(status), nil)
	}
	b := wire.NewBuffer()
	defer b.Free()
	b.B = awsjson.Append(b.B, plan, wire.DefaultTime, v)
	return wire.Send(w, status, ContentType, b.B)
}

// emptyType is what AWS says of a body that is not there.
func emptyType(status int) string {
	if status == http.StatusNoContent {
		return ""
	}
	return ContentType
}

func encodePayload(w http.ResponseWriter, status int, f *wire.Field, out reflect.Value) error {
	h := w.Header()
	x, ok := f.Get(out)
	contentType := ""
	if _, set := h["Content-Type"]; !set {
		contentType = ContentType
	}
	switch {
	case !ok:
		return wire.Send(w, status, contentType, nil)
	case f.Plan.Kind == awsapi.Blob && f.Plan.Type.Kind() == reflect.Interface:
		if contentType != "" {
			h["Content-Type"] = []string{"application/octet-stream"}
		}
		return rest.Stream(w, status, x.Interface().(io.Reader))
	case f.Plan.Kind == awsapi.Blob:
		return wire.Send(w, status, contentType, x.Bytes())
	case f.Plan.Kind == awsapi.String:
		return wire.Send(w, status, contentType, []byte(x.String()))
	}
	b := wire.NewBuffer()
	defer b.Free()
	b.B = awsjson.Append(b.B, f.Plan, f.Time, x)
	return wire.Send(w, status, contentType, b.B)
}

// EncodeError names the error in x-amzn-ErrorType.
func (Protocol) EncodeError(w http.ResponseWriter, x *wire.Exchange, err *awsapi.Error) {
	rest.ErrorHead(w.Header(), x.Service, err)
	w.Header()["X-Amzn-Errortype"] = []string{err.Type.Code}
	b := wire.NewBuffer()
	defer b.Free()
	b.B = append(b.B, '{')
	b.B = awsjson.AppendErrorMembers(b.B, x.Service, err, false)
	b.B = append(b.B, '}')
	_ = wire.Send(w, err.Type.Status, ContentType, b.B)
}
