// Package stream writes event streams: application/vnd.amazon.eventstream, each event flushed as it comes.
//
// https://smithy.io/2.0/aws/amazon-eventstream.html
package stream

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// ContentType is an event stream's.
const ContentType = "application/vnd.amazon.eventstream"

// Payload writes a value in the way of the protocol around the stream.
type Payload func(p *wire.Plan, v reflect.Value) []byte

// Initial is what an RPC protocol says before the first event: the output's other members.
type Initial struct {
	Body        []byte
	ContentType string
}

// Stream is a reply made of events.
type Stream struct {
	w           http.ResponseWriter
	flush       func() error
	payload     Payload
	contentType string // of payloads
	plans       *wire.Plans
	encoder     *eventstream.Encoder
	buf         bytes.Buffer
}

// New makes a stream over w, whose headers but Content-Type are set.
func New(w http.ResponseWriter, plans *wire.Plans, payload Payload, contentType string) *Stream {
	return &Stream{w: w, flush: http.NewResponseController(w).Flush, payload: payload,
		contentType: contentType, plans: plans, encoder: eventstream.NewEncoder()}
}

// Run writes the events of the member f of the output v until they end. An error that ends them is sent
// as the stream's last message, for the status is long gone.
func (s *Stream) Run(f *wire.Field, v reflect.Value, initial *Initial) error {
	s.w.Header()["Content-Type"] = []string{ContentType}
	s.w.WriteHeader(http.StatusOK)
	if initial != nil {
		m := eventstream.Message{Payload: initial.Body}
		m.Headers.Set(":message-type", eventstream.StringValue("event"))
		m.Headers.Set(":event-type", eventstream.StringValue("initial-response"))
		m.Headers.Set(":content-type", eventstream.StringValue(initial.ContentType))
		if err := s.send(m); err != nil {
			return err
		}
	} else if err := s.flush(); err != nil {
		return err
	}
	x, ok := f.Get(v)
	if !ok {
		return nil
	}
	var broken error
	err := x.Interface().(awsapi.EventStream)(func(event any) error {
		if broken == nil {
			broken = s.event(f.Plan, event)
		}
		return broken
	})
	if err == nil || broken != nil {
		return broken
	}
	return s.fail(f.Plan, err)
}

// event writes the one member of the event that is set.
func (s *Stream) event(p *wire.Plan, event any) error {
	v := reflect.ValueOf(event)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("stream: an event must be a pointer to a structure, not %T", event)
	}
	v = v.Elem()
	plan := s.plans.Of(p.ID, v.Type())
	for i := range plan.Fields {
		f := &plan.Fields[i]
		x, ok := f.Get(v)
		if !ok {
			continue
		}
		if f.Plan.IsError() {
			return s.exception(f, x.Interface().(*awsapi.Error))
		}
		return s.message(f, x)
	}
	return fmt.Errorf("stream: an event of %s without a member", p.Name)
}

// message writes one event: its header members as headers, its payload member, or else all the rest, as
// payload.
func (s *Stream) message(f *wire.Field, v reflect.Value) error {
	m := eventstream.Message{}
	m.Headers.Set(":message-type", eventstream.StringValue("event"))
	m.Headers.Set(":event-type", eventstream.StringValue(f.WireName()))
	contentType := s.contentType
	var payload *wire.Field
	for i := range f.Plan.Fields {
		member := &f.Plan.Fields[i]
		switch {
		case member.EventHeader:
			if x, ok := member.Get(v); ok {
				m.Headers.Set(member.WireName(), headerValue(member.Plan, x))
			}
		case member.EventPayload:
			payload = member
		}
	}
	switch {
	case payload == nil:
		m.Payload = s.payload(f.Plan, v)
	default:
		if x, ok := payload.Get(v); ok {
			switch payload.Plan.Kind {
			case awsapi.Blob:
				m.Payload, contentType = x.Bytes(), "application/octet-stream"
			case awsapi.String:
				m.Payload, contentType = []byte(x.String()), "text/plain"
			default:
				m.Payload = s.payload(payload.Plan, x)
			}
		}
	}
	m.Headers.Set(":content-type", eventstream.StringValue(contentType))
	return s.send(m)
}

func headerValue(p *wire.Plan, v reflect.Value) eventstream.Value {
	switch p.Kind {
	case awsapi.Boolean:
		return eventstream.BoolValue(v.Bool())
	case awsapi.Integer:
		return eventstream.Int32Value(int32(v.Int()))
	case awsapi.Long:
		return eventstream.Int64Value(v.Int())
	case awsapi.Blob:
		return eventstream.BytesValue(v.Bytes())
	case awsapi.Timestamp:
		return eventstream.TimestampValue(wire.TimeOf(v))
	}
	return eventstream.StringValue(string(wire.AppendText(nil, p, wire.ISO8601, v)))
}

// exception writes an error that the model has among the stream's members.
func (s *Stream) exception(f *wire.Field, e *awsapi.Error) error {
	m := eventstream.Message{Payload: s.payload(f.Plan, reflect.ValueOf(e))}
	m.Headers.Set(":message-type", eventstream.StringValue("exception"))
	m.Headers.Set(":exception-type", eventstream.StringValue(f.WireName()))
	m.Headers.Set(":content-type", eventstream.StringValue(s.contentType))
	return s.send(m)
}

// fail ends the stream with an error: as an exception where the stream has it among its members.
func (s *Stream) fail(p *wire.Plan, err error) error {
	e, ok := errors.AsType[*awsapi.Error](err)
	if !ok {
		e = awsapi.InternalFailure.New("The request processing has failed because of an unknown error, exception or failure.")
	}
	for i := range p.Members {
		member := &p.Members[i]
		shape := s.plans.Shape(member.Shape)
		if shape.Exception != nil && shape.Exception.Code == e.Type.Code {
			f := &wire.Field{Member: member, Plan: s.plans.Of(member.Shape, reflect.TypeFor[*awsapi.Error]())}
			return errors.Join(s.exception(f, e), unknown(err, ok))
		}
	}
	m := eventstream.Message{}
	m.Headers.Set(":message-type", eventstream.StringValue("error"))
	m.Headers.Set(":error-code", eventstream.StringValue(e.Type.Code))
	m.Headers.Set(":error-message", eventstream.StringValue(e.Message))
	return errors.Join(s.send(m), unknown(err, ok))
}

// unknown returns err, for the log, where the client was told nothing of it.
func unknown(err error, told bool) error {
	if told {
		return nil
	}
	return err
}

func (s *Stream) send(m eventstream.Message) error {
	s.buf.Reset()
	if err := s.encoder.Encode(&s.buf, m); err != nil {
		return err
	}
	if _, err := s.w.Write(s.buf.Bytes()); err != nil {
		return err
	}
	return s.flush()
}
