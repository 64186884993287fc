package sqs

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/standing"
	"cirro/internal/store/pebble"
)

const (
	account = "123456789012"
	region  = "eu-west-1"
)

// stage is a service over a real store, with a clock that stands.
type stage struct {
	*testing.T
	*Service
	ctx   context.Context
	clock *standing.Clock
}

func newStage(t *testing.T, set ...func(*Deps)) *stage {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	clock := standing.At(time.Unix(1_800_000_000, 0))
	d := Deps{Store: st, Clock: clock.Now}
	for _, f := range set {
		f(&d)
	}
	s := New(d)
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	})
	return &stage{T: t, Service: s, ctx: requestContext(t.Context(), account), clock: clock}
}

func requestContext(ctx context.Context, account string) context.Context {
	return awsapi.WithRequest(ctx, &awsapi.Request{ID: "r", Region: region, Endpoint: "http://127.0.0.1:4566",
		Principal: awsapi.Principal{Account: account, UserID: "AIDAUSER"}})
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// queue makes a queue with attributes: name, value, name, value.
func (s *stage) make(name string, attributes ...string) (url string) {
	s.Helper()
	in := &api.CreateQueueRequest{QueueName: &name, Attributes: map[string]string{}}
	for i := 0; i < len(attributes); i += 2 {
		in.Attributes[attributes[i]] = attributes[i+1]
	}
	if strings.HasSuffix(name, fifoSuffix) {
		in.Attributes["FifoQueue"] = "true"
	}
	out, err := s.CreateQueue(s.ctx, in)
	s.must(err)
	return *out.QueueUrl
}

func (s *stage) arn(url string) string {
	a, err := queueAt(awsapi.RequestOf(s.ctx), url)
	s.must(err)
	return a.arn()
}

func (s *stage) send(url, body string) *api.SendMessageResult {
	s.Helper()
	out, err := s.SendMessage(s.ctx, &api.SendMessageRequest{QueueUrl: &url, MessageBody: &body})
	s.must(err)
	return out
}

// sendIn sends to a group of a FIFO queue; the body is what it is deduplicated by, where dedup is "".
func (s *stage) sendIn(url, group, body, dedup string) *api.SendMessageResult {
	s.Helper()
	in := &api.SendMessageRequest{QueueUrl: &url, MessageBody: &body, MessageGroupId: &group}
	if dedup != "" {
		in.MessageDeduplicationId = &dedup
	}
	out, err := s.SendMessage(s.ctx, in)
	s.must(err)
	return out
}

func (s *stage) receive(in api.ReceiveMessageRequest) []api.Message {
	s.Helper()
	if in.MaxNumberOfMessages == nil {
		in.MaxNumberOfMessages = new(int32(10))
	}
	out, err := s.ReceiveMessage(s.ctx, &in)
	s.must(err)
	return out.Messages
}

// await receives one message, which comes at some time.
func (s *stage) await(url string) api.Message {
	s.Helper()
	for range 30 {
		got := s.receive(api.ReceiveMessageRequest{QueueUrl: &url, MaxNumberOfMessages: new(int32(1)), WaitTimeSeconds: new(int32(20)),
			AttributeNames: []string{"All"}, MessageAttributeNames: []string{"All"}})
		if len(got) > 0 {
			return got[0]
		}
	}
	s.Fatal("no message came")
	return api.Message{}
}

func (s *stage) all(url string) []api.Message {
	s.Helper()
	return s.receive(api.ReceiveMessageRequest{QueueUrl: &url, AttributeNames: []string{"All"}, MessageAttributeNames: []string{"All"}})
}

func (s *stage) delete(url string, messages ...api.Message) {
	s.Helper()
	for _, m := range messages {
		_, err := s.DeleteMessage(s.ctx, &api.DeleteMessageRequest{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
		s.must(err)
	}
}

// release makes a message visible again.
func (s *stage) release(url string, m api.Message) {
	s.Helper()
	_, err := s.ChangeMessageVisibility(s.ctx, &api.ChangeMessageVisibilityRequest{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: new(int32(0))})
	s.must(err)
}

func (s *stage) attributes(url string, names ...string) map[string]string {
	s.Helper()
	out, err := s.GetQueueAttributes(s.ctx, &api.GetQueueAttributesRequest{QueueUrl: &url, AttributeNames: names})
	s.must(err)
	return out.Attributes
}

func (s *stage) set(url, name, value string) error {
	_, err := s.SetQueueAttributes(s.ctx, &api.SetQueueAttributesRequest{QueueUrl: &url, Attributes: map[string]string{name: value}})
	return err
}

// are compares the bodies of messages.
func (s *stage) are(got []api.Message, want ...string) {
	s.Helper()
	var bodies []string
	for _, m := range got {
		bodies = append(bodies, *m.Body)
	}
	if strings.Join(bodies, "|") != strings.Join(want, "|") {
		s.Fatalf("received %q, not %q", bodies, want)
	}
}

// fails says that an error has a code, in the query protocol, and a message.
func (s *stage) fails(err error, code, message string) {
	s.Helper()
	var e *awsapi.Error
	if !errors.As(err, &e) {
		s.Fatalf("%v is no error of the service", err)
	}
	got := e.Type.QueryCode
	if got == "" {
		got = e.Type.Code
	}
	if got != code || !strings.Contains(e.Message, message) {
		s.Errorf("%s: %s\nnot %s: %s", got, e.Message, code, message)
	}
}
