package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"cirro/internal/awsapi"
	eventsapi "cirro/internal/awsapi/events"
	kinesisapi "cirro/internal/awsapi/kinesis"
	lambdaapi "cirro/internal/awsapi/lambda"
	logsapi "cirro/internal/awsapi/logs"
	sqsapi "cirro/internal/awsapi/sqs"
)

// board notes who called what where, and answers as it is told to.
type board struct {
	calls   []string
	answers map[string][]any // by operation: outputs and errors in turn
}

func (b *board) Call(ctx context.Context, p awsapi.Principal, service, operation string, in any) (any, error) {
	input, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	return b.answer(ctx, p, service, operation, input)
}

func (b *board) CallJSON(ctx context.Context, p awsapi.Principal, service, operation string, input []byte) (any, error) {
	return b.answer(ctx, p, service, operation, input)
}

func (b *board) answer(ctx context.Context, p awsapi.Principal, service, operation string, input []byte) (any, error) {
	var given map[string]any
	if err := json.Unmarshal(input, &given); err != nil {
		return nil, err
	}
	for name, value := range given {
		if value == nil {
			delete(given, name)
		}
	}
	short, err := json.Marshal(given)
	if err != nil {
		return nil, err
	}
	r := awsapi.RequestOf(ctx)
	b.calls = append(b.calls, fmt.Sprintf("%s %s %s %s.%s %s", p.Service, r.Region, r.TraceID, service, operation, short))
	if next := b.answers[operation]; len(next) > 0 {
		b.answers[operation] = next[1:]
		if err, ok := next[0].(error); ok {
			return nil, err
		}
		return next[0], nil
	}
	return nil, nil
}

func TestSend(t *testing.T) {
	as := awsapi.Principal{Account: "000000000000", Service: "events.amazonaws.com"}
	now := func() time.Time { return time.Unix(1_700_000_000, 0).UTC() }
	for name, c := range map[string]struct {
		letter  Letter
		answers map[string][]any
		want    []string
		answer  string
	}{
		"function": {letter: Letter{Target: "arn:aws:lambda:eu-west-1:000000000000:function:f:live", TraceID: "Root=1"},
			want: []string{`events.amazonaws.com eu-west-1 Root=1 lambda.Invoke {"FunctionName":"arn:aws:lambda:eu-west-1:000000000000:function:f:live","InvocationType":"Event","Payload":"eyJhIjoxfQ=="}`}},
		"function, waited for": {letter: Letter{Target: "arn:aws:lambda:eu-west-1:000000000000:function:f", Wait: true},
			answers: map[string][]any{"Invoke": {&lambdaapi.InvocationResponse{Payload: []byte("2")}}},
			want:    []string{`events.amazonaws.com eu-west-1  lambda.Invoke {"FunctionName":"arn:aws:lambda:eu-west-1:000000000000:function:f","InvocationType":"RequestResponse","Payload":"eyJhIjoxfQ=="}`}, answer: "2"},
		"queue": {letter: Letter{Target: "arn:aws:sqs:us-east-1:111111111111:q.fifo", Group: "g", Attributes: map[string]string{"A": "b"}},
			want: []string{`events.amazonaws.com us-east-1  sqs.SendMessage {"MessageAttributes":{"A":{"BinaryListValues":null,"BinaryValue":null,"DataType":"String","StringListValues":null,"StringValue":"b"}},"MessageBody":"{\"a\":1}","MessageGroupId":"g","QueueUrl":"https://sqs.us-east-1.amazonaws.com/111111111111/q.fifo"}`}},
		"topic": {letter: Letter{Target: "arn:aws:sns:us-east-1:111111111111:t"},
			want: []string{`events.amazonaws.com us-east-1  sns.Publish {"Message":"{\"a\":1}","TopicArn":"arn:aws:sns:us-east-1:111111111111:t"}`}},
		"stream": {letter: Letter{Target: "arn:aws:kinesis:us-east-1:111111111111:stream/s", PartitionKey: "k"},
			want: []string{`events.amazonaws.com us-east-1  kinesis.PutRecord {"Data":"eyJhIjoxfQ==","PartitionKey":"k","StreamARN":"arn:aws:kinesis:us-east-1:111111111111:stream/s"}`}},
		"log group, its stream missing": {letter: Letter{Target: "arn:aws:logs:us-east-1:111111111111:log-group:/aws/events/g"},
			answers: map[string][]any{"PutLogEvents": {logsapi.ResourceNotFoundException.New("no stream")}},
			want: []string{`events.amazonaws.com us-east-1  logs.PutLogEvents {"LogEvents":[{"Message":"{\"a\":1}","Timestamp":1700000000000}],"LogGroupName":"/aws/events/g","LogStreamName":"40de51ad-3dbc-5284-8ffd-105a137b53bf"}`,
				`events.amazonaws.com us-east-1  logs.CreateLogStream {"LogGroupName":"/aws/events/g","LogStreamName":"40de51ad-3dbc-5284-8ffd-105a137b53bf"}`,
				`events.amazonaws.com us-east-1  logs.PutLogEvents {"LogEvents":[{"Message":"{\"a\":1}","Timestamp":1700000000000}],"LogGroupName":"/aws/events/g","LogStreamName":"40de51ad-3dbc-5284-8ffd-105a137b53bf"}`}},
		"state machine": {letter: Letter{Target: "arn:aws:states:us-east-1:111111111111:stateMachine:m"},
			want: []string{`events.amazonaws.com us-east-1  states.StartExecution {"Input":"{\"a\":1}","StateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:m"}`}},
		"universal": {letter: Letter{Target: "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", Region: "eu-west-2"},
			want: []string{`events.amazonaws.com eu-west-2  sqs.SendMessage {"a":1}`}},
	} {
		t.Run(name, func(t *testing.T) {
			b := &board{answers: c.answers}
			c.letter.As, c.letter.Body = as, []byte(`{"a":1}`)
			answer, err := (&Sender{Caller: b, Clock: now}).Send(t.Context(), &c.letter)
			if err != nil || string(answer) != c.answer {
				t.Errorf("%s, %v", answer, err)
			}
			if fmt.Sprint(b.calls) != fmt.Sprint(c.want) {
				t.Errorf("called\n%s\nnot\n%s", b.calls, c.want)
			}
		})
	}
}

