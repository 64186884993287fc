package eventsource

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cirro/internal/awsapi"
	sqsapi "cirro/internal/awsapi/sqs"
)

// fakeQueue is SQS with one queue whose messages never come back by themselves.
type fakeQueue struct {
	mu       sync.Mutex
	ready    []sqsapi.Message
	received map[string]sqsapi.Message // by receipt handle
	changes  []string                  // of visibility
	polls    int
	changed  chan struct{}
	fail     error // of reads
}

func newFakeQueue() *fakeQueue {
	return &fakeQueue{received: map[string]sqsapi.Message{}, changed: make(chan struct{})}
}

func (f *fakeQueue) send(bodies ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range bodies {
		id := strconv.Itoa(len(f.ready) + len(f.received))
		f.ready = append(f.ready, sqsapi.Message{MessageId: &id, ReceiptHandle: new("r" + id), Body: &b})
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fakeQueue) Call(ctx context.Context, p awsapi.Principal, service, operation string, in any) (any, error) {
	if r := awsapi.RequestOf(ctx); r.Region != "us-east-1" || p.Account != "000000000000" || service != "sqs" {
		return nil, fmt.Errorf("called %s as %s in %s", service, p.Account, r.Region)
	}
	switch in := in.(type) {
	case *sqsapi.ReceiveMessageRequest:
		return f.receive(ctx, int(*in.MaxNumberOfMessages), time.Duration(*in.WaitTimeSeconds)*time.Second)
	case *sqsapi.DeleteMessageBatchRequest:
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, e := range in.Entries {
			delete(f.received, *e.ReceiptHandle)
		}
		return &sqsapi.DeleteMessageBatchResult{}, nil
	case *sqsapi.GetQueueAttributesRequest:
		return &sqsapi.GetQueueAttributesResult{Attributes: map[string]string{"VisibilityTimeout": "7"}}, nil
	case *sqsapi.ChangeMessageVisibilityBatchRequest:
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, e := range in.Entries {
			f.changes = append(f.changes, fmt.Sprintf("%s %d", *e.ReceiptHandle, *e.VisibilityTimeout))
		}
		return &sqsapi.ChangeMessageVisibilityBatchResult{}, nil
	}
	return nil, errors.New("not called by a poller: " + operation)
}

func (f *fakeQueue) receive(ctx context.Context, most int, wait time.Duration) (*sqsapi.ReceiveMessageResult, error) {
	over := time.After(wait)
	for {
		f.mu.Lock()
		if wait > 0 {
			f.polls++
		}
		n := min(most, len(f.ready))
		got, changed, fail := slices.Clone(f.ready[:n]), f.changed, f.fail
		f.fail = nil
		f.ready = f.ready[n:]
		for _, m := range got {
			f.received[*m.ReceiptHandle] = m
		}
		f.mu.Unlock()
		if fail != nil || n > 0 || wait == 0 {
			return &sqsapi.ReceiveMessageResult{Messages: got}, fail
		}
		select {
		case <-changed:
		case <-over:
			return &sqsapi.ReceiveMessageResult{}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// left are the bodies of the messages that are not deleted.
func (f *fakeQueue) left() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, m := range f.received {
		all = append(all, *m.Body)
	}
	for _, m := range f.ready {
		all = append(all, *m.Body)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func queueSource(change func(*Source)) Source {
	s := Source{ID: "test", ARN: "arn:aws:sqs:us-east-1:000000000000:q", BatchSize: 10, Principal: awsapi.RootPrincipal("000000000000", "")}
	if change != nil {
		change(&s)
	}
	return s
}

// TestQueueOutcomes deletes what was handled and what no filter selects, and nothing else.
func TestQueueOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		play    func(context.Context, *Batch) Outcome
		filters []Filter
		left    string
	}{
		"all":      {well, nil, ""},
		"failed":   {func(context.Context, *Batch) Outcome { return Outcome{Err: errors.New("x")} }, nil, "1 2 3"},
		"partly":   {func(_ context.Context, b *Batch) Outcome { return Outcome{Failed: []string{"1"}} }, nil, "2"},
		"filtered": {func(_ context.Context, b *Batch) Outcome { return Outcome{Failed: ids(b.Records)} }, []Filter{filterOf{"body", "2"}}, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			f, h := newFakeQueue(), newHands(c.play)
			f.send("1", "2", "3")
			r := run(t, Deps{Caller: f}, queueSource(func(s *Source) { s.Filters = c.filters }), h, nil)
			h.await(t, "a batch", func() bool { return len(h.batches) > 0 })
			r.end()
			if got := f.left(); got != c.left || len(h.batches) != 1 {
				t.Errorf("left %q after %v", got, h.batches)
			}
		})
	}
}

// filterOf is a filter of one member's text.
type filterOf struct{ member, text string }

func (f filterOf) Match(event []byte) bool {
	return strings.Contains(string(event), fmt.Sprintf("%q:%q", f.member, f.text))
}

// TestQueueBatches gathers batches: to their size, for their window, within Lambda's payload.
func TestQueueBatches(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct {
		size   int
		window time.Duration
		bodies []string
		want   string // sizes of the batches
	}{
		"as they come":   {10, 0, numbered(25), "[10 10 5]"},
		"smaller":        {4, 0, numbered(10), "[4 4 2]"},
		"many receives":  {35, time.Minute, numbered(100), "[35 35 30]"},
		"less than full": {100, time.Second, numbered(12), "[12]"},
		"too large":      {100, time.Minute, slices.Repeat([]string{big}, 9), "[5 4]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, h := newFakeQueue(), newHands(well)
				f.send(c.bodies...)
				r := run(t, Deps{Caller: f}, queueSource(func(s *Source) { s.BatchSize, s.Window, s.MaximumConcurrency = c.size, c.window, 1 }), h, nil)
				h.await(t, "all", h.hasHandled(len(c.bodies)))
				r.end()
				var sizes []int
				for _, b := range h.batches {
					sizes = append(sizes, len(b))
				}
				if fmt.Sprint(sizes) != c.want || f.left() != "" {
					t.Errorf("batches of %v, not %s; left %.100q", sizes, c.want, f.left())
				}
			})
		})
	}
}

