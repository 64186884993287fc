package pipes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cirro/internal/awsapi"
	lambdaapi "cirro/internal/awsapi/lambda"
	api "cirro/internal/awsapi/pipes"
	sqsapi "cirro/internal/awsapi/sqs"
	"cirro/internal/eventsource"
	"cirro/internal/standing"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// world answers as SQS and Lambda would, and keeps what queues and functions got.
type world struct {
	mu     sync.Mutex
	got    []string
	refuse func(body string) error
	answer func(function string, payload []byte) (string, bool) // and whether the function failed
}

func (w *world) Call(_ context.Context, _ awsapi.Principal, service, operation string, in any) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch in := in.(type) {
	case *sqsapi.SendMessageRequest:
		if w.refuse != nil {
			if err := w.refuse(*in.MessageBody); err != nil {
				return nil, err
			}
		}
		w.got = append(w.got, *in.MessageBody)
		return &sqsapi.SendMessageResult{}, nil
	case *lambdaapi.InvocationRequest:
		w.got = append(w.got, string(in.Payload))
		answer, failed := w.answer(*in.FunctionName, in.Payload)
		out := &lambdaapi.InvocationResponse{Payload: []byte(answer)}
		if failed {
			out.FunctionError = new("Unhandled")
		}
		return out, nil
	}
	return nil, awsapi.Unimplemented(service, operation)
}

func open(t *testing.T) store.Store {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func handlerOf(t *testing.T, w *world, p *pipe) *handler {
	t.Helper()
	s := New(Deps{Store: open(t), Caller: w, Clock: standing.At(time.Unix(1, 0)).Now, Log: slog.New(slog.DiscardHandler)})
	p.ref, p.Role = ref{"000000000000", "us-east-1", "p"}, "arn:aws:iam::000000000000:role/r"
	h, err := newHandler(s, p)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func batchOf(n int) *eventsource.Batch {
	b := &eventsource.Batch{Attempt: 1}
	for i := range n {
		b.Records = append(b.Records, eventsource.Record{ID: fmt.Sprint("id", i), Event: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))})
	}
	return b
}

const queueARN, functionARN = "arn:aws:sqs:us-east-1:000000000000:q", "arn:aws:lambda:us-east-1:000000000000:function:f"

var (
	errThrottled = (&awsapi.ErrorType{Code: "TooManyRequestsException", Status: 429}).New("slower")
	errBad       = (&awsapi.ErrorType{Code: "InvalidMessageContents", Status: 400}).New("bad")
)

// TestEachToAQueue has a queue refuse one message of a batch, and all of them.
func TestEachToAQueue(t *testing.T) {
	w := &world{refuse: func(body string) error {
		if body == `{"n":1}` {
			return errBad
		}
		return nil
	}}
	h := handlerOf(t, w, &pipe{Target: queueARN})
	o := h.Handle(t.Context(), batchOf(3))
	if o.Err != nil || !slices.Equal(o.Failed, []string{"id1"}) {
		t.Errorf("%+v", o)
	}
	slices.Sort(w.got)
	if !slices.Equal(w.got, []string{`{"n":0}`, `{"n":2}`}) {
		t.Error(w.got)
	}
	w.refuse = func(string) error { return errThrottled }
	if o := h.Handle(t.Context(), batchOf(2)); !errors.Is(o.Err, errThrottled) || !o.NotRun {
		t.Errorf("%+v", o)
	}
}

// TestNothingOvertakesInAFIFOQueue has the second of three messages refused: the third is not sent.
func TestNothingOvertakesInAFIFOQueue(t *testing.T) {
	w := &world{refuse: func(body string) error {
		if body == `{"n":1}` {
			return errBad
		}
		return nil
	}}
	h := handlerOf(t, w, &pipe{Target: queueARN + ".fifo"})
	o := h.Handle(t.Context(), batchOf(3))
	if !slices.Equal(o.Failed, []string{"id1", "id2"}) || !slices.Equal(w.got, []string{`{"n":0}`}) {
		t.Errorf("%+v %v", o, w.got)
	}
}

