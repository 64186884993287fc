package sqs

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
)

func TestSendAndReceive(t *testing.T) {
	s := newStage(t)
	url := s.make("q")
	sent, err := s.SendMessage(s.ctx, &api.SendMessageRequest{QueueUrl: &url, MessageBody: new("hello"), MessageGroupId: new("tenant"),
		MessageAttributes:       map[string]api.MessageAttributeValue{"n": {DataType: new("Number.int"), StringValue: new("7")}, "b": {DataType: new("Binary"), BinaryValue: []byte{1}}},
		MessageSystemAttributes: map[string]api.MessageSystemAttributeValue{"AWSTraceHeader": {DataType: new("String"), StringValue: new("Root=1")}}})
	s.must(err)
	if *sent.MD5OfMessageBody != "5d41402abc4b2a76b9719d911017c592" || sent.SequenceNumber != nil || sent.MD5OfMessageSystemAttributes == nil {
		t.Errorf("sent %+v", sent)
	}
	m := s.await(url)
	if *m.Body != "hello" || *m.MessageId != *sent.MessageId || *m.MD5OfBody != *sent.MD5OfMessageBody || *m.MD5OfMessageAttributes != *sent.MD5OfMessageAttributes {
		t.Errorf("received %+v of %+v", m, sent)
	}
	if a := m.MessageAttributes; len(a) != 2 || *a["n"].DataType != "Number.int" || *a["n"].StringValue != "7" || string(a["b"].BinaryValue) != "\x01" || a["b"].StringValue != nil {
		t.Errorf("the attributes are %+v", a)
	}
	for name, want := range map[string]string{"SenderId": "AIDAUSER", "ApproximateReceiveCount": "1", "MessageGroupId": "tenant", "AWSTraceHeader": "Root=1"} {
		if m.Attributes[name] != want {
			t.Errorf("%s is %q", name, m.Attributes[name])
		}
	}
	if m.Attributes["SentTimestamp"] == "" || m.Attributes["ApproximateFirstReceiveTimestamp"] == "" || len(m.Attributes) != 6 {
		t.Errorf("the system attributes are %v", m.Attributes)
	}
	s.release(url, m)
	again := s.receive(api.ReceiveMessageRequest{QueueUrl: &url, MessageSystemAttributeNames: []string{"ApproximateReceiveCount"}})
	s.are(again, "hello")
	if m := again[0]; len(m.Attributes) != 1 || m.Attributes["ApproximateReceiveCount"] != "2" || m.MessageAttributes != nil || m.MD5OfMessageAttributes != nil {
		t.Errorf("received %+v again", m)
	}
	s.delete(url, m) // an older handle: nothing happens
	s.delete(url, again...)
	s.delete(url, again...)
	if got := s.attributes(url, "ApproximateNumberOfMessagesNotVisible")["ApproximateNumberOfMessagesNotVisible"]; got != "0" {
		t.Errorf("%s messages are in flight", got)
	}
}

// What a request belongs to goes on with the message, where the sender says nothing else.
func TestTraceOfTheRequest(t *testing.T) {
	s := newStage(t)
	url := s.make("q")
	r := *awsapi.RequestOf(s.ctx)
	r.TraceID = "Root=1;Lineage=1:a:0"
	_, err := s.SendMessage(awsapi.WithRequest(t.Context(), &r), &api.SendMessageRequest{QueueUrl: &url, MessageBody: new("m")})
	s.must(err)
	if got := s.await(url).Attributes["AWSTraceHeader"]; got != r.TraceID {
		t.Errorf("the trace is %q", got)
	}
}