// TestFailures names errors as dead letters do, and tells those that last from those that pass.
func TestFailures(t *testing.T) {
	as := awsapi.Principal{Account: "000000000000", Service: "events.amazonaws.com"}
	for _, c := range []struct {
		target  string
		answer  any
		code    string
		lasting bool
	}{
		{"arn:aws:sqs:us-east-1:000000000000:q", sqsapi.QueueDoesNotExist.New("no queue"), "NO_RESOURCE", true},
		{"arn:aws:sqs:us-east-1:000000000000:q", awsapi.AccessDenied.New("no"), "NO_PERMISSIONS", true},
		{"arn:aws:sqs:us-east-1:000000000000:q", awsapi.InternalFailure.New("bug"), "INTERNAL_ERROR", false},
		{"arn:aws:lambda:us-east-1:000000000000:function:f", lambdaapi.TooManyRequestsException.New("slow"), "THROTTLING", false},
		{"arn:aws:kinesis:us-east-1:000000000000:stream/s", kinesisapi.ProvisionedThroughputExceededException.New("slow"), "THROTTLING", false},
		{"arn:aws:lambda:us-east-1:000000000000:function:f", awsapi.ValidationException.New("bad"), "INVALID_PARAMETER", true},
		{"arn:aws:sqs:us-east-1:000000000000:q", errors.New("a bug"), "UNKNOWN", false},
		{"arn:aws:events:us-east-1:000000000000:event-bus/b", &eventsapi.PutEventsResponse{FailedEntryCount: new(int32(1)),
			Entries: []eventsapi.PutEventsResultEntry{{ErrorCode: new("MalformedDetail"), ErrorMessage: new("Detail is malformed.")}}}, "INVALID_PARAMETER", true},
		{"arn:aws:ec2:us-east-1:000000000000:instance/i", nil, "SDK_CLIENT_ERROR", true},
		{"no ARN", nil, "INVALID_PARAMETER", true},
	} {
		b := &board{answers: map[string][]any{"SendMessage": {c.answer}, "Invoke": {c.answer}, "PutEvents": {c.answer}, "PutRecord": {c.answer}}}
		_, err := (&Sender{Caller: b}).Send(t.Context(), &Letter{Target: c.target, As: as, Body: []byte("{}")})
		if err == nil || Code(err) != c.code || Lasting(err) != c.lasting {
			t.Errorf("%s answers %v: %s, lasting %v", c.target, err, Code(err), Lasting(err))
		}
	}
	b := &board{answers: map[string][]any{"Invoke": {&lambdaapi.InvocationResponse{FunctionError: new("Unhandled"), Payload: []byte("{}")}}}}
	_, err := (&Sender{Caller: b}).Send(t.Context(), &Letter{Target: "arn:aws:lambda:us-east-1:000000000000:function:f", Wait: true, As: as})
	if err == nil || Code(err) != "ERROR_FROM_TARGET" || Lasting(err) {
		t.Error(err)
	}
}

func FuzzParseARN(f *testing.F) {
	for _, s := range []string{"arn:aws:sqs:us-east-1:000000000000:q", "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "arn:aws:scheduler:::aws-sdk:a:", "arn:aws-cn:x:::y", ":::::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := ParseARN(s)
		if !ok {
			if Check(s) == nil {
				t.Fatal("no ARN, and yet a target")
			}
			return
		}
		if service, operation, ok := a.Universal(); ok && (service == "" || operation == "") {
			t.Fatal(service, operation)
		}
	})
}
