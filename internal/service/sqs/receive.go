package sqs

import (
	"context"
	"errors"
	"strconv"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// ReceiveMessage leases messages of a queue, waiting for the first where it is asked to.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
func (s *Service) ReceiveMessage(ctx context.Context, in *api.ReceiveMessageRequest) (*api.ReceiveMessageResult, error) {
	at, err := queueAt(awsapi.RequestOf(ctx), *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := checkReceive(in); err != nil {
		return nil, err
	}
	wanted, err := systemSelection(in)
	if err != nil {
		return nil, err
	}
	var q *queue
	o := store.ReceiveOptions{Max: 1}
	err = s.Store.View(ctx, func(r store.Reader) (err error) {
		if q, err = s.queue(r, at); err != nil {
			return err
		}
		return s.bury(r, q, &o)
	})
	if err != nil {
		return nil, err
	}
	q.lend(in, &o)
	id := awsapi.Val(in.ReceiveRequestAttemptId)
	if id != "" && q.fifo {
		if messages, err := s.repeated(ctx, q, id, o); err != nil || messages != nil {
			return &api.ReceiveMessageResult{Messages: messages}, err
		}
	}
	if full, err := s.full(ctx, q); full || err != nil {
		return q.whenFull(o.Wait, err)
	}
	messages, err := s.receive(ctx, q, o)
	if err != nil {
		return nil, err
	}
	out := new(api.ReceiveMessageResult)
	for i := range messages {
		m, err := q.show(&messages[i], wanted, in.MessageAttributeNames)
		if err != nil {
			return nil, err
		}
		out.Messages = append(out.Messages, m)
	}
	if id != "" && q.fifo {
		err = s.remember(ctx, q, id, out.Messages)
	}
	return out, err
}

func checkReceive(in *api.ReceiveMessageRequest) error {
	if n := in.MaxNumberOfMessages; n != nil && (*n < 1 || *n > maxBatch) {
		return invalidValue(*n, "MaxNumberOfMessages", "Must be between 1 and 10, if provided.")
	}
	if w := in.WaitTimeSeconds; w != nil && (*w < 0 || *w > maxWait) {
		return invalidValue(*w, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.")
	}
	if err := checkFIFOID("ReceiveRequestAttemptId", in.ReceiveRequestAttemptId); err != nil {
		return err
	}
	return checkVisibility(in.VisibilityTimeout)
}

func checkVisibility(v *int32) error {
	if v != nil && (*v < 0 || *v > maxVisibility) {
		return invalidValue(*v, "VisibilityTimeout", "Must be between 0 and 43200, if provided.")
	}
	return nil
}

// lend sets how messages are leased.
func (q *queue) lend(in *api.ReceiveMessageRequest, o *store.ReceiveOptions) {
	o.Lease, o.Wait = q.visibility, q.wait
	if in.MaxNumberOfMessages != nil {
		o.Max = int(*in.MaxNumberOfMessages)
	}
	if in.VisibilityTimeout != nil {
		o.Lease = time.Duration(*in.VisibilityTimeout) * time.Second
	}
	if in.WaitTimeSeconds != nil {
		o.Wait = time.Duration(*in.WaitTimeSeconds) * time.Second
	}
	o.Lease = max(o.Lease, minLease)
}

// receive receives, until polls are over where it waits.
func (s *Service) receive(ctx context.Context, q *queue, o store.ReceiveOptions) ([]store.Message, error) {
	wait := o.Wait
	if awsapi.RequestOf(ctx).NoWait {
		o.Wait = 0
	}
	if o.Wait == 0 {
		messages, err := s.Store.Receive(ctx, q.messages, o)
		if err == nil && len(messages) == 0 && wait > 0 {
			err = awsapi.ErrWouldWait
		}
		return messages, err
	}
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(s.polls, stop)()
	messages, err := s.Store.Receive(waiting, q.messages, o)
	if err != nil && s.polls.Err() != nil && ctx.Err() == nil {
		return nil, nil
	}
	return messages, err
}

// countEvery is how long a count of the messages in flight holds: the limit is approximate.
const countEvery = time.Second

// full says whether the queue has as many messages in flight as it may.
func (s *Service) full(ctx context.Context, q *queue) (bool, error) {
	now := time.Now().UnixNano()
	if last := q.flight.counted.Load(); now-last >= int64(countEvery) && q.flight.counted.CompareAndSwap(last, now) {
		stats, err := s.Store.Stats(ctx, q.messages)
		if err != nil {
			return false, err
		}
		q.flight.leased.Store(int64(stats.Leased))
	}
	return q.flight.leased.Load() >= int64(s.maxInFlight), nil
}

// whenFull is the answer of a queue with too many messages in flight: an error to those who do not wait, no
// messages to others and from FIFO queues.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
func (q *queue) whenFull(wait time.Duration, err error) (*api.ReceiveMessageResult, error) {
	if err == nil && !q.fifo && wait == 0 {
		err = api.OverLimit.New("Too many messages in flight.")
	}
	if err != nil {
		return nil, err
	}
	return &api.ReceiveMessageResult{}, nil
}

// show is a message as its receiver sees it.
func (q *queue) show(m *store.Message, system map[string]bool, attributes selection) (api.Message, error) {
	said, err := decodeMessage(m.Body)
	if err != nil {
		return api.Message{}, err
	}
	out := api.Message{
		MessageId:     new(m.ID),
		ReceiptHandle: new(receipt{queue: q.record.ID, received: time.Now(), until: m.LeaseExpires, id: m.ID, token: m.Token}.String()),
		Body:          new(string(said.body)),
		MD5OfBody:     shown(said.sum),
		Attributes:    q.systemAttributes(m, &said, system),
	}
	if len(attributes) > 0 && len(said.attributes) > 0 {
		chosen := attributes.of(said.attributes)
		out.MessageAttributes, out.MD5OfMessageAttributes = view(chosen), attributesSum(chosen)
	}
	return out, nil
}

// systemNames are the system attributes that can be asked for.
var systemNames = map[string]bool{
	api.MessageSystemAttributeNameSenderId:                         true,
	api.MessageSystemAttributeNameSentTimestamp:                    true,
	api.MessageSystemAttributeNameApproximateReceiveCount:          true,
	api.MessageSystemAttributeNameApproximateFirstReceiveTimestamp: true,
	api.MessageSystemAttributeNameSequenceNumber:                   true,
	api.MessageSystemAttributeNameMessageDeduplicationId:           true,
	api.MessageSystemAttributeNameMessageGroupId:                   true,
	api.MessageSystemAttributeNameAWSTraceHeader:                   true,
	api.MessageSystemAttributeNameDeadLetterQueueSourceArn:         true,
}

// systemSelection are the system attributes that a request asks for, by either of the two names that the
// parameter has. A queue's attributes may stand there too, and say nothing.
func systemSelection(in *api.ReceiveMessageRequest) (map[string]bool, error) {
	var wanted map[string]bool
	for _, names := range [...][]string{in.MessageSystemAttributeNames, in.AttributeNames} {
		for _, name := range names {
			if name == api.MessageSystemAttributeNameAll {
				return systemNames, nil
			}
			if !systemNames[name] && !isQueueAttribute(name) {
				return nil, api.InvalidAttributeName.New("Unknown Attribute %s.", name)
			}
			if wanted == nil {
				wanted = make(map[string]bool, len(names))
			}
			wanted[name] = true
		}
	}
	return wanted, nil
}

func (q *queue) systemAttributes(m *store.Message, said *message, wanted map[string]bool) map[string]string {
	if len(wanted) == 0 {
		return nil
	}
	out := make(map[string]string, len(wanted))
	set := func(name, value string) {
		if value != "" && wanted[name] {
			out[name] = value
		}
	}
	set(api.MessageSystemAttributeNameSenderId, said.sender)
	set(api.MessageSystemAttributeNameSentTimestamp, milliseconds(m.Enqueued))
	set(api.MessageSystemAttributeNameApproximateReceiveCount, strconv.Itoa(m.Deliveries))
	set(api.MessageSystemAttributeNameApproximateFirstReceiveTimestamp, milliseconds(m.FirstLeased))
	set(api.MessageSystemAttributeNameMessageGroupId, said.group)
	set(api.MessageSystemAttributeNameMessageDeduplicationId, said.dedup)
	set(api.MessageSystemAttributeNameAWSTraceHeader, said.trace)
	if q.fifo {
		set(api.MessageSystemAttributeNameSequenceNumber, sequenceNumber(m.Sequence))
	}
	if said.queue != q.name {
		source := address{account: q.account, region: q.region, name: said.queue}
		set(api.MessageSystemAttributeNameDeadLetterQueueSourceArn, source.arn())
	}
	return out
}

func milliseconds(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// bury tells the store where messages go that were received too often. Without a queue to go to they stay.
func (s *Service) bury(r store.Reader, q *queue, o *store.ReceiveOptions) error {
	if q.redrive == nil {
		return nil
	}
	dead, err := s.queue(r, q.deadLetters)
	if errors.Is(err, api.QueueDoesNotExist) || err == nil && dead.messages == q.messages {
		return nil
	}
	if err != nil {
		return err
	}
	o.MaxDeliveries, o.DeadLetter, o.DeadRetention = q.redrive.Max, dead.messages, dead.retention
	return nil
}
