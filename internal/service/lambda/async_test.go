package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cirro/internal/awsapi"
	eventsapi "cirro/internal/awsapi/events"
	api "cirro/internal/awsapi/lambda"
	snsapi "cirro/internal/awsapi/sns"
	sqsapi "cirro/internal/awsapi/sqs"
	"cirro/internal/sandbox"
	"cirro/internal/store/pebble"
)

// switchboard is a Caller that keeps what is called.
type switchboard struct {
	calls chan call
	err   func(service string) error
}

type call struct {
	principal                  awsapi.Principal
	region, service, operation string
	in                         any
}

func newSwitchboard() *switchboard {
	return &switchboard{calls: make(chan call, 100), err: func(string) error { return nil }}
}

func (b *switchboard) Call(ctx context.Context, p awsapi.Principal, service, operation string, in any) (any, error) {
	if err := b.err(service); err != nil {
		return nil, err
	}
	b.calls <- call{p, awsapi.RequestOf(ctx).Region, service, operation, in}
	return nil, nil
}

// next is the next call, which must come.
func (b *switchboard) next(t *testing.T) call {
	t.Helper()
	select {
	case c := <-b.calls:
		return c
	case <-time.After(2 * time.Minute):
		t.Fatal("waited in vain for a call")
		panic("unreachable")
	}
}

// onEvent sets what becomes of asynchronous invocations.
func (s *stage) onEvent(name string, change func(*api.PutFunctionEventInvokeConfigRequest)) {
	s.t.Helper()
	in := &api.PutFunctionEventInvokeConfigRequest{FunctionName: &name}
	change(in)
	if _, err := s.PutFunctionEventInvokeConfig(s.ctx, in); err != nil {
		s.t.Fatal(err)
	}
}

// drained waits until the queue of events is empty.
func (s *stage) drained() {
	s.t.Helper()
	s.eventually("the queue of events to be empty", func() bool {
		n, err := s.store.Stats(context.Background(), eventQueue)
		return err == nil && n.Ready+n.Delayed+n.Leased == 0
	})
}

const queueARN, topicARN, busARN = "arn:aws:sqs:us-east-1:000000000000:q", "arn:aws:sns:us-east-1:000000000000:t",
	"arn:aws:events:us-east-1:000000000000:event-bus/b"

func destinations(success, failure string) *api.DestinationConfig {
	c := &api.DestinationConfig{}
	if success != "" {
		c.OnSuccess = &api.OnSuccess{Destination: &success}
	}
	if failure != "" {
		c.OnFailure = &api.OnFailure{Destination: &failure}
	}
	return c
}

// record reads an outcome, less its time.
func record(t *testing.T, body string) string {
	t.Helper()
	var o struct {
		Timestamp string `json:"timestamp"`
	}
	if err := json.Unmarshal([]byte(body), &o); err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000Z", o.Timestamp); err != nil {
		t.Error(err)
	}
	return strings.Replace(body, o.Timestamp, "…", 1)
}

func TestEventSucceeds(t *testing.T) {
	board := newSwitchboard()
	runs := make(chan sandbox.Invocation, 10)
	s := newStage(t, func(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		runs <- *inv
		return &sandbox.Result{Payload: []byte(`{"ok":true}`)}, nil
	}, func(d *Deps) { d.Caller = board })
	s.function("f")
	s.onEvent("f", func(in *api.PutFunctionEventInvokeConfigRequest) {
		in.DestinationConfig = destinations(queueARN, topicARN)
	})
	s.send("f", `{"a": "<1>"}`)
	inv := <-runs
	if string(inv.Payload) != `{"a": "<1>"}` || inv.RequestID != awsapi.RequestOf(s.ctx).ID ||
		inv.InvokedARN != "arn:aws:lambda:us-east-1:000000000000:function:f" || inv.TraceID == "" {
		t.Errorf("%+v", inv)
	}
	c := board.next(t)
	in, _ := c.in.(*sqsapi.SendMessageRequest)
	if in == nil || c.service != "sqs" || c.operation != "SendMessage" || c.region != "us-east-1" ||
		c.principal.ARN != "arn:aws:sts::000000000000:assumed-role/r/f" ||
		*in.QueueUrl != "https://sqs.us-east-1.amazonaws.com/000000000000/q" || in.MessageAttributes != nil {
		t.Fatalf("%+v", c)
	}
	want := `{"version":"1.0","timestamp":"…","requestContext":{"requestId":"00000000-0000-4000-8000-000000000001",` +
		`"functionArn":"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST","condition":"Success","approximateInvokeCount":1},` +
		`"requestPayload":{"a":"\u003c1\u003e"},"responseContext":{"statusCode":200,"executedVersion":"$LATEST"},"responsePayload":{"ok":true}}`
	if got := record(t, *in.MessageBody); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	s.drained()
}

