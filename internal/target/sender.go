package target

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cirro/internal/awsapi"
	eventsapi "cirro/internal/awsapi/events"
	kinesisapi "cirro/internal/awsapi/kinesis"
	lambdaapi "cirro/internal/awsapi/lambda"
	snsapi "cirro/internal/awsapi/sns"
	sqsapi "cirro/internal/awsapi/sqs"

	"github.com/google/uuid"
)

// Sender sends letters.
type Sender struct {
	Caller awsapi.Caller // for universal targets an awsapi.JSONCaller too
	Clock  func() time.Time
}

// Letter is what a target gets.
type Letter struct {
	Target  string           // ARN
	Body    []byte           // JSON as a rule: what a function, queue, topic or stream gets as it is
	As      awsapi.Principal // calls the target
	Region  string           // of targets whose ARN has none
	TraceID string

	Group        string            // of a FIFO queue's or topic's message
	Dedup        string            // deduplicates a FIFO queue's or topic's message
	Attributes   map[string]string // of a queue's or a topic's message, as strings
	PartitionKey string            // of a stream's record; "" for a random one
	Source       string            // of a bus's event
	DetailType   string            // of a bus's event
	Resources    []string          // of a bus's event
	Time         time.Time         // of a bus's event and of a log group's; zero for now
	LogStream    string            // of a log group; "" for one of the day
	Wait         bool              // for a function's answer
}

// sending calls one kind of target.
type sending func(s *Sender, ctx context.Context, a ARN, l *Letter) (answer []byte, err error)

// way is how a target is called; nil for a kind that there is not.
func way(a ARN) sending {
	kind := func(prefix string) bool { return strings.HasPrefix(a.Resource, prefix) }
	switch {
	case a.Service == "lambda" && kind("function:"):
		return toFunction
	case a.Service == "sqs":
		return toQueue
	case a.Service == "sns":
		return toTopic
	case a.Service == "events" && kind("event-bus/"):
		return toBus
	case a.Service == "kinesis" && kind("stream/"):
		return toStream
	case a.Service == "logs" && kind("log-group:"):
		return toLogGroup
	case a.Service == "states" && kind("stateMachine:"):
		return toStateMachine
	}
	return nil
}

// Send sends a letter and returns when the target has it. answer is a function's, where l.Wait asks for it.
func (s *Sender) Send(ctx context.Context, l *Letter) (answer []byte, err error) {
	if err := Check(l.Target); err != nil {
		return nil, err
	}
	if s.Caller == nil {
		return nil, awsapi.NotImplemented.New("nobody calls %s", l.Target)
	}
	a, _ := ParseARN(l.Target)
	region := a.Region
	if region == "" {
		region = l.Region
	}
	ctx = awsapi.WithRequest(ctx, &awsapi.Request{ID: uuid.NewString(), Region: region, Principal: l.As, Time: s.now(), TraceID: l.TraceID})
	if service, operation, ok := a.Universal(); ok {
		return nil, s.callJSON(ctx, l.As, service, operation, l.Body)
	}
	return way(a)(s, ctx, a, l)
}

func (s *Sender) now() time.Time {
	if s.Clock == nil {
		return time.Now()
	}
	return s.Clock()
}

func (s *Sender) callJSON(ctx context.Context, as awsapi.Principal, service, operation string, input []byte) error {
	caller, ok := s.Caller.(awsapi.JSONCaller)
	if !ok {
		return awsapi.Unimplemented(service, operation)
	}
	out, err := caller.CallJSON(ctx, as, service, operation, input)
	if err != nil {
		return err
	}
	return refused(out)
}

// refused is the error of entries that a batch did not take.
func refused(out any) error {
	if put, ok := out.(*eventsapi.PutEventsResponse); ok && awsapi.Val(put.FailedEntryCount) > 0 {
		for _, e := range put.Entries {
			if e.ErrorCode != nil {
				return awsapi.ValidationException.New("%s: %s", *e.ErrorCode, awsapi.Val(e.ErrorMessage))
			}
		}
	}
	return nil
}

