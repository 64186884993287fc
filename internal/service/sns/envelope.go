package sns

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// kind is what an endpoint is told of.
type kind string

const (
	kindMessage kind = "Notification"
	kindConfirm kind = "SubscriptionConfirmation"
	kindEnd     kind = "UnsubscribeConfirmation"
)

const timeFormat = "2006-01-02T15:04:05.000Z"

func timestamp(t time.Time) string { return t.UTC().Format(timeFormat) }

// stringToSign is what a signature is of: the members' names and values, in their order.
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
func stringToSign(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == "Subject" && pairs[i+1] == "" {
			continue
		}
		b.WriteString(pairs[i] + "\n" + pairs[i+1] + "\n")
	}
	return b.String()
}

// signed is a message with the signature that all subscribers of a protocol get.
type signed struct {
	*message
	text      string
	version   string
	signature string // base64; "" in FIFO topics, whose messages are not signed
	authority *authority
}

// envelope is a notification as queues and HTTP endpoints get it.
func (m *signed) envelope(s *subscription) string {
	return m.members(s).text()
}

func (m *signed) members(s *subscription) members {
	e := members{{"Type", string(kindMessage)}, {"MessageId", m.ID}}
	if n := m.sequenceNumber(); n != nil {
		e = append(e, member{"SequenceNumber", *n})
	}
	e = append(e, member{"TopicArn", s.Topic.arn()})
	if m.Subject != "" {
		e = append(e, member{"Subject", m.Subject})
	}
	e = append(e, member{"Message", m.text}, member{"Timestamp", timestamp(m.Time)})
	if m.signature != "" {
		e = append(e, member{"SignatureVersion", m.version}, member{"Signature", m.signature},
			member{"SigningCertURL", m.authority.url(s.base(m.authority))})
	}
	e = append(e, member{"UnsubscribeURL", unsubscribeURL(s, m.authority)})
	if len(m.Attributes) > 0 {
		e = append(e, member{"MessageAttributes", json.RawMessage(m.attributesText())})
	}
	return e
}

// base is the platform's address in URLs for the subscriber.
func (s *subscription) base(a *authority) string {
	if a.base != "" {
		return a.base
	}
	return s.Base
}

func unsubscribeURL(s *subscription, a *authority) string {
	return s.base(a) + "/?Action=Unsubscribe&SubscriptionArn=" + s.arn()
}

func subscribeURL(s *subscription, a *authority, token string) string {
	return s.base(a) + "/?Action=ConfirmSubscription&TopicArn=" + s.Topic.arn() + "&Token=" + token
}

// member is a member of an envelope; members keep their order, and AWS's way of setting them.
type member struct {
	name  string
	value any // a string or JSON
}

type members []member

func (m members) text() string {
	var b strings.Builder
	for i, e := range m {
		b.WriteString(opening(i))
		b.WriteString("  \"" + e.name + "\" : ")
		if set, ok := e.value.(json.RawMessage); ok {
			b.Write(set) // as it is set
		} else {
			b.Write(encodeJSON(e.value))
		}
	}
	b.WriteString("\n}")
	return b.String()
}

// opening is what comes before the i-th member.
func opening(i int) string {
	if i == 0 {
		return "{\n"
	}
	return ",\n"
}

// attributesText sets the attributes of a message as AWS does: one a line.
func (m *message) attributesText() string {
	var b strings.Builder
	for i, name := range sortedKeys(m.Attributes) {
		b.WriteString(opening(i))
		b.WriteString("    ")
		b.Write(encodeJSON(name))
		b.WriteString(" : ")
		b.Write(encodeJSON(viewAttribute(m.Attributes[name])))
	}
	b.WriteString("\n  }")
	return b.String()
}

type attributeView struct {
	Type  string `json:"Type"`
	Value string `json:"Value"`
}

func viewAttribute(a attribute) attributeView {
	if a.Binary != nil {
		return attributeView{a.Type, base64.StdEncoding.EncodeToString(a.Binary)}
	}
	return attributeView{a.Type, a.Text}
}

// lambdaEvent is the event that a function gets, with its members in AWS's order.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
type lambdaEvent struct {
	Records [1]lambdaRecord `json:"Records"`
}

type lambdaRecord struct {
	Source       string    `json:"EventSource"`
	Version      string    `json:"EventVersion"`
	Subscription string    `json:"EventSubscriptionArn"`
	SNS          lambdaSNS `json:"Sns"`
}

type lambdaSNS struct {
	Type             string                   `json:"Type"`
	MessageID        string                   `json:"MessageId"`
	TopicARN         string                   `json:"TopicArn"`
	Subject          *string                  `json:"Subject"`
	Message          string                   `json:"Message"`
	Timestamp        string                   `json:"Timestamp"`
	SignatureVersion string                   `json:"SignatureVersion"`
	Signature        string                   `json:"Signature"`
	SigningCertURL   string                   `json:"SigningCertUrl"`
	UnsubscribeURL   string                   `json:"UnsubscribeUrl"`
	Attributes       map[string]attributeView `json:"MessageAttributes"`
}

func (m *signed) lambdaEvent(s *subscription) []byte {
	e := lambdaSNS{Type: string(kindMessage), MessageID: m.ID, TopicARN: s.Topic.arn(), Message: m.text, Timestamp: timestamp(m.Time),
		SignatureVersion: m.version, Signature: m.signature, SigningCertURL: m.authority.url(s.base(m.authority)),
		UnsubscribeURL: unsubscribeURL(s, m.authority), Attributes: map[string]attributeView{}}
	if m.Subject != "" {
		e.Subject = &m.Subject
	}
	for name, a := range m.Attributes {
		e.Attributes[name] = viewAttribute(a)
	}
	return encodeJSON(lambdaEvent{[1]lambdaRecord{{Source: "aws:sns", Version: "1.0", Subscription: s.arn(), SNS: e}}})
}

// notice is what an endpoint gets that is to confirm a subscription, or whose subscription has ended.
func (a *authority) notice(s *subscription, k kind, id, token, version string, now time.Time) (string, error) {
	text := "You have chosen to subscribe to the topic " + s.Topic.arn() +
		".\nTo confirm the subscription, visit the SubscribeURL included in this message."
	if k == kindEnd {
		text = "You have chosen to deactivate subscription " + s.arn() +
			".\nTo cancel this operation and restore the subscription, visit the SubscribeURL included in this message."
	}
	link, at := subscribeURL(s, a, token), timestamp(now)
	signature, err := a.sign(version, stringToSign("Message", text, "MessageId", id, "SubscribeURL", link, "Timestamp", at,
		"Token", token, "TopicArn", s.Topic.arn(), "Type", string(k)))
	if err != nil {
		return "", err
	}
	return members{{"Type", string(k)}, {"MessageId", id}, {"Token", token}, {"TopicArn", s.Topic.arn()}, {"Message", text},
		{"SubscribeURL", link}, {"Timestamp", at}, {"SignatureVersion", version}, {"Signature", signature},
		{"SigningCertURL", a.url(s.base(a))}}.text(), nil
}

// withSignature signs a message with the text of a protocol.
func (a *authority) withSignature(t *topic, m *message, protocol string) (*signed, error) {
	s := &signed{message: m, text: m.textFor(protocol), version: t.signatureVersion(), authority: a}
	if t.fifo() {
		return s, nil
	}
	var err error
	s.signature, err = a.sign(s.version, stringToSign("Message", s.text, "MessageId", m.ID, "Subject", m.Subject,
		"Timestamp", timestamp(m.Time), "TopicArn", t.arn(), "Type", string(kindMessage)))
	return s, err
}
