package sns

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"cirro/internal/awsapi"
	sqsapi "cirro/internal/awsapi/sqs"
)

// sendToQueue sends a message to a subscribed queue, or to one for dead letters: the bare text with its
// attributes, or the envelope.
func (s *Service) sendToQueue(ctx context.Context, sub *subscription, queue string, d *delivery, p *papers) error {
	if sub.raw() {
		e := entryOf(queue, d, d.Message.textFor(sub.Protocol))
		e.MessageAttributes = rawAttributes(d.Message.Attributes)
		return s.sendEntry(ctx, sub, queue, e)
	}
	m, err := p.signed(sub.Protocol)
	if err != nil {
		return err
	}
	return s.sendEntry(ctx, sub, queue, entryOf(queue, d, m.envelope(sub)))
}

// entryOf is what a queue is sent. A queue that keeps order learns of the group and of repetitions, others of
// the group alone, which makes them fair.
func entryOf(queue string, d *delivery, body string) sqsapi.SendMessageBatchRequestEntry {
	e := sqsapi.SendMessageBatchRequestEntry{MessageBody: &body}
	if d.Message.Group != "" {
		e.MessageGroupId = &d.Message.Group
	}
	if strings.HasSuffix(queue, ".fifo") {
		e.MessageDeduplicationId = new(d.Message.dedupFor(protocolSQS))
		if e.MessageGroupId == nil {
			e.MessageGroupId = &d.Message.ID
		}
	}
	if d.TraceID != "" {
		e.MessageSystemAttributes = map[string]sqsapi.MessageSystemAttributeValue{
			"AWSTraceHeader": {DataType: new("String"), StringValue: &d.TraceID}}
	}
	return e
}

func rawAttributes(attributes map[string]attribute) map[string]sqsapi.MessageAttributeValue {
	if len(attributes) == 0 {
		return nil
	}
	out := make(map[string]sqsapi.MessageAttributeValue, len(attributes))
	for name, a := range attributes {
		v := sqsapi.MessageAttributeValue{DataType: &a.Type}
		if a.Binary != nil {
			v.BinaryValue = a.Binary
		} else {
			v.StringValue = &a.Text
		}
		out[name] = v
	}
	return out
}

// lanes collect what is on its way to the same queue while a call to it is under way, and send it with the
// next one. So a call carries as much as its queue is behind.
type lanes struct {
	mu   sync.Mutex
	open map[lane][]*parcel // those with a call under way; what waits
}

// lane is a queue with the topic on whose behalf it is called.
type lane struct {
	topic topicRef
	queue string // ARN
}

type parcel struct {
	entry sqsapi.SendMessageBatchRequestEntry
	size  int
	sent  chan error
}

// Limits of SendMessageBatch.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
const (
	maxEntries   = 10
	maxBatchSize = 1 << 20
)

// sendEntry sends an entry to a queue.
func (s *Service) sendEntry(ctx context.Context, sub *subscription, queue string, e sqsapi.SendMessageBatchRequestEntry) error {
	p := &parcel{entry: e, size: len(*e.MessageBody), sent: make(chan error, 1)}
	for name, a := range e.MessageAttributes {
		p.size += len(name) + len(*a.DataType) + len(awsapi.Val(a.StringValue)) + len(a.BinaryValue)
	}
	l := lane{sub.Topic, queue}
	s.lanes.mu.Lock()
	waiting, busy := s.lanes.open[l]
	s.lanes.open[l] = append(waiting, p)
	s.lanes.mu.Unlock()
	if !busy {
		s.done.Go(func() { s.drain(l) })
	}
	select {
	case err := <-p.sent:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drain sends what waits in a lane until nothing does.
func (s *Service) drain(l lane) {
	for {
		batch := s.lanes.take(l)
		if batch == nil {
			return
		}
		s.sendBatch(l, batch)
	}
}

// take takes as much as one call carries. With the last of it the lane closes.
func (l *lanes) take(of lane) []*parcel {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.open[of]
	n, size := 0, 0
	for n < len(waiting) && n < maxEntries && (n == 0 || size+waiting[n].size <= maxBatchSize) {
		size += waiting[n].size
		n++
	}
	if n == 0 {
		delete(l.open, of)
		return nil
	}
	l.open[of] = waiting[n:]
	return waiting[:n:n]
}

func (s *Service) sendBatch(l lane, batch []*parcel) {
	queue, _ := parseResource(l.queue)
	url := fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/%s", queue.Region, queue.Account, queue.Name)
	ctx, who := s.asService(s.ctx, l.topic, queue.Region, "")
	if len(batch) == 1 {
		e := batch[0].entry
		_, err := s.Caller.Call(ctx, who, "sqs", "SendMessage", &sqsapi.SendMessageRequest{QueueUrl: &url, MessageBody: e.MessageBody,
			MessageAttributes: e.MessageAttributes, MessageSystemAttributes: e.MessageSystemAttributes,
			MessageGroupId: e.MessageGroupId, MessageDeduplicationId: e.MessageDeduplicationId})
		batch[0].sent <- err
		return
	}
	in := &sqsapi.SendMessageBatchRequest{QueueUrl: &url}
	for i, p := range batch {
		p.entry.Id = new(strconv.Itoa(i))
		in.Entries = append(in.Entries, p.entry)
	}
	answer, err := s.Caller.Call(ctx, who, "sqs", "SendMessageBatch", in)
	out, ok := answer.(*sqsapi.SendMessageBatchResult)
	if err == nil && !ok {
		err = fmt.Errorf("sns: sqs answered a %T", answer)
	}
	failed := map[string]error{}
	if err == nil {
		for _, f := range out.Failed {
			failed[awsapi.Val(f.Id)] = entryError(f)
		}
	}
	for i, p := range batch {
		if err != nil {
			p.sent <- err
		} else {
			p.sent <- failed[strconv.Itoa(i)]
		}
	}
}

func entryError(f sqsapi.BatchResultErrorEntry) error {
	t := &awsapi.ErrorType{Code: awsapi.Val(f.Code), Status: http.StatusBadRequest}
	if !awsapi.Val(f.SenderFault) {
		t.Status, t.Server = http.StatusInternalServerError, true
	}
	return t.New("%s", awsapi.Val(f.Message))
}
