package sns

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sns"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// maxMessage is how large a message may be, with its attributes, and all those of a batch, in bytes.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
const maxMessage = 256 << 10

// Publish publishes a message. It is durable when Publish returns.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
func (s *Service) Publish(ctx context.Context, in *api.PublishInput) (*api.PublishResponse, error) {
	if in.Subject != nil && !validSubject(*in.Subject) {
		return nil, api.InvalidParameterException.New("Invalid parameter: Subject")
	}
	if awsapi.Val(in.Message) == "" {
		return nil, api.InvalidParameterException.New("Invalid parameter: Empty message")
	}
	if number := awsapi.Val(in.PhoneNumber); number != "" {
		if !phoneNumber.MatchString(number) {
			return nil, api.InvalidParameterException.New("Invalid parameter: PhoneNumber Reason: %s is not valid to publish to", number)
		}
		return nil, unsupported("SMS (PhoneNumber)")
	}
	m, err := readMessage(&published{in.Message, in.Subject, in.MessageStructure, in.MessageAttributes, in.MessageDeduplicationId, in.MessageGroupId})
	if err != nil {
		return nil, err
	}
	if m.size > maxMessage {
		return nil, api.InvalidParameterException.New("Invalid parameter: Message too long")
	}
	ref, err := parseDestination(ctx, in)
	if err != nil {
		return nil, err
	}
	list := []message{*m}
	if err := s.publish(ctx, ref, list); err != nil {
		return nil, err
	}
	return &api.PublishResponse{MessageId: &list[0].ID, SequenceNumber: list[0].sequenceNumber()}, nil
}

// phoneNumber is how E.164 writes one.
var phoneNumber = regexp.MustCompile(`^\+?[0-9]{1,15}$`)

// validSubject reports whether a subject is one: ASCII that begins with no space, has no control characters,
// and is at most 100 characters long.
func validSubject(subject string) bool {
	if subject == "" || len(subject) > 100 || subject[0] <= ' ' {
		return false
	}
	return strings.IndexFunc(subject, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// parseDestination finds the topic that is published to.
func parseDestination(ctx context.Context, in *api.PublishInput) (topicRef, error) {
	arn, parameter := awsapi.Val(in.TopicArn), "TopicArn"
	if in.TopicArn == nil && in.TargetArn != nil {
		arn = *in.TargetArn
		if strings.Contains(arn, ":endpoint/") {
			return topicRef{}, api.InvalidParameterException.New("Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified")
		}
	}
	return parseTopic(ctx, parameter, arn)
}

// published is what Publish and an entry of PublishBatch have in common.
type published struct {
	message, subject, structure *string
	attributes                  map[string]api.MessageAttributeValue
	dedup, group                *string
}

func readMessage(in *published) (*message, error) {
	m := &message{ID: uuid.NewString(), Text: awsapi.Val(in.message), Subject: awsapi.Val(in.subject),
		Dedup: awsapi.Val(in.dedup), Group: awsapi.Val(in.group)}
	var err error
	if m.Attributes, err = readAttributes(in.attributes); err != nil {
		return nil, err
	}
	m.size = len(m.Text) + attributesSize(m.Attributes)
	for name, value := range map[string]*string{"MessageGroupId": in.group, "MessageDeduplicationId": in.dedup} {
		if value != nil && !validID.MatchString(*value) {
			return nil, api.InvalidParameterException.New("Invalid parameter: %s", name)
		}
	}
	switch structure := awsapi.Val(in.structure); structure {
	case "":
	case "json":
		if err := m.readStructure(); err != nil {
			return nil, err
		}
	default:
		return nil, api.InvalidParameterException.New("Invalid parameter: MessageStructure")
	}
	return m, nil
}

// validID is what a message group id and a deduplication id are made of.
var validID = regexp.MustCompile("^[a-zA-Z0-9!\"#$%&'()*+,./:;<=>?@\\[\\\\\\]^_`{|}~-]{1,128}$")

// readStructure reads the texts by protocol out of a message that is JSON. What is no string is ignored.
func (m *message) readStructure() error {
	var texts map[string]json.RawMessage
	if err := json.Unmarshal([]byte(m.Text), &texts); err != nil {
		return api.InvalidParameterException.New("Invalid parameter: Message Structure - JSON message body failed to parse")
	}
	m.Texts = map[string]string{}
	for protocol, raw := range texts {
		var text string
		if len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
			m.Texts[protocol] = text
		}
	}
	text, ok := m.Texts["default"]
	if !ok {
		return api.InvalidParameterException.New("Invalid parameter: Message Structure - No default entry in JSON message body")
	}
	m.Text = text
	delete(m.Texts, "default")
	return nil
}

// sequenceNumber is how a client sees the place of a message in its FIFO topic; nil in others.
func (m *message) sequenceNumber() *string {
	if m.Sequence == 0 {
		return nil
	}
	return new(fmt.Sprintf("1%019d", m.Sequence))
}

// publish takes messages for a topic, in one transaction. It sets their times and sequence numbers; one that
// repeats another is given the other's id and number.
func (s *Service) publish(ctx context.Context, ref topicRef, list []message) error {
	now := s.Clock()
	for i := range list {
		list[i].Time = now
	}
	trace := awsapi.RequestOf(ctx).TraceID
	if ref.fifo() {
		unlock := s.orders.lock(ref.arn())
		defer unlock()
	}
	fresh := slices.Clone(list)
	return s.Store.Update(ctx, func(tx store.Tx) error {
		copy(list, fresh) // where it runs again
		t, err := getTopic(tx, ref)
		if err != nil {
			return err
		}
		for i := range list {
			if err := t.accepts(&list[i]); err != nil {
				return err
			}
		}
		if t.fifo() {
			return s.enqueueInOrder(tx, t, list, trace)
		}
		to, err := s.subscribers(tx, t)
		if err != nil || len(to) == 0 {
			return err
		}
		_, err = tx.Enqueue(publicationQueue, store.NewMessage{Body: (&publication{Topic: ref, Messages: list, TraceID: trace}).encode()})
		return err
	})
}

// accepts checks a message against its topic.
func (t *topic) accepts(m *message) error {
	switch {
	case t.fifo() && m.Group == "":
		return api.InvalidParameterException.New("Invalid parameter: The MessageGroupId parameter is required for FIFO topics")
	case t.fifo() && m.Dedup == "" && !t.contentDedup():
		return api.InvalidParameterException.New("Invalid parameter: The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
	case !t.fifo() && m.Dedup != "":
		return api.InvalidParameterException.New("Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type")
	case !utf8.ValidString(m.Text):
		return api.InvalidParameterException.New("Invalid parameter: Message")
	}
	return nil
}