func TestEventFails(t *testing.T) {
	board := newSwitchboard()
	var runs atomic.Int64
	s := newStage(t, func(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		runs.Add(1)
		return &sandbox.Result{Payload: []byte(`{"errorMessage":"no"}`), FunctionError: "Unhandled"}, nil
	}, func(d *Deps) { d.Caller = board })
	s.function("f", func(in *api.CreateFunctionRequest) {
		in.DeadLetterConfig = &api.DeadLetterConfig{TargetArn: new(queueARN)}
	})
	s.onEvent("f", func(in *api.PutFunctionEventInvokeConfigRequest) {
		in.DestinationConfig = destinations(queueARN, busARN)
	})
	s.send("f", `1`)
	calls := map[string]call{}
	for range 2 {
		c := board.next(t)
		calls[c.service] = c
	}
	put := calls["events"].in.(*eventsapi.PutEventsRequest).Entries[0]
	if *put.Source != "lambda" || *put.DetailType != "Lambda Function Invocation Result - Failure" || *put.EventBusName != busARN ||
		fmt.Sprint(put.Resources) != "["+busARN+" arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST]" {
		t.Errorf("%+v", put)
	}
	want := `{"version":"1.0","timestamp":"…","requestContext":{"requestId":"00000000-0000-4000-8000-000000000001",` +
		`"functionArn":"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST","condition":"RetriesExhausted","approximateInvokeCount":3},` +
		`"requestPayload":1,"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"responsePayload":{"errorMessage":"no"}}`
	if got := record(t, *put.Detail); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	letter := calls["sqs"].in.(*sqsapi.SendMessageRequest)
	if *letter.MessageBody != "1" || *letter.MessageAttributes["RequestID"].StringValue != "00000000-0000-4000-8000-000000000001" ||
		*letter.MessageAttributes["ErrorCode"].StringValue != "200" || *letter.MessageAttributes["ErrorCode"].DataType != "Number" ||
		*letter.MessageAttributes["ErrorMessage"].StringValue != "no" {
		t.Errorf("dead letter: %+v", letter)
	}
	if runs.Load() != 3 {
		t.Errorf("%d attempts", runs.Load())
	}
	s.drained()
}

func TestEventSettings(t *testing.T) {
	failing := func(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		return &sandbox.Result{Payload: []byte(`"no"`), FunctionError: "Unhandled"}, nil
	}
	for name, c := range map[string]struct {
		scale  float64
		change func(*stage, *api.PutFunctionEventInvokeConfigRequest)
		want   string // condition and count
		last   bool   // the record says how the last attempt went
	}{
		"no retries": {1e-4, func(_ *stage, in *api.PutFunctionEventInvokeConfigRequest) { in.MaximumRetryAttempts = new(int32(0)) },
			`"RetriesExhausted","approximateInvokeCount":1`, true},
		"one retry": {1e-4, func(_ *stage, in *api.PutFunctionEventInvokeConfigRequest) { in.MaximumRetryAttempts = new(int32(1)) },
			`"RetriesExhausted","approximateInvokeCount":2`, true},
		// The next retry would come after the age: AWS gives up at once.
		"age": {2, func(_ *stage, in *api.PutFunctionEventInvokeConfigRequest) {
			in.MaximumEventAgeInSeconds = new(int32(60))
		},
			`"EventAgeExceeded","approximateInvokeCount":1`, true},
		"off": {1e-4, func(s *stage, _ *api.PutFunctionEventInvokeConfigRequest) { s.reserve("f", 0) },
			`"ZeroReservedConcurrency","approximateInvokeCount":0`, false},
	} {
		t.Run(name, func(t *testing.T) {
			board := newSwitchboard()
			s := newStage(t, failing, func(d *Deps) { d.Caller, d.RetryScale = board, c.scale })
			s.function("f")
			s.onEvent("f", func(in *api.PutFunctionEventInvokeConfigRequest) {
				in.DestinationConfig = destinations("", topicARN)
				c.change(s, in)
			})
			s.send("f", `{}`)
			body := *board.next(t).in.(*snsapi.PublishInput).Message
			if !strings.Contains(body, `"condition":`+c.want) || strings.Contains(body, "responseContext") != c.last {
				t.Errorf("%s", body)
			}
			s.drained()
		})
	}
}

// Events whose function has no room, or which the platform fails, are run later, all of them.
func TestEventsWait(t *testing.T) {
	var now, most, done, faults atomic.Int64
	s := newStage(t, func(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if faults.Add(1)%7 == 0 {
			return nil, errors.New("broken")
		}
		time.Sleep(time.Millisecond)
		done.Add(1)
		return &sandbox.Result{Payload: inv.Payload}, nil
	})
	s.function("f")
	s.reserve("f", 2)
	const n = 200
	for i := range n {
		s.send("f", fmt.Sprint(i))
	}
	s.drained()
	if done.Load() != n || most.Load() > 2 {
		t.Errorf("%d of %d ran, %d at once", done.Load(), n, most.Load())
	}
}

