package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	sqsapi "cirro/internal/awsapi/sqs"
	"cirro/internal/eventsource"
	"cirro/internal/sandbox"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// mailbox is SQS with one queue in memory.
type mailbox struct {
	mu      sync.Mutex
	ready   []sqsapi.Message
	leased  map[string]bool
	sent    int
	changed chan struct{}
}

func newMailbox() *mailbox {
	return &mailbox{leased: map[string]bool{}, changed: make(chan struct{}, 1)}
}

func (b *mailbox) send(bodies ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, body := range bodies {
		b.sent++
		b.ready = append(b.ready, sqsapi.Message{MessageId: new(fmt.Sprint(b.sent)), ReceiptHandle: new(fmt.Sprint("r", b.sent)), Body: &body})
	}
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

func (b *mailbox) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ready) + len(b.leased)
}

func (b *mailbox) Call(ctx context.Context, p awsapi.Principal, service, operation string, in any) (any, error) {
	switch in := in.(type) {
	case *sqsapi.GetQueueAttributesRequest:
		if !strings.HasSuffix(*in.QueueUrl, "/q") {
			return nil, sqsapi.QueueDoesNotExist.New("The specified queue does not exist.")
		}
		return &sqsapi.GetQueueAttributesResult{Attributes: map[string]string{"VisibilityTimeout": "30"}}, nil
	case *sqsapi.ReceiveMessageRequest:
		for ctx.Err() == nil {
			b.mu.Lock()
			n := min(len(b.ready), int(*in.MaxNumberOfMessages))
			got := b.ready[:n]
			b.ready = b.ready[n:]
			for _, m := range got {
				b.leased[*m.ReceiptHandle] = true
			}
			b.mu.Unlock()
			if n > 0 {
				return &sqsapi.ReceiveMessageResult{Messages: got}, nil
			}
			select {
			case <-b.changed:
			case <-ctx.Done():
			}
		}
		return nil, ctx.Err()
	case *sqsapi.DeleteMessageBatchRequest:
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, e := range in.Entries {
			delete(b.leased, *e.ReceiptHandle)
		}
		return &sqsapi.DeleteMessageBatchResult{}, nil
	case *sqsapi.ChangeMessageVisibilityBatchRequest:
		return &sqsapi.ChangeMessageVisibilityBatchResult{}, nil
	}
	return nil, awsapi.Unimplemented(service, operation)
}