func numbered(n int) (all []string) {
	for i := range n {
		all = append(all, strconv.Itoa(i))
	}
	return all
}

// TestSlowMessage holds up no other, and Stop waits for it.
func TestSlowMessage(t *testing.T) {
	f := newFakeQueue()
	gate := make(chan struct{})
	h := newHands(func(_ context.Context, b *Batch) Outcome {
		if b.Records[0].ID == "0" {
			<-gate
		}
		return Outcome{}
	})
	f.send(numbered(20)...)
	r := run(t, Deps{Caller: f}, queueSource(func(s *Source) { s.BatchSize = 1 }), h, nil)
	h.await(t, "the others", h.hasHandled(19))
	r.Stop()
	select {
	case <-r.done:
		t.Error("stopped in the middle of a message")
	default:
	}
	close(gate)
	<-r.done
	if f.left() != "" {
		t.Error(f.left())
	}
}

// TestQueueConcurrency grows with a backlog, up to the maximum.
func TestQueueConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeQueue()
		var mu sync.Mutex
		now, most := 0, 0
		h := newHands(func(context.Context, *Batch) Outcome {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(10 * time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return Outcome{}
		})
		f.send(numbered(40)...)
		r := run(t, Deps{Caller: f}, queueSource(func(s *Source) { s.BatchSize, s.MaximumConcurrency = 1, 8 }), h, nil)
		time.Sleep(slotEvery / 2)
		mu.Lock()
		if now != firstSlots {
			t.Errorf("%d at first", now)
		}
		mu.Unlock()
		h.await(t, "all", h.hasHandled(40))
		time.Sleep(time.Hour) // idle
		f.mu.Lock()
		polls := f.polls
		f.mu.Unlock()
		if most != 8 || polls > 250 {
			t.Errorf("%d at once, %d polls", most, polls)
		}
		f.send("x")
		h.await(t, "one more", h.hasHandled(41))
		r.end()
	})
}

// TestSlots are more while they are taken as soon as they are free.
func TestSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(0)
		for range 1000 { // each is busy for 50 ms
			if !s.take(t.Context()) {
				t.Fatal("no slot")
			}
			time.AfterFunc(50*time.Millisecond, func() { s.done(50 * time.Millisecond); s.free() })
		}
		if s.limit < 10 || s.limit > 100 {
			t.Errorf("%d slots", s.limit)
		}
		enough := s.limit
		for range 2000 { // that makes all slower
			if !s.take(t.Context()) {
				t.Fatal("no slot")
			}
			s.mu.Lock()
			d := 50 * time.Millisecond * time.Duration(max(1, s.used-enough+1))
			s.mu.Unlock()
			time.AfterFunc(d, func() { s.done(d); s.free() })
		}
		if s.limit > enough+20 {
			t.Errorf("%d slots of a machine that %d are enough for", s.limit, enough)
		}
		s.shrink()
		shrunk := s.limit
		time.Sleep(time.Second)
		for range 100 { // one at a time
			s.take(t.Context())
			s.free()
		}
		if s.limit != shrunk {
			t.Errorf("%d slots where one is enough", s.limit)
		}
		s.found(0)
		if s.limit != firstSlots {
			t.Errorf("%d slots of an empty queue", s.limit)
		}
	})
}