// TestAFunction has a function get a batch, report failures, answer nonsense and fail.
func TestAFunction(t *testing.T) {
	answer, fails := `{"batchItemFailures":[{"itemIdentifier":"id1"}]}`, false
	w := &world{answer: func(string, []byte) (string, bool) { return answer, fails }}
	h := handlerOf(t, w, &pipe{Target: functionARN, To: &api.PipeTargetParameters{InputTemplate: new(`{"m":<$.n>}`)}})
	if o := h.Handle(t.Context(), batchOf(2)); o.Err != nil || !slices.Equal(o.Failed, []string{"id1"}) {
		t.Errorf("%+v", o)
	}
	if !slices.Equal(w.got, []string{`[{"m":0},{"m":1}]`}) {
		t.Error(w.got)
	}
	answer = `"text"`
	if o := h.Handle(t.Context(), batchOf(2)); o.Err != nil || o.Failed != nil {
		t.Errorf("%+v", o)
	}
	answer = `{"batchItemFailures":[{"itemIdentifier":"other"}]}`
	if o := h.Handle(t.Context(), batchOf(2)); o.Err == nil {
		t.Errorf("%+v", o)
	}
	fails = true
	if o := h.Handle(t.Context(), batchOf(2)); o.Err == nil || o.NotRun {
		t.Errorf("%+v", o)
	}
}

// TestAnEnrichment has an enrichment drop, add and refuse.
func TestAnEnrichment(t *testing.T) {
	answer, fails := `[{"x":1},{"x":2},{"x":3}]`, false
	w := &world{answer: func(string, []byte) (string, bool) { return answer, fails }}
	h := handlerOf(t, w, &pipe{Target: queueARN, Enrichment: functionARN, To: &api.PipeTargetParameters{InputTemplate: new(`<$.x>`)}})
	if o := h.Handle(t.Context(), batchOf(2)); o.Err != nil || o.Failed != nil {
		t.Errorf("%+v", o)
	}
	if got := slices.Sorted(slices.Values(w.got)); !slices.Equal(got, []string{"1", "2", "3", `[{"n":0},{"n":1}]`}) {
		t.Error(got)
	}
	w.refuse = func(body string) error {
		if body == "2" {
			return errBad
		}
		return nil
	}
	if o := h.Handle(t.Context(), batchOf(2)); !errors.Is(o.Err, errBad) { // no record stands for the item
		t.Errorf("%+v", o)
	}
	answer, w.got = "[]", nil
	if o := h.Handle(t.Context(), batchOf(2)); o.Err != nil || len(w.got) != 1 {
		t.Errorf("%+v %v", o, w.got)
	}
	fails = true
	if o := h.Handle(t.Context(), batchOf(2)); o.Err == nil {
		t.Errorf("%+v", o)
	}
}

// TestDiscard reads the dead letter of a stream's records.
func TestDiscard(t *testing.T) {
	p := &pipe{Source: "arn:aws:kinesis:us-east-1:000000000000:stream/s", Target: queueARN}
	p.From.KinesisStreamParameters = &api.PipeSourceKinesisStreamParameters{DeadLetterConfig: &api.DeadLetterConfig{Arn: new(queueARN)}}
	w := &world{}
	h := handlerOf(t, w, p)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	d := &eventsource.Discarded{Reason: eventsource.AgeExceeded, Shard: "shard", Records: []eventsource.Record{{ID: "1", Arrived: at}, {ID: "2", Arrived: at.Add(time.Second)}}}
	if err := h.Store.Update(t.Context(), func(tx store.Tx) error { return h.Discard(tx, d) }); err != nil {
		t.Fatal(err)
	}
	kept, err := h.Store.Receive(t.Context(), deadLetterQueue, store.ReceiveOptions{Max: 1, Lease: time.Minute})
	if err != nil || len(kept) != 1 {
		t.Fatal(kept, err)
	}
	h.sendDeadLetter(t.Context(), kept[0])
	want := `{"context":{"partnerResourceArn":"arn:aws:pipes:us-east-1:000000000000:pipe/p","condition":"RecordAgeExceeded"},"version":"1.0",` +
		`"timestamp":"1970-01-01T00:00:01.000Z","KinesisBatchInfo":{"shardId":"shard","startSequenceNumber":"1","endSequenceNumber":"2",` +
		`"approximateArrivalOfFirstRecord":"2026-01-02T03:04:05.000Z","approximateArrivalOfLastRecord":"2026-01-02T03:04:06.000Z","batchSize":2,` +
		`"streamArn":"arn:aws:kinesis:us-east-1:000000000000:stream/s"}}`
	if !slices.Equal(w.got, []string{want}) {
		t.Error(strings.Join(w.got, "\n"))
	}
}