// FunctionError says that a function was called and failed: its answer tells how.
type FunctionError struct {
	Kind   string // Handled or Unhandled
	Answer []byte
}

func (e *FunctionError) Error() string {
	return fmt.Sprintf("the function failed (%s): %s", e.Kind, e.Answer)
}

func toFunction(s *Sender, ctx context.Context, _ ARN, l *Letter) ([]byte, error) {
	in := &lambdaapi.InvocationRequest{FunctionName: &l.Target, InvocationType: new(lambdaapi.InvocationTypeEvent), Payload: l.Body}
	if l.Wait {
		in.InvocationType = new(lambdaapi.InvocationTypeRequestResponse)
	}
	out, err := s.Caller.Call(ctx, l.As, "lambda", "Invoke", in)
	if err != nil || !l.Wait {
		return nil, err
	}
	answer := out.(*lambdaapi.InvocationResponse)
	if answer.FunctionError != nil {
		return nil, &FunctionError{*answer.FunctionError, answer.Payload}
	}
	return answer.Payload, nil
}

func toQueue(s *Sender, ctx context.Context, a ARN, l *Letter) ([]byte, error) {
	in := &sqsapi.SendMessageRequest{
		QueueUrl:    new(fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/%s", a.Region, a.Account, a.Resource)),
		MessageBody: new(string(l.Body)), MessageGroupId: optional(l.Group), MessageDeduplicationId: optional(l.Dedup),
	}
	for name, value := range l.Attributes {
		if in.MessageAttributes == nil {
			in.MessageAttributes = map[string]sqsapi.MessageAttributeValue{}
		}
		in.MessageAttributes[name] = sqsapi.MessageAttributeValue{DataType: new("String"), StringValue: new(value)}
	}
	_, err := s.Caller.Call(ctx, l.As, "sqs", "SendMessage", in)
	return nil, err
}

func toTopic(s *Sender, ctx context.Context, _ ARN, l *Letter) ([]byte, error) {
	in := &snsapi.PublishInput{TopicArn: &l.Target, Message: new(string(l.Body)), MessageGroupId: optional(l.Group), MessageDeduplicationId: optional(l.Dedup)}
	for name, value := range l.Attributes {
		if in.MessageAttributes == nil {
			in.MessageAttributes = map[string]snsapi.MessageAttributeValue{}
		}
		in.MessageAttributes[name] = snsapi.MessageAttributeValue{DataType: new("String"), StringValue: new(value)}
	}
	_, err := s.Caller.Call(ctx, l.As, "sns", "Publish", in)
	return nil, err
}

func toBus(s *Sender, ctx context.Context, _ ARN, l *Letter) ([]byte, error) {
	at := l.Time
	if at.IsZero() {
		at = s.now()
	}
	out, err := s.Caller.Call(ctx, l.As, "events", "PutEvents", &eventsapi.PutEventsRequest{Entries: []eventsapi.PutEventsRequestEntry{{
		Time: &at, Source: &l.Source, DetailType: &l.DetailType, Resources: l.Resources, Detail: new(string(l.Body)), EventBusName: &l.Target,
		TraceHeader: optional(l.TraceID)}}})
	if err != nil {
		return nil, err
	}
	return nil, refused(out)
}

func toStream(s *Sender, ctx context.Context, _ ARN, l *Letter) ([]byte, error) {
	key := l.PartitionKey
	if key == "" {
		key = uuid.NewString()
	}
	_, err := s.Caller.Call(ctx, l.As, "kinesis", "PutRecord", &kinesisapi.PutRecordInput{StreamARN: &l.Target, Data: l.Body, PartitionKey: &key})
	return nil, err
}

func toStateMachine(s *Sender, ctx context.Context, _ ARN, l *Letter) ([]byte, error) {
	input, err := marshal(struct {
		StateMachineArn string
		Input           string
	}{l.Target, string(l.Body)})
	if err != nil {
		return nil, err
	}
	return nil, s.callJSON(ctx, l.As, "states", "StartExecution", input)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