// TestQueueHolds keeps messages that there is no room for, and gives back what the platform's stop breaks off.
func TestQueueHolds(t *testing.T) {
	f := newFakeQueue()
	calls := 0
	h := newHands(func(context.Context, *Batch) Outcome {
		if calls++; calls < 4 {
			return Outcome{Err: errors.New("no room"), NotRun: true}
		}
		return Outcome{}
	})
	f.send("1")
	r := run(t, Deps{Caller: f}, queueSource(nil), h, nil)
	h.await(t, "the message", h.hasHandled(1))
	r.end()
	if got := fmt.Sprint(f.changes); got != "[r0 7 r0 7 r0 7]" || f.left() != "" {
		t.Error(got, f.left())
	}

	broken := newHands(func(ctx context.Context, _ *Batch) Outcome {
		<-ctx.Done()
		return Outcome{Err: ctx.Err()}
	})
	f.send("2")
	f.changes = nil
	r = run(t, Deps{Caller: f}, queueSource(nil), broken, nil)
	f.awaitReceived(t, 1)
	r.cancel()
	<-r.done
	if got := fmt.Sprint(f.changes); got != "[r0 0]" || f.left() != "2" {
		t.Error(got, f.left())
	}
}

// awaitReceived waits until so many messages are received and not deleted.
func (f *fakeQueue) awaitReceived(t *testing.T, n int) {
	t.Helper()
	for until := time.Now().Add(2 * time.Minute); time.Now().Before(until); time.Sleep(time.Millisecond) {
		f.mu.Lock()
		got := len(f.received)
		f.mu.Unlock()
		if got == n {
			return
		}
	}
	t.Fatal("waited in vain for messages to be received")
}

// TestQueueProblems are reported, and over when they are.
func TestQueueProblems(t *testing.T) {
	f, h := newFakeQueue(), newHands(well)
	f.fail = sqsapi.QueueDoesNotExist.New("The specified queue does not exist.")
	r := run(t, Deps{Caller: f}, queueSource(nil), h, nil)
	h.await(t, "the problem", func() bool { return slices.Contains(h.results, "PROBLEM: The specified queue does not exist.") })
	f.send("1")
	h.await(t, "the message", h.hasHandled(1))
	r.end()
	if h.results[len(h.results)-1] != ResultOK {
		t.Error(h.results)
	}
}

// TestMessageEvent has all that a message has.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html#example-standard-queue-message-event
func TestMessageEvent(t *testing.T) {
	p, err := New(Deps{}, queueSource(nil), newHands(well))
	if err != nil {
		t.Fatal(err)
	}
	m := newQueue(p).message(&sqsapi.Message{MessageId: new("id"), ReceiptHandle: new("handle"), Body: new("<b>"), MD5OfBody: new("md5"),
		Attributes:        map[string]string{"SentTimestamp": "1545082649183", "AWSTraceHeader": "Root=1"},
		MessageAttributes: map[string]sqsapi.MessageAttributeValue{"s": {DataType: new("String"), StringValue: new("v")}, "b": {DataType: new("Binary"), BinaryValue: []byte{1}}}})
	want := `{"messageId":"id","receiptHandle":"handle","body":"<b>",` +
		`"attributes":{"AWSTraceHeader":"Root=1","SentTimestamp":"1545082649183"},` +
		`"messageAttributes":{"b":{"binaryValue":"AQ==","stringListValues":[],"binaryListValues":[],"dataType":"Binary"},` +
		`"s":{"stringValue":"v","stringListValues":[],"binaryListValues":[],"dataType":"String"}},` +
		`"md5OfBody":"md5","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:000000000000:q","awsRegion":"us-east-1"}`
	if string(m.Event) != want || m.Trace != "Root=1" || !m.Arrived.Equal(time.UnixMilli(1545082649183)) {
		t.Errorf("got  %s\nwant %s", m.Event, want)
	}
}
