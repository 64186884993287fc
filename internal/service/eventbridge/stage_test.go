package eventbridge

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	sqsapi "cirro/internal/awsapi/sqs"
	"cirro/internal/standing"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// letter is what a queue got.
type letter struct {
	queue, body string
	attributes  map[string]string
	as          awsapi.Principal
	trace       string
}

// board takes what is sent to queues, and fails as often as it is told to.
type board struct {
	mu    sync.Mutex
	fails map[string][]error
	came  chan letter
}

func (b *board) Call(ctx context.Context, p awsapi.Principal, service, operation string, in any) (any, error) {
	send, ok := in.(*sqsapi.SendMessageRequest)
	if !ok {
		return nil, awsapi.Unimplemented(service, operation)
	}
	l := letter{queue: lastPart(*send.QueueUrl), body: *send.MessageBody, as: p, attributes: map[string]string{}, trace: awsapi.RequestOf(ctx).TraceID}
	for k, v := range send.MessageAttributes {
		l.attributes[k] = *v.StringValue
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.fails[l.queue]; len(f) > 0 {
		b.fails[l.queue] = f[1:]
		return nil, f[0]
	}
	b.came <- l
	return &sqsapi.SendMessageResult{}, nil
}

var start = time.Date(2026, 3, 4, 5, 6, 30, 0, time.UTC)

// stage is a service over a store, with a clock that stands.
type stage struct {
	*Service
	t     *testing.T
	board *board
	clock *standing.Clock
}

func newStage(t *testing.T) *stage {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return stageOver(t, st, standing.At(start))
}

func stageOver(t *testing.T, st store.Store, clock *standing.Clock) *stage {
	t.Helper()
	b := &board{fails: map[string][]error{}, came: make(chan letter, 1000)}
	return &stage{New(Deps{Store: st, Caller: b, Clock: clock.Now, RetryScale: 1e-4}), t, b, clock}
}

// run starts the service for the rest of the test.
func (s *stage) run() *stage {
	s.Start(s.t.Context())
	s.t.Cleanup(func() { s.Close() })
	return s
}

func (s *stage) as(account, region string) context.Context {
	return awsapi.WithRequest(s.t.Context(), &awsapi.Request{ID: "r", Region: region, TraceID: "Root=1-2", Principal: awsapi.RootPrincipal(account, "test")})
}

func (s *stage) ctx() context.Context { return s.as("000000000000", "us-east-1") }

func must[T any](t *testing.T) func(out T, err error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func (s *stage) bus(ctx context.Context, name string) string {
	s.t.Helper()
	return *must[*api.CreateEventBusResponse](s.t)(s.CreateEventBus(ctx, &api.CreateEventBusRequest{Name: &name})).EventBusArn
}

func (s *stage) rule(ctx context.Context, bus, name, pattern string, targets ...api.Target) {
	s.t.Helper()
	must[*api.PutRuleResponse](s.t)(s.PutRule(ctx, &api.PutRuleRequest{Name: &name, EventBusName: &bus, EventPattern: &pattern}))
	s.targets(ctx, bus, name, targets...)
}

func (s *stage) targets(ctx context.Context, bus, name string, targets ...api.Target) {
	s.t.Helper()
	for i := range targets {
		targets[i].Id = new(string(rune('a' + i)))
	}
	if len(targets) > 0 {
		must[*api.PutTargetsResponse](s.t)(s.PutTargets(ctx, &api.PutTargetsRequest{Rule: &name, EventBusName: &bus, Targets: targets}))
	}
}

func queue(name string) api.Target {
	return api.Target{Arn: new("arn:aws:sqs:us-east-1:000000000000:" + name)}
}

func (s *stage) put(ctx context.Context, bus, detail string) string {
	s.t.Helper()
	out := must[*api.PutEventsResponse](s.t)(s.PutEvents(ctx, &api.PutEventsRequest{Entries: []api.PutEventsRequestEntry{
		{Source: new("app"), DetailType: new("T"), Detail: &detail, EventBusName: &bus}}}))
	if out.Entries[0].EventId == nil {
		s.t.Fatal(*out.Entries[0].ErrorMessage)
	}
	return *out.Entries[0].EventId
}

// detailOf is the detail of an event that a queue got.
func detailOf(t *testing.T, body string) string {
	t.Helper()
	var e struct{ Detail json.RawMessage }
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return string(e.Detail)
}

// waiting takes what is in a queue of the service.
func (s *stage) waiting(queue string) (parcels []*parcel) {
	s.t.Helper()
	for {
		messages := must[[]store.Message](s.t)(s.Store.Receive(s.t.Context(), queue, store.ReceiveOptions{Max: 10, Lease: time.Minute}))
		if len(messages) == 0 {
			return parcels
		}
		for _, m := range messages {
			parcels = append(parcels, must[*parcel](s.t)(decodeParcel(m.Body)))
			if err := s.Store.Update(s.t.Context(), func(tx store.Tx) error { return tx.Ack(m.Lease) }); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

func names(parcels []*parcel) string {
	var all []string
	for _, p := range parcels {
		all = append(all, strings.Join(p.Rules, "+")+"@"+p.Time.UTC().Format("15:04:05"))
	}
	return strings.Join(all, " ")
}
