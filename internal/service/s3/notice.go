package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cirro/internal/awsapi"
	eventsapi "cirro/internal/awsapi/events"
	lambdaapi "cirro/internal/awsapi/lambda"
	api "cirro/internal/awsapi/s3"
	snsapi "cirro/internal/awsapi/sns"
	sqsapi "cirro/internal/awsapi/sqs"
	"cirro/internal/courier"
	"cirro/internal/store"
)

// The queue of notices on their way. One that fails through no fault of the destination's settings is tried again
// for about a day.
const (
	noticeQueue    = "s3/notices"
	noticesAtOnce  = 64
	noticeAttempts = 160
)

var noticeBackoff = courier.Backoff{Shortest: 200 * time.Millisecond, Longest: 10 * time.Minute}

// notice is an event on its way to one destination.
type notice struct {
	Event   occurrence
	Service string // lambda, sqs, sns or events
	ARN     string // of the destination; "" for the default event bus
	Rule    string // id of the configuration
}

// notifier is what a bucket notifies of.
type notifier struct {
	rules []noticeRule
	bus   bool // all events go to EventBridge
}

func newNotifier(c api.NotificationConfiguration) (*notifier, error) {
	return &notifier{noticeRules(&c), c.EventBridgeConfiguration != nil}, nil
}

// notify writes what follows from an event in the transaction that makes it: a notice to each destination that the
// bucket's configuration names for it.
func (s *Service) notify(tx store.Tx, b *bucket, e objectEvent) error {
	n, err := configOf(s, tx, b, kindNotification, newNotifier)
	if err != nil || n == nil {
		return err
	}
	var o *occurrence
	send := func(service, arn, rule string) error {
		if o == nil {
			o = s.occurrenceOf(b, e)
		}
		_, err := tx.Enqueue(noticeQueue, store.NewMessage{Body: []byte(compactJSON(notice{*o, service, arn, rule}))})
		return err
	}
	for i := range n.rules {
		if rule := &n.rules[i]; rule.matches(e.Name, e.Key) {
			if err := send(rule.Service, rule.ARN, rule.ID); err != nil {
				return err
			}
		}
	}
	if n.bus {
		return send("events", "", "")
	}
	return nil
}

// deliverNotices delivers what is in the queue until ctx ends.
func (s *Service) deliverNotices(ctx context.Context) {
	c := courier.Courier{Store: s.Store, Queue: noticeQueue, AtOnce: noticesAtOnce, Handle: s.deliverNotice, Log: s.Log}
	c.Run(ctx)
}

func (s *Service) deliverNotice(ctx context.Context, m store.Message) courier.Verdict {
	var n notice
	if err := json.Unmarshal(m.Body, &n); err != nil {
		s.Log.Error("s3: a notice cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	err := s.send(ctx, &n)
	switch {
	case err == nil:
		return courier.Verdict{}
	case ctx.Err() != nil:
		return courier.Again(0)
	case m.Deliveries < noticeAttempts && courier.Passing(err):
		return courier.Again(noticeBackoff.After(m.Deliveries))
	}
	// S3 drops what a destination refuses, too.
	s.Log.Warn("s3: a notification could not be delivered", "bucket", n.Event.Bucket, "key", n.Event.Key, "event", n.Event.Name,
		"destination", n.ARN, "error", err)
	return courier.Verdict{}
}

// send calls the destination.
func (s *Service) send(ctx context.Context, n *notice) error {
	region := n.Event.Region
	if arn := strings.SplitN(n.ARN, ":", 6); len(arn) == 6 {
		region = arn[3]
	}
	operation, in := "", any(nil)
	switch n.Service {
	case "lambda":
		operation, in = "Invoke", &lambdaapi.InvocationRequest{FunctionName: &n.ARN,
			InvocationType: new(lambdaapi.InvocationTypeEvent), Payload: []byte(n.Event.records(n.Rule))}
	case "sqs":
		operation, in = "SendMessage", n.toQueue()
	case "sns":
		operation, in = "Publish", &snsapi.PublishInput{TopicArn: &n.ARN, Message: new(n.Event.records(n.Rule)), Subject: new(noticeSubject)}
	case "events":
		operation, in = "PutEvents", n.toBus()
	}
	b := bucket{Name: n.Event.Bucket, Account: n.Event.Account}
	out, err := s.Caller.Call(s.calling(ctx, region, n.Event.Trace), principalOf(&b), n.Service, operation, in)
	if err != nil {
		return err
	}
	if put, ok := out.(*eventsapi.PutEventsResponse); ok && awsapi.Val(put.FailedEntryCount) > 0 {
		return fmt.Errorf("s3: the event bus refused an event: %s", awsapi.Val(put.Entries[0].ErrorMessage))
	}
	return nil
}

const noticeSubject = "Amazon S3 Notification"

func (n *notice) toQueue() *sqsapi.SendMessageRequest {
	in := &sqsapi.SendMessageRequest{QueueUrl: queueURL(n.ARN), MessageBody: new(n.Event.records(n.Rule))}
	if n.Event.Trace != "" {
		in.MessageSystemAttributes = map[string]sqsapi.MessageSystemAttributeValue{
			"AWSTraceHeader": {DataType: new("String"), StringValue: &n.Event.Trace}}
	}
	return in
}

func (n *notice) toBus() *eventsapi.PutEventsRequest {
	kind, detail := n.Event.detail()
	entry := eventsapi.PutEventsRequestEntry{
		Time: &n.Event.Time, Source: new("aws.s3"), Resources: []string{"arn:aws:s3:::" + n.Event.Bucket}, DetailType: &kind, Detail: &detail}
	if n.Event.Trace != "" {
		entry.TraceHeader = &n.Event.Trace
	}
	return &eventsapi.PutEventsRequest{Entries: []eventsapi.PutEventsRequestEntry{entry}}
}