func (s *stage) mapping(change ...func(*api.CreateEventSourceMappingRequest)) *api.EventSourceMappingConfiguration {
	s.t.Helper()
	in := &api.CreateEventSourceMappingRequest{EventSourceArn: new(queueARN), FunctionName: new("f")}
	for _, f := range change {
		f(in)
	}
	m, err := s.CreateEventSourceMapping(s.ctx, in)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

func (s *stage) mappingState(id, state string) {
	s.t.Helper()
	s.eventually("the mapping to be "+state, func() bool {
		m, err := s.GetEventSourceMapping(s.ctx, &api.GetEventSourceMappingRequest{UUID: &id})
		return err == nil && *m.State == state
	})
}

// TestMappingInvokes has a function handle what a queue has, over restarts, until the mapping is deleted.
func TestMappingInvokes(t *testing.T) {
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	box, blobs := newMailbox(), &memoryBlobs{}
	got := make(chan string, 10)
	open := func() *stage {
		return newStageOver(t, st, blobs, func(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
			var event struct {
				Records []struct{ Body, EventSourceARN string }
			}
			if err := json.Unmarshal(inv.Payload, &event); err != nil {
				return nil, err
			}
			for _, r := range event.Records {
				got <- r.Body + " " + r.EventSourceARN
			}
			return &sandbox.Result{}, nil
		}, func(d *Deps) { d.Caller = box })
	}
	s := open()
	s.function("f")
	m := s.mapping()
	s.mappingState(*m.UUID, "Enabled")
	box.send("<1>")
	if r := <-got; r != "<1> "+queueARN {
		t.Error(r)
	}
	s.Close()
	s = open()
	box.send("2")
	<-got
	s.eventually("the messages to be deleted", func() bool { return box.left() == 0 })

	change := func(enabled bool) (string, error) {
		m, err := s.UpdateEventSourceMapping(s.ctx, &api.UpdateEventSourceMappingRequest{UUID: m.UUID, Enabled: &enabled})
		if err != nil {
			return "", err
		}
		return *m.State, nil
	}
	if state, err := change(false); state != "Disabling" || err != nil {
		t.Error(state, err)
	}
	s.mappingState(*m.UUID, "Disabled")
	box.send("3")
	if state, err := change(true); state != "Enabling" || err != nil {
		t.Error(state, err)
	}
	<-got
	s.mappingState(*m.UUID, "Enabled")
	if _, err := s.DeleteEventSourceMapping(s.ctx, &api.DeleteEventSourceMappingRequest{UUID: m.UUID}); err != nil {
		t.Fatal(err)
	}
	s.eventually("the mapping to be gone", func() bool {
		_, err := s.GetEventSourceMapping(s.ctx, &api.GetEventSourceMappingRequest{UUID: m.UUID})
		return errors.Is(err, api.ResourceNotFoundException)
	})
	if run := s.mappings.get(*m.UUID); run != nil {
		t.Error("a mapping that is gone still polls")
	}
}

// TestMappingInTransition refuses changes of a mapping that is on its way.
func TestMappingInTransition(t *testing.T) {
	s := newStage(t, echo, func(d *Deps) { d.Caller = newMailbox() })
	s.function("f")
	m := s.mapping()
	s.mappingState(*m.UUID, "Enabled")
	err := s.Store.Update(s.ctx, func(tx store.Tx) error {
		kept, err := findMapping(tx, scopeOf(s.ctx), m.UUID)
		if err != nil {
			return err
		}
		kept.State = mappingDeleting
		return store.SetRecord(tx, kept.key(), kept)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.UpdateEventSourceMapping(s.ctx, &api.UpdateEventSourceMappingRequest{UUID: m.UUID})
	wantError(t, err, api.ResourceInUseException, "Cannot update the event source mapping because it is in use.")
	_, err = s.DeleteEventSourceMapping(s.ctx, &api.DeleteEventSourceMappingRequest{UUID: m.UUID})
	wantError(t, err, api.ResourceInUseException, "Cannot delete the event source mapping because it is in use.")
}

// TestMappingMoves to another function, unless that has one of the source.
func TestMappingMoves(t *testing.T) {
	got := make(chan string, 10)
	box := newMailbox()
	s := newStage(t, func(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		got <- inv.InvokedARN
		return &sandbox.Result{}, nil
	}, func(d *Deps) { d.Caller = box })
	s.function("f")
	s.function("g")
	m := s.mapping()
	s.mappingState(*m.UUID, "Enabled")
	move := func(id *string, to string) error {
		_, err := s.UpdateEventSourceMapping(s.ctx, &api.UpdateEventSourceMappingRequest{UUID: id, FunctionName: &to})
		return err
	}
	if err := move(m.UUID, "g"); err != nil {
		t.Fatal(err)
	}
	s.mappingState(*m.UUID, "Enabled")
	box.send("1")
	if arn := <-got; !strings.HasSuffix(arn, ":function:g") {
		t.Error(arn)
	}
	other := s.mapping(func(in *api.CreateEventSourceMappingRequest) { in.Enabled = new(false) })
	s.mappingState(*other.UUID, "Disabled")
	wantError(t, move(other.UUID, "g"), api.ResourceConflictException, "An event source mapping with SQS arn (\" "+queueARN+" \") and function (\" g \") already exists. …")
	wantError(t, move(other.UUID, "none"), api.InvalidParameterValueException, "Function does not exist")
}

// TestMappingLoops keeps messages from a function that they came from too often, and those alone.
func TestMappingLoops(t *testing.T) {
	s := newStage(t, echo, func(d *Deps) { d.Caller = newMailbox() })
	s.function("f")
	h := &mappingHandler{Service: s.Service, mapping: &mapping{scope: scopeOf(s.ctx), Function: "f", Source: queueARN}}
	over := "Root=r;Lineage=17:" + lineageID("arn:aws:lambda:us-east-1:000000000000:function:f") + ":16"
	records := []eventsource.Record{{ID: "1", Event: []byte("1"), Trace: over}, {ID: "2", Event: []byte("2")}}
	o := h.Handle(s.ctx, &eventsource.Batch{Records: records})
	if o.Err != nil || strings.Join(o.Failed, " ") != "1" {
		t.Errorf("%+v", o)
	}
	if o = h.Handle(s.ctx, &eventsource.Batch{Records: records[:1]}); !errors.Is(o.Err, api.RecursiveInvocationException) || o.NotRun {
		t.Errorf("%+v", o)
	}
}

// TestMappingPayloads are records beside what a window has.
func TestMappingPayloads(t *testing.T) {
	h := &mappingHandler{mapping: &mapping{Source: "arn"}}
	b := &eventsource.Batch{Shard: "s", Records: []eventsource.Record{{Event: []byte(`{"a":"<"}`)}, {Event: []byte(`2`)}}}
	if got := string(h.payload(b)); got != `{"Records":[{"a":"<"},2]}` {
		t.Error(got)
	}
	b.Records = nil
	b.Window = &eventsource.Window{Start: time.Unix(0, 0).UTC(), End: time.Unix(60, 0).UTC(), State: []byte(`{"n":1}`), Final: true}
	want := `{"Records":[],"window":{"start":"1970-01-01T00:00:00Z","end":"1970-01-01T00:01:00Z"},"state":{"n":1},"shardId":"s",` +
		`"eventSourceARN":"arn","isFinalInvokeForWindow":true,"isWindowTerminatedEarly":false}`
	if got := string(h.payload(b)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestOtherProcessesMappings are followed as their records change.
func TestOtherProcessesMappings(t *testing.T) {
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	told := make(chan func([]byte), 10)
	other := told
	s := newStageOver(t, toldStore{st, told}, &memoryBlobs{}, echo, func(d *Deps) { d.Caller = newMailbox() })
	s.function("f")
	m := s.mapping(func(in *api.CreateEventSourceMappingRequest) { in.Enabled = new(false) })
	s.mappingState(*m.UUID, "Disabled")
	key := mappingKey(scopeOf(s.ctx), *m.UUID)
	err = st.Update(s.ctx, func(tx store.Tx) error { // as another process would
		kept, _, err := store.GetRecord[mapping](tx, key)
		if err != nil {
			return err
		}
		kept.Enabled, kept.State, kept.Revision = true, mappingEnabling, "another"
		return store.SetRecord(tx, key, kept)
	})
	if err != nil {
		t.Fatal(err)
	}
	for done := false; !done; {
		select {
		case changed := <-other:
			changed(key)
		case <-time.After(time.Millisecond):
			got, err := s.GetEventSourceMapping(s.ctx, &api.GetEventSourceMappingRequest{UUID: m.UUID})
			done = err == nil && *got.State == "Enabled"
		}
	}
}

// toldStore tells of the keys that a test says others wrote.
type toldStore struct {
	store.Store
	watches chan func([]byte)
}

func (t toldStore) Watch(_ []byte, changed func([]byte)) (stop func()) {
	t.watches <- changed
	return func() {}
}
