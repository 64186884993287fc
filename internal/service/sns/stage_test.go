package sns

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"cirro/internal/awsapi"
	lambdaapi "cirro/internal/awsapi/lambda"
	api "cirro/internal/awsapi/sns"
	sqsapi "cirro/internal/awsapi/sqs"
	"cirro/internal/standing"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

const account = "000000000000"

// stage is a service over a real store, with a world of queues and functions that records what it is sent.
type stage struct {
	*Service
	t     *testing.T
	clock *standing.Clock
	store store.Store
	world *world
	ctx   context.Context
}

// world answers as SQS and Lambda would.
type world struct {
	mu    sync.Mutex
	sent  map[string][]sent // by the name of a queue or the ARN of a function
	fails func(to string, nth int) error
	calls map[string]int
	news  chan struct{}
}

type sent struct {
	Body, Group, Dedup, Trace string
	Attributes                int
	Who                       awsapi.Principal
}

var errBusy = (&awsapi.ErrorType{Code: "InternalError", Status: 500, Server: true}).New("busy")
var errGone = (&awsapi.ErrorType{Code: "AWS.SimpleQueueService.NonExistentQueue", Status: 400}).New("gone")

func (w *world) Call(ctx context.Context, who awsapi.Principal, service, operation string, in any) (any, error) {
	switch in := in.(type) {
	case *sqsapi.SendMessageRequest:
		return &sqsapi.SendMessageResult{}, w.take(*in.QueueUrl, sent{*in.MessageBody, awsapi.Val(in.MessageGroupId),
			awsapi.Val(in.MessageDeduplicationId), traceOf(in.MessageSystemAttributes), len(in.MessageAttributes), who})
	case *sqsapi.SendMessageBatchRequest:
		out := &sqsapi.SendMessageBatchResult{}
		for _, e := range in.Entries {
			err := w.take(*in.QueueUrl, sent{*e.MessageBody, awsapi.Val(e.MessageGroupId), awsapi.Val(e.MessageDeduplicationId),
				traceOf(e.MessageSystemAttributes), len(e.MessageAttributes), who})
			var known *awsapi.Error
			if errors.As(err, &known) {
				out.Failed = append(out.Failed, sqsapi.BatchResultErrorEntry{Id: e.Id, Code: &known.Type.Code,
					Message: &known.Message, SenderFault: new(!known.Type.Server)})
			}
		}
		return out, nil
	case *lambdaapi.InvocationRequest:
		return &lambdaapi.InvocationResponse{}, w.take(*in.FunctionName, sent{Body: string(in.Payload), Who: who, Trace: awsapi.RequestOf(ctx).TraceID})
	}
	return nil, awsapi.Unimplemented(service, operation)
}

func traceOf(a map[string]sqsapi.MessageSystemAttributeValue) string {
	return awsapi.Val(a["AWSTraceHeader"].StringValue)
}

func (w *world) take(to string, s sent) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[to]++
	if w.fails != nil {
		if err := w.fails(to, w.calls[to]); err != nil {
			return err
		}
	}
	w.sent[to] = append(w.sent[to], s)
	select {
	case w.news <- struct{}{}:
	default:
	}
	return nil
}

// await waits until a queue or function was sent so many messages.
func (w *world) await(t *testing.T, to string, n int) []sent {
	t.Helper()
	for {
		w.mu.Lock()
		got := slices.Clone(w.sent[to])
		w.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-w.news:
		case <-t.Context().Done():
			t.Fatal("the test ended")
		}
	}
}

func open(t *testing.T, dir string) store.Store {
	t.Helper()
	s, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newStage(t *testing.T) *stage {
	t.Helper()
	st := open(t, t.TempDir())
	s := &stage{t: t, clock: standing.At(time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)), store: st,
		world: &world{sent: map[string][]sent{}, calls: map[string]int{}, news: make(chan struct{}, 1)}}
	s.ctx = awsapi.WithRequest(t.Context(), &awsapi.Request{Region: "us-east-1", Principal: awsapi.RootPrincipal(account, "test"),
		Endpoint: "http://127.0.0.1:1", TraceID: "Root=1-2-3"})
	s.start()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// start starts the service, again after a Close.
func (s *stage) start() {
	s.Service = New(Deps{Store: s.store, Caller: s.world, RetryScale: 1e-6, Clock: s.clock.Now, Log: slog.New(slog.DiscardHandler)})
	s.Start(context.Background())
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (s *stage) topic(name string, attributes map[string]string) string {
	s.t.Helper()
	out := must(s.CreateTopic(s.ctx, &api.CreateTopicInput{Name: &name, Attributes: attributes}))(s.t)
	return *out.TopicArn
}

func (s *stage) subscribe(topic, queue string, attributes map[string]string) string {
	s.t.Helper()
	out := must(s.Subscribe(s.ctx, &api.SubscribeInput{TopicArn: &topic, Protocol: new("sqs"), Attributes: attributes,
		Endpoint: new("arn:aws:sqs:us-east-1:" + account + ":" + queue)}))(s.t)
	return *out.SubscriptionArn
}

func queueURL(name string) string {
	return "https://sqs.us-east-1.amazonaws.com/" + account + "/" + name
}

func (s *stage) publish(topic, text, group string) *api.PublishResponse {
	s.t.Helper()
	in := &api.PublishInput{TopicArn: &topic, Message: &text}
	if group != "" {
		in.MessageGroupId = &group
	}
	return must(s.Publish(s.ctx, in))(s.t)
}

var raw = map[string]string{"RawMessageDelivery": "true"}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return m
}

func numbered(n int) string { return "m" + strconv.Itoa(n) }
