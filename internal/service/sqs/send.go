package sqs

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// SendMessage puts a message into a queue.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
func (s *Service) SendMessage(ctx context.Context, in *api.SendMessageRequest) (*api.SendMessageResult, error) {
	r := awsapi.RequestOf(ctx)
	at, err := queueAt(r, *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	m, err := newOutgoing(r, at, &api.SendMessageBatchRequestEntry{MessageBody: in.MessageBody, DelaySeconds: in.DelaySeconds,
		MessageAttributes: in.MessageAttributes, MessageSystemAttributes: in.MessageSystemAttributes,
		MessageDeduplicationId: in.MessageDeduplicationId, MessageGroupId: in.MessageGroupId})
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		q, err := s.queue(tx, at)
		if err != nil {
			return err
		}
		if err := m.checkFor(q); err != nil {
			return err
		}
		return m.enqueue(tx, q)
	})
	if err != nil {
		return nil, err
	}
	return &api.SendMessageResult{MessageId: &m.id, MD5OfMessageBody: m.bodySum(), MD5OfMessageAttributes: attributesSum(m.attributes),
		MD5OfMessageSystemAttributes: attributesSum(m.system), SequenceNumber: m.sequenceNumber()}, nil
}

// outgoing is a message to send.
type outgoing struct {
	message
	system []attribute
	delay  *int32
	size   int // as SQS counts it

	stored   []byte // for the queue
	id       string
	sequence uint64 // where the queue is FIFO
}

// newOutgoing checks what can be checked without the queue.
func newOutgoing(r *awsapi.Request, at address, e *api.SendMessageBatchRequestEntry) (*outgoing, error) {
	m := &outgoing{delay: e.DelaySeconds, message: message{sender: r.Principal.UserID, trace: r.TraceID, queue: at.name,
		dedup: awsapi.Val(e.MessageDeduplicationId), group: awsapi.Val(e.MessageGroupId)}}
	body := *e.MessageBody
	if body == "" {
		return nil, missing("MessageBody")
	}
	if bad, found := forbidden(body); found {
		return nil, api.InvalidMessageContents.New("Invalid binary character '#x%X' was found in the message body, the set of allowed characters is %s.", bad, allowedCharacters)
	}
	if m.sender == "" {
		m.sender = r.Principal.Account
	}
	var err error
	if m.attributes, err = messageAttributes(e.MessageAttributes); err != nil {
		return nil, err
	}
	if err := m.takeSystem(e.MessageSystemAttributes); err != nil {
		return nil, err
	}
	if err := checkFIFOID("MessageDeduplicationId", e.MessageDeduplicationId); err != nil {
		return nil, err
	}
	if err := checkFIFOID("MessageGroupId", e.MessageGroupId); err != nil {
		return nil, err
	}
	m.body = []byte(body)
	m.sum = md5.Sum(m.body)
	m.size = len(body)
	for i := range m.attributes {
		a := &m.attributes[i]
		m.size += len(a.name) + len(a.kind) + len(a.value)
	}
	return m, nil
}

// takeSystem takes the one system attribute that a sender can set.
func (m *outgoing) takeSystem(given map[string]api.MessageSystemAttributeValue) error {
	for name, v := range given {
		if name != api.MessageSystemAttributeNameForSendsAWSTraceHeader {
			return invalidParameterValue.New("Message system attribute name '%s' is invalid.", name)
		}
		a, err := newAttribute(name, api.MessageAttributeValue(v))
		if err != nil {
			return err
		}
		if a.kind != "String" {
			return invalidParameterValue.New("The message system attribute '%s' must be of type 'String'.", name)
		}
		m.trace = string(a.value)
		m.system = []attribute{a}
	}
	return nil
}

// checkFIFOID checks a deduplication id or a group's: letters, digits and punctuation.
func checkFIFOID(parameter string, id *string) error {
	if id == nil {
		return nil
	}
	ok := *id != "" && len(*id) <= maxFIFOID
	for i := 0; ok && i < len(*id); i++ {
		ok = (*id)[i] > ' ' && (*id)[i] < 0x7f
	}
	if !ok {
		return invalidValue(*id, parameter, "%[2]s can only include alphanumeric and punctuation characters. 1 to 128 in length.")
	}
	return nil
}

// checkFor checks the message against the queue that it goes to.
func (m *outgoing) checkFor(q *queue) error {
	if m.size > q.maxSize {
		return invalidParameterValue.New("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", q.maxSize)
	}
	if m.delay != nil && (*m.delay < 0 || *m.delay > maxDelay) {
		return invalidValue(*m.delay, "DelaySeconds", "DelaySeconds must be >= 0 and <= %[3]d.", maxDelay)
	}
	if !q.fifo {
		if m.dedup != "" {
			return invalidValue(m.dedup, "MessageDeduplicationId", "The request includes a parameter that is not valid for this queue type.")
		}
		return nil
	}
	if m.delay != nil && *m.delay != 0 {
		return invalidValue(*m.delay, "DelaySeconds", "The request include parameter that is not valid for this queue type.")
	}
	if m.group == "" {
		return missing("MessageGroupId")
	}
	if m.dedup == "" && !q.contentDedup {
		return noDedup()
	}
	return nil
}

func noDedup() error {
	return invalidParameterValue.New("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
}

// enqueue adds the message to its queue. It may be called again, for another try of the transaction.
func (m *outgoing) enqueue(tx store.Tx, q *queue) (err error) {
	out := store.NewMessage{Delay: q.delay, Retention: q.retention}
	if q.fifo {
		m.identify(q, &out)
	} else {
		out.Fair = m.group
		if m.delay != nil {
			out.Delay = time.Duration(*m.delay) * time.Second
		}
	}
	if m.stored == nil {
		m.stored = m.encode()
	}
	out.Body = m.stored
	m.id, err = tx.Enqueue(q.messages, out)
	return err
}

// identify gives a message of a FIFO queue its group and what it is deduplicated by.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html
func (m *outgoing) identify(q *queue, out *store.NewMessage) {
	if m.dedup == "" {
		sum := sha256.Sum256(m.body)
		m.dedup = hex.EncodeToString(sum[:])
	}
	out.Group, out.Dedup, out.DedupWindow, out.Sequence = m.group, m.dedup, dedupWindow, &m.sequence
	if q.groupDedup {
		out.Dedup = m.group + " " + m.dedup // no id has a space
	}
}

func (m *outgoing) bodySum() *string { return shown(m.sum) }

// sequenceNumber is nil where the queue is not FIFO.
func (m *outgoing) sequenceNumber() *string {
	if m.sequence == 0 {
		return nil
	}
	return new(sequenceNumber(m.sequence))
}