func TestSendRefusals(t *testing.T) {
	s := newStage(t)
	standard, fifo, small := s.make("q"), s.make("q.fifo"), s.make("small", "MaximumMessageSize", "1024")
	text := func(name, kind, value string) map[string]api.MessageAttributeValue {
		return map[string]api.MessageAttributeValue{name: {DataType: &kind, StringValue: &value}}
	}
	many := map[string]api.MessageAttributeValue{}
	for i := range 11 {
		many["a"+strconv.Itoa(i)] = api.MessageAttributeValue{DataType: new("String"), StringValue: new("v")}
	}
	for _, c := range []struct {
		in            api.SendMessageRequest
		code, message string
	}{
		{api.SendMessageRequest{MessageBody: new("")}, "MissingParameter", "The request must contain the parameter MessageBody."},
		{api.SendMessageRequest{MessageBody: new("a\x0b")}, "InvalidMessageContents", "Invalid binary character '#xB' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]."},
		{api.SendMessageRequest{MessageBody: new(strings.Repeat("x", 1<<20+1))}, "InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes."},
		{api.SendMessageRequest{QueueUrl: &small, MessageBody: new(strings.Repeat("x", 1024-7)), MessageAttributes: text("k", "String", "x")}, "InvalidParameterValue", "Message must be shorter than 1024 bytes."},
		{api.SendMessageRequest{DelaySeconds: new(int32(901))}, "InvalidParameterValue", "Value 901 for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."},
		{api.SendMessageRequest{MessageDeduplicationId: new("d")}, "InvalidParameterValue", "Value d for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for this queue type."},
		{api.SendMessageRequest{MessageAttributes: many}, "InvalidParameterValue", "Number of message attributes [11] exceeds the allowed maximum [10]."},
		{api.SendMessageRequest{MessageAttributes: text("ErrorDetails", "String", "")}, "InvalidParameterValue", "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'."},
		{api.SendMessageRequest{MessageAttributes: text("n", "Number", "x")}, "InvalidParameterValue", "Can't cast the value of message (user) attribute 'n' to a number."},
		{api.SendMessageRequest{MessageAttributes: text("n", "Nothing", "x")}, "InvalidParameterValue", "The type of message (user) attribute 'n' is invalid."},
		{api.SendMessageRequest{MessageAttributes: text("n", "", "x")}, "InvalidParameterValue", "The message (user) attribute 'n' must contain a non-empty message attribute type."},
		{api.SendMessageRequest{MessageAttributes: text("AWS.x", "String", "x")}, "InvalidParameterValue", "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'."},
		{api.SendMessageRequest{MessageAttributes: text("a b", "String", "x")}, "InvalidParameterValue", "Message (user) attribute name"},
		{api.SendMessageRequest{MessageAttributes: text("a", "String", "\x01")}, "InvalidParameterValue", "Invalid binary character '#x1'"},
		{api.SendMessageRequest{MessageSystemAttributes: map[string]api.MessageSystemAttributeValue{"X": {DataType: new("String"), StringValue: new("v")}}}, "InvalidParameterValue", "Message system attribute name 'X' is invalid."},
		{api.SendMessageRequest{QueueUrl: &fifo}, "MissingParameter", "The request must contain the parameter MessageGroupId."},
		{api.SendMessageRequest{QueueUrl: &fifo, MessageGroupId: new("g")}, "InvalidParameterValue", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"},
		{api.SendMessageRequest{QueueUrl: &fifo, MessageGroupId: new("g"), MessageDeduplicationId: new("d"), DelaySeconds: new(int32(2))}, "InvalidParameterValue", "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type."},
		{api.SendMessageRequest{QueueUrl: &fifo, MessageGroupId: new("g h"), MessageDeduplicationId: new("d")}, "InvalidParameterValue", "Value g h for parameter MessageGroupId is invalid. Reason: MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length."},
		{api.SendMessageRequest{QueueUrl: new("http://localhost/123456789012/none")}, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."},
		{api.SendMessageRequest{QueueUrl: new("http://localhost/x/none")}, "InvalidAddress", "The address http://localhost/x/none is not valid for this endpoint."},
	} {
		if c.in.QueueUrl == nil {
			c.in.QueueUrl = &standard
		}
		if c.in.MessageBody == nil {
			c.in.MessageBody = new("m")
		}
		_, err := s.SendMessage(s.ctx, &c.in)
		s.fails(err, c.code, c.message)
	}
	for _, url := range []string{standard, fifo, small} {
		s.are(s.all(url))
	}
	s.send(standard, strings.Repeat("x", 1<<20))
}

func TestBatches(t *testing.T) {
	s := newStage(t)
	url := s.make("q")
	entry := func(id, body string) api.SendMessageBatchRequestEntry {
		return api.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body}
	}
	out, err := s.SendMessageBatch(s.ctx, &api.SendMessageBatchRequest{QueueUrl: &url, Entries: []api.SendMessageBatchRequestEntry{
		entry("a", "one"), entry("b", "\x00"), entry("c", "two"), {Id: new("d"), MessageBody: new("x"), DelaySeconds: new(int32(-1))}}})
	s.must(err)
	if len(out.Successful) != 2 || *out.Successful[0].Id != "a" || *out.Successful[1].Id != "c" || len(out.Failed) != 2 {
		t.Fatalf("sent %+v", out)
	}
	if f := out.Failed[0]; *f.Id != "b" || *f.Code != "InvalidMessageContents" || !*f.SenderFault {
		t.Errorf("failed with %s: %s", *f.Code, *f.Message)
	}
	if f := out.Failed[1]; *f.Id != "d" || *f.Code != "InvalidParameterValue" {
		t.Errorf("failed with %s: %s", *f.Code, *f.Message)
	}
	got := s.all(url)
	s.are(got, "one", "two")
	changed, err := s.ChangeMessageVisibilityBatch(s.ctx, &api.ChangeMessageVisibilityBatchRequest{QueueUrl: &url, Entries: []api.ChangeMessageVisibilityBatchRequestEntry{
		{Id: new("a"), ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: new(int32(0))},
		{Id: new("b"), ReceiptHandle: new("nonsense"), VisibilityTimeout: new(int32(0))},
		{Id: new("c"), ReceiptHandle: got[1].ReceiptHandle, VisibilityTimeout: new(int32(50000))}}})
	s.must(err)
	if len(changed.Successful) != 1 || len(changed.Failed) != 2 || *changed.Failed[0].Code != "ReceiptHandleIsInvalid" || *changed.Failed[1].Code != "InvalidParameterValue" {
		t.Errorf("changed %+v", changed)
	}
	got = append(s.all(url), got[1])
	s.are(got, "one", "two")
	deleted, err := s.DeleteMessageBatch(s.ctx, &api.DeleteMessageBatchRequest{QueueUrl: &url, Entries: []api.DeleteMessageBatchRequestEntry{
		{Id: new("a"), ReceiptHandle: got[0].ReceiptHandle}, {Id: new("b"), ReceiptHandle: new("")}, {Id: new("c"), ReceiptHandle: got[1].ReceiptHandle}}})
	s.must(err)
	if len(deleted.Successful) != 2 || len(deleted.Failed) != 1 || *deleted.Failed[0].Id != "b" {
		t.Errorf("deleted %+v", deleted)
	}
	if a := s.attributes(url, "All"); a["ApproximateNumberOfMessages"] != "0" || a["ApproximateNumberOfMessagesNotVisible"] != "0" {
		t.Errorf("left are %v", a)
	}
}

func TestBatchRefusals(t *testing.T) {
	s := newStage(t)
	url, fifo := s.make("q"), s.make("q.fifo")
	entries := func(n, size int) (list []api.SendMessageBatchRequestEntry) {
		for i := range n {
			list = append(list, api.SendMessageBatchRequestEntry{Id: new(strconv.Itoa(i)), MessageBody: new(strings.Repeat("x", size))})
		}
		return list
	}
	same, odd, grouped := entries(2, 1), entries(1, 1), entries(2, 1)
	same[1].Id, odd[0].Id, grouped[0].MessageGroupId = new("0"), new("invalid:id"), new("g")
	for _, c := range []struct {
		url           string
		entries       []api.SendMessageBatchRequestEntry
		code, message string
	}{
		{url, nil, "AWS.SimpleQueueService.EmptyBatchRequest", "There should be at least one SendMessageBatchRequestEntry in the request."},
		{url, entries(20, 1), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent 20."},
		{url, same, "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "Id 0 repeated."},
		{url, odd, "AWS.SimpleQueueService.InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."},
		{url, entries(2, 1<<19+1), "AWS.SimpleQueueService.BatchRequestTooLong", "Batch requests cannot be longer than 1048576 bytes. You have sent 1048578 bytes."},
		{fifo, entries(1, 1), "InvalidParameterValue", "The request must contain the parameter MessageGroupId."},
		{fifo, grouped[:1], "InvalidParameterValue", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"},
	} {
		_, err := s.SendMessageBatch(s.ctx, &api.SendMessageBatchRequest{QueueUrl: &c.url, Entries: c.entries})
		s.fails(err, c.code, c.message)
	}
}

func TestReceiveRefusals(t *testing.T) {
	s := newStage(t)
	url := s.make("q")
	for _, c := range []struct {
		in            api.ReceiveMessageRequest
		code, message string
	}{
		{api.ReceiveMessageRequest{MaxNumberOfMessages: new(int32(11))}, "InvalidParameterValue", "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."},
		{api.ReceiveMessageRequest{WaitTimeSeconds: new(int32(21))}, "InvalidParameterValue", "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."},
		{api.ReceiveMessageRequest{VisibilityTimeout: new(int32(43201))}, "InvalidParameterValue", "Value 43201 for parameter VisibilityTimeout is invalid."},
		{api.ReceiveMessageRequest{AttributeNames: []string{"Nonsense"}}, "InvalidAttributeName", "Unknown Attribute Nonsense."},
	} {
		c.in.QueueUrl = &url
		_, err := s.ReceiveMessage(s.ctx, &c.in)
		s.fails(err, c.code, c.message)
	}
}

func TestLongPolls(t *testing.T) {
	s := newStage(t)
	url := s.make("q", "ReceiveMessageWaitTimeSeconds", "20")
	got := make(chan []api.Message)
	poll := func(ctx context.Context) {
		out, err := s.ReceiveMessage(ctx, &api.ReceiveMessageRequest{QueueUrl: &url})
		if err != nil {
			t.Error(err)
			out = new(api.ReceiveMessageResult)
		}
		got <- out.Messages
	}
	go poll(s.ctx)
	s.send(url, "m")
	s.are(<-got, "m")
	go poll(s.ctx)
	s.EndPolls()
	s.are(<-got)
	go poll(s.ctx)
	s.are(<-got)
}

func TestMessagesInFlight(t *testing.T) {
	s := newStage(t)
	s.maxInFlight = 2
	for _, name := range []string{"q", "q.fifo"} {
		url := s.make(name)
		for _, body := range []string{"a", "b", "c"} {
			if name == "q" {
				s.send(url, body)
			} else {
				s.sendIn(url, body, body, body)
			}
		}
		var held []api.Message
		count := func() { // as if the last count were older
			q, _ := s.known.Load(address{account, region, name})
			q.(*queue).flight.counted.Store(0)
		}
		for range 2 {
			held = append(held, s.await(url))
			count()
		}
		_, err := s.ReceiveMessage(s.ctx, &api.ReceiveMessageRequest{QueueUrl: &url})
		if name == "q" {
			s.fails(err, "OverLimit", "")
		} else {
			s.must(err)
		}
		out, err := s.ReceiveMessage(s.ctx, &api.ReceiveMessageRequest{QueueUrl: &url, WaitTimeSeconds: new(int32(1))})
		s.must(err)
		s.are(out.Messages)
		s.delete(url, held[0])
		count()
		s.are(s.all(url), "c")
	}
}

// In all a message is in flight for twelve hours at most.
func TestLongestVisibility(t *testing.T) {
	s := newStage(t)
	url := s.make("q")
	s.send(url, "m")
	m := s.await(url)
	change := func(seconds int32) error {
		_, err := s.ChangeMessageVisibility(s.ctx, &api.ChangeMessageVisibilityRequest{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: &seconds})
		return err
	}
	s.must(change(maxVisibility))
	r, ok := parseReceipt(*m.ReceiptHandle)
	if !ok {
		t.Fatal("the handle is no receipt")
	}
	r.received = r.received.Add(-2 * time.Hour)
	*m.ReceiptHandle = r.String()
	s.must(change(maxVisibility - 2*3600))
	s.fails(change(maxVisibility), "InvalidParameterValue", "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]")
	s.must(change(0))
	s.are(s.all(url), "m")
}

// A message whose time is over is visible again, and its old handle deletes it as long as nobody else has it.
func TestExpiredHandles(t *testing.T) {
	s := newStage(t)
	url := s.make("q")
	s.send(url, "m")
	first := s.receive(api.ReceiveMessageRequest{QueueUrl: &url, VisibilityTimeout: new(int32(0))})
	s.are(first, "m")
	for s.attributes(url, "ApproximateNumberOfMessages")["ApproximateNumberOfMessages"] != "1" {
	}
	_, err := s.ChangeMessageVisibility(s.ctx, &api.ChangeMessageVisibilityRequest{QueueUrl: &url, ReceiptHandle: first[0].ReceiptHandle, VisibilityTimeout: new(int32(9))})
	s.must(err)
	s.delete(url, first...)
	s.are(s.all(url))
	s.send(url, "n")
	m := s.await(url)
	s.delete(url, m)
	_, err = s.ChangeMessageVisibility(s.ctx, &api.ChangeMessageVisibilityRequest{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: new(int32(9))})
	s.fails(err, "InvalidParameterValue", "Reason: Message does not exist or is not available for visibility timeout change.")
}
