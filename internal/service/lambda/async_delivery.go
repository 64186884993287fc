package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cirro/internal/awsapi"
	eventsapi "cirro/internal/awsapi/events"
	api "cirro/internal/awsapi/lambda"
	s3api "cirro/internal/awsapi/s3"
	snsapi "cirro/internal/awsapi/sns"
	sqsapi "cirro/internal/awsapi/sqs"
	"cirro/internal/courier"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// The queue of outcomes on their way, and how often a delivery is attempted that fails through no
// fault of ours or of the target's settings.
const (
	deliveryQueue    = "lambda/deliveries"
	deliveryAttempts = 10
	deliverAtOnce    = 32
)

// delivery is an outcome on its way to a destination, or an event on its way to a dead-letter queue.
type delivery struct {
	scope
	Function    string
	FunctionARN string // with the qualifier
	Role        string
	RequestID   string
	TraceID     string
	Condition   ending
	Target      string // ARN
	Body        string
	DeadLetter  *deadLetter     // nil for a destination
	Source      *deliverySource // nil for an asynchronous invocation
	At          time.Time       // when it was concluded
}

// deliverySource is where a batch was given up.
type deliverySource struct{ UUID, Shard string }

func (d *delivery) encode() []byte {
	b, err := json.Marshal(d)
	if err != nil {
		panic(fmt.Sprintf("lambda: encode a delivery: %v", err)) // strings
	}
	return b
}

// deliverOutcomes delivers what is in the queue until ctx ends.
func (s *Service) deliverOutcomes(ctx context.Context) {
	s.carry(ctx, deliveryQueue, deliverAtOnce, s.deliverMessage)
}

func (s *Service) deliverMessage(ctx context.Context, m store.Message) courier.Verdict {
	var d delivery
	if err := json.Unmarshal(m.Body, &d); err != nil {
		s.Log.Error("lambda: a delivery cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	err := s.deliver(ctx, &d)
	switch {
	case err == nil:
		return courier.Verdict{}
	case ctx.Err() != nil:
		return courier.Again(0)
	case m.Deliveries < deliveryAttempts && courier.Passing(err):
		return courier.Again(s.backoff(m.Deliveries))
	}
	// AWS drops it too, and counts it in the metric DestinationDeliveryFailures.
	s.Log.Error("lambda: an asynchronous invocation's outcome could not be delivered", "function", d.FunctionARN,
		"request", d.RequestID, "condition", d.Condition, "target", d.Target, "error", err)
	return courier.Verdict{}
}

// deliver calls the target as the function's role would.
func (s *Service) deliver(ctx context.Context, d *delivery) error {
	target := strings.SplitN(d.Target, ":", 6) // arn:aws:service:region:account:resource
	if len(target) != 6 {
		return awsapi.ValidationException.New("Invalid ARN: %s", d.Target)
	}
	service, region, account, resource := target[2], target[3], target[4], target[5]
	operation, in := "", any(nil)
	switch service {
	case "sqs":
		operation, in = "SendMessage", d.toQueue(region, account, resource)
	case "sns":
		operation, in = "Publish", d.toTopic()
	case "lambda":
		operation, in = "Invoke", d.toFunction()
	case "events":
		operation, in = "PutEvents", d.toBus(s.Clock())
	case "s3":
		region = d.Region
		operation, in = "PutObject", d.toObject(resource)
	default:
		return awsapi.Unimplemented(service, "as a destination of asynchronous invocations")
	}
	if s.Caller == nil {
		return awsapi.Unimplemented(service, operation)
	}
	principal := d.principal()
	ctx = awsapi.WithRequest(ctx, &awsapi.Request{ID: uuid.NewString(), Region: region, Principal: principal, Time: s.Clock(),
		TraceID: d.TraceID})
	out, err := s.Caller.Call(ctx, principal, service, operation, in)
	if err != nil {
		return err
	}
	if put, ok := out.(*eventsapi.PutEventsResponse); ok && awsapi.Val(put.FailedEntryCount) > 0 {
		return fmt.Errorf("lambda: event bus %s refused the event: %s", d.Target, awsapi.Val(put.Entries[0].ErrorMessage))
	}
	return nil
}

// principal is the session that the function runs as.
func (d *delivery) principal() awsapi.Principal {
	p := session(d.scope, d.Role, d.Function)
	p.SourceARN = d.FunctionARN
	return p
}

func (d *delivery) toQueue(region, account, name string) *sqsapi.SendMessageRequest {
	in := &sqsapi.SendMessageRequest{
		QueueUrl:    new(queueURL(region, account, name)),
		MessageBody: &d.Body,
	}
	if l := d.DeadLetter; l != nil {
		in.MessageAttributes = map[string]sqsapi.MessageAttributeValue{
			"RequestID":    {DataType: new("String"), StringValue: &d.RequestID},
			"ErrorCode":    {DataType: new("Number"), StringValue: &l.Code},
			"ErrorMessage": {DataType: new("String"), StringValue: &l.Message},
		}
	}
	return in
}

func (d *delivery) toTopic() *snsapi.PublishInput {
	in := &snsapi.PublishInput{TopicArn: &d.Target, Message: &d.Body}
	if l := d.DeadLetter; l != nil {
		in.MessageAttributes = map[string]snsapi.MessageAttributeValue{
			"RequestID":    {DataType: new("String"), StringValue: &d.RequestID},
			"ErrorCode":    {DataType: new("Number"), StringValue: &l.Code},
			"ErrorMessage": {DataType: new("String"), StringValue: &l.Message},
		}
	}
	return in
}

func (d *delivery) toFunction() *api.InvocationRequest {
	return &api.InvocationRequest{FunctionName: &d.Target, InvocationType: new(api.InvocationTypeEvent), Payload: []byte(d.Body)}
}

// toBucket reports whether the target is a bucket.
func (d *delivery) toBucket() bool { return strings.HasPrefix(d.Target, "arn:aws:s3:") }

// toObject writes the record into a bucket, by the hour.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
func (d *delivery) toObject(bucket string) *s3api.PutObjectRequest {
	of := "async/" + d.Function
	if d.Source != nil {
		of = d.Source.UUID + "/" + d.Source.Shard
	}
	return &s3api.PutObjectRequest{
		Bucket:      &bucket,
		Key:         new(fmt.Sprintf("aws/lambda/%s/%s-%s", of, d.At.UTC().Format("2006/01/02/2006-01-02T15.04.05"), d.RequestID)),
		Body:        strings.NewReader(d.Body),
		ContentType: new("application/json"),
	}
}

func (d *delivery) toBus(now time.Time) *eventsapi.PutEventsRequest {
	kind := "Lambda Function Invocation Result - Failure"
	if d.Condition == endedWell {
		kind = "Lambda Function Invocation Result - Success"
	}
	return &eventsapi.PutEventsRequest{Entries: []eventsapi.PutEventsRequestEntry{{
		Time:         &now,
		Source:       new("lambda"),
		Resources:    []string{d.Target, d.FunctionARN},
		DetailType:   &kind,
		Detail:       &d.Body,
		EventBusName: &d.Target,
	}}}
}
