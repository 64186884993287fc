package eventsource

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"cirro/internal/awsapi"
	sqsapi "cirro/internal/awsapi/sqs"
)

// messageEvent is a message as a handler gets it.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event
type messageEvent struct {
	MessageID   string                      `json:"messageId"`
	Receipt     string                      `json:"receiptHandle"`
	Body        string                      `json:"body"`
	Attributes  map[string]string           `json:"attributes"`
	Custom      map[string]messageAttribute `json:"messageAttributes"`
	MD5OfBody   string                      `json:"md5OfBody"`
	MD5OfCustom string                      `json:"md5OfMessageAttributes,omitempty"`
	EventSource string                      `json:"eventSource"`
	SourceARN   string                      `json:"eventSourceARN"`
	Region      string                      `json:"awsRegion"`
}

type messageAttribute struct {
	StringValue      *string  `json:"stringValue,omitempty"`
	BinaryValue      []byte   `json:"binaryValue,omitempty"`
	StringListValues []string `json:"stringListValues"`
	BinaryListValues [][]byte `json:"binaryListValues"`
	DataType         string   `json:"dataType"`
}

// message makes a record of a message.
func (q *queue) message(m *sqsapi.Message) Record {
	e := messageEvent{
		MessageID: awsapi.Val(m.MessageId), Receipt: awsapi.Val(m.ReceiptHandle), Body: awsapi.Val(m.Body),
		Attributes: m.Attributes, Custom: make(map[string]messageAttribute, len(m.MessageAttributes)),
		MD5OfBody: awsapi.Val(m.MD5OfBody), MD5OfCustom: awsapi.Val(m.MD5OfMessageAttributes),
		EventSource: "aws:sqs", SourceARN: q.source.ARN, Region: q.place.Region,
	}
	for name, a := range m.MessageAttributes {
		e.Custom[name] = messageAttribute{StringValue: a.StringValue, BinaryValue: a.BinaryValue,
			StringListValues: []string{}, BinaryListValues: [][]byte{}, DataType: awsapi.Val(a.DataType)}
	}
	return Record{ID: e.MessageID, Event: encode(e), Trace: m.Attributes["AWSTraceHeader"], receipt: e.Receipt,
		Arrived: milliseconds(m.Attributes["SentTimestamp"])}
}

// milliseconds is a time as SQS's attributes have it.
func milliseconds(text string) time.Time {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// encode is JSON of what always can be. Text stays as it is: escapes made for HTML would count as bytes of a batch.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings, numbers and bytes
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