// An event that never got to run is given up when it is too old.
func TestEventTooOld(t *testing.T) {
	board := newSwitchboard()
	var late atomic.Int64
	s := newStage(t, func(context.Context, *sandbox.Spec, *sandbox.Invocation) (*sandbox.Result, error) {
		late.Store(int64(61 * time.Second))
		return nil, errors.New("broken")
	}, func(d *Deps) {
		d.Caller = board
		d.Clock = func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	})
	s.function("f")
	s.onEvent("f", func(in *api.PutFunctionEventInvokeConfigRequest) {
		in.DestinationConfig, in.MaximumEventAgeInSeconds = destinations("", topicARN), new(int32(60))
	})
	s.send("f", `{}`)
	body := *board.next(t).in.(*snsapi.PublishInput).Message
	if !strings.Contains(body, `"condition":"EventAgeExceeded","approximateInvokeCount":0`) || strings.Contains(body, "response") {
		t.Error(body)
	}
	s.drained()
}

func TestEventOfDeletedFunction(t *testing.T) {
	s := newStage(t, func(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		return &sandbox.Result{FunctionError: "Unhandled"}, nil
	}, func(d *Deps) { d.RetryScale = 0.01 })
	s.function("f")
	s.send("f", "{}")
	if _, err := s.DeleteFunction(s.ctx, &api.DeleteFunctionRequest{FunctionName: new("f")}); err != nil {
		t.Fatal(err)
	}
	s.drained()
}

// A service that closes, in the middle of invocations too, leaves every event to the next.
func TestEventsOutliveTheService(t *testing.T) {
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	blobs := &memoryBlobs{}
	started := make(chan struct{}, 100)
	first := newStageOver(t, st, blobs, func(ctx context.Context, _ *sandbox.Spec, _ *sandbox.Invocation) (*sandbox.Result, error) {
		started <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	first.function("f")
	first.reserve("f", 5)
	const n = 40
	for i := range n {
		first.send("f", fmt.Sprint(i))
	}
	for range 5 {
		<-started
	}
	first.Close()

	var mu sync.Mutex
	seen := map[string]int{}
	second := newStageOver(t, st, blobs, func(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		seen[string(inv.Payload)]++
		return &sandbox.Result{}, nil
	})
	second.drained()
	if len(seen) != n {
		t.Errorf("%d of %d events ran", len(seen), n)
	}
	for payload, times := range seen {
		if times != 1 {
			t.Errorf("event %s ran %d times", payload, times)
		}
	}
}

func TestDeliveryFailures(t *testing.T) {
	board := newSwitchboard()
	var tries atomic.Int64
	board.err = func(service string) error {
		switch service {
		case "sqs":
			return awsapi.Unimplemented("sqs", "SendMessage") // dropped
		case "sns":
			if tries.Add(1) < 4 {
				return awsapi.InternalFailure.New("try again")
			}
		}
		return nil
	}
	s := newStage(t, echo, func(d *Deps) { d.Caller = board })
	targets := map[string]string{"q": queueARN, "t": topicARN, "l": "arn:aws:lambda:us-east-1:000000000000:function:t"}
	for name := range targets { // all of them first: one is another's destination
		s.function(name)
	}
	for name, target := range targets {
		s.onEvent(name, func(in *api.PutFunctionEventInvokeConfigRequest) { in.DestinationConfig = destinations(target, "") })
		s.send(name, "{}")
	}
	got := map[string]bool{}
	for range 2 {
		got[board.next(t).service] = true
	}
	if !got["sns"] || !got["lambda"] {
		t.Errorf("delivered to %v", got)
	}
	s.eventually("the queue of deliveries to be empty", func() bool {
		n, err := s.store.Stats(context.Background(), deliveryQueue)
		return err == nil && n.Ready+n.Delayed+n.Leased == 0
	})
}

func TestInvokeAsync(t *testing.T) {
	got := make(chan string, 1)
	s := newStage(t, func(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		got <- string(inv.Payload)
		return &sandbox.Result{}, nil
	})
	s.function("f")
	out, err := s.InvokeAsync(s.ctx, &api.InvokeAsyncRequest{FunctionName: new("f"), InvokeArgs: strings.NewReader(`[1]`)})
	if err != nil || *out.Status != 202 {
		t.Fatal(out, err)
	}
	if payload := <-got; payload != "[1]" {
		t.Errorf("%q", payload)
	}
	_, err = s.InvokeAsync(s.ctx, &api.InvokeAsyncRequest{FunctionName: new("f"), InvokeArgs: strings.NewReader(strings.Repeat(" ", maxEvent+1))})
	if !errors.Is(err, requestEntityTooLarge) {
		t.Error(err)
	}
}

func FuzzDecodeEvent(f *testing.F) {
	f.Add((&event{RequestID: "r", Function: "f", Payload: []byte("{\n}"), Response: []byte("1")}).encode())
	f.Add([]byte("{}\n"))
	f.Add([]byte("{\"PayloadSize\":-1}\nx"))
	f.Add([]byte("null\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := decodeEvent(body)
		if err != nil {
			return
		}
		again, err := decodeEvent(e.encode())
		if err != nil || string(again.Payload) != string(e.Payload) || string(again.Response) != string(e.Response) || again.Function != e.Function {
			t.Fatalf("%q: %+v, %v", body, again, err)
		}
	})
}
