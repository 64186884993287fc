package lambda

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	snsapi "cirro/internal/awsapi/sns"
	sqsapi "cirro/internal/awsapi/sqs"
	"cirro/internal/sandbox"
)

func TestLineage(t *testing.T) {
	f := func(id string) *route {
		return &route{lineageID: id, main: &executable{version: &version{}}}
	}
	now := time.Now()
	chain := ""
	for _, id := range []string{"a", "b", "a", "c", "a"} {
		chain = f(id).trace(now, chain)
	}
	if _, lineage, _ := strings.Cut(chain, ";Lineage="); lineage != "3:a:2|1:b:0|1:c:0" {
		t.Errorf("lineage %s", lineage)
	}
	merged := f("x").trace(now, "Root=r;Lineage=2:a:1|1:b:0", "Root=s;Lineage=5:a:4|no|::|1:d:-1")
	if !strings.HasPrefix(merged, "Root=r;") || !strings.HasSuffix(merged, ";Lineage=5:a:4|1:b:0|1:x:0") {
		t.Errorf("merged: %s", merged)
	}
	at, over := "Root=r;Lineage=16:a:15", "Root=r;Lineage=17:a:16"
	if f("a").looping(at) || !f("a").looping(over) || f("b").looping(over) {
		t.Error("the bound is not 16 rounds")
	}
	free := f("a")
	free.mayLoop = true
	if free.looping(over) {
		t.Error("a function that may loop is stopped")
	}
}

// looped is a request that the function's own invocation makes.
func (s *stage) looped(trace string) context.Context {
	r := *awsapi.RequestOf(s.ctx)
	r.TraceID = trace
	return awsapi.WithRequest(context.Background(), &r)
}

// TestRecursionStops has a function call itself, now and later, until it is stopped.
func TestRecursionStops(t *testing.T) {
	board := newSwitchboard()
	var runs atomic.Int64
	var s *stage
	ready := make(chan struct{})
	s = newStage(t, func(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		<-ready
		runs.Add(1)
		in := &api.InvocationRequest{FunctionName: new("f"), Payload: inv.Payload}
		if string(inv.Payload) == `"later"` {
			in.InvocationType = new(api.InvocationTypeEvent)
		}
		out, err := s.Invoke(s.looped(inv.TraceID), in)
		if err != nil {
			return &sandbox.Result{FunctionError: "Unhandled", Payload: []byte(`"stopped"`)}, nil
		}
		return &sandbox.Result{Payload: out.Payload}, nil
	}, func(d *Deps) { d.Caller = board })
	close(ready)
	s.function("f", func(in *api.CreateFunctionRequest) {
		in.DeadLetterConfig = &api.DeadLetterConfig{TargetArn: new(queueARN)}
	})
	s.onEvent("f", func(in *api.PutFunctionEventInvokeConfigRequest) { in.DestinationConfig = destinations("", topicARN) })

	s.send("f", `"later"`)
	var letter *sqsapi.SendMessageRequest
	var record *snsapi.PublishInput
	for letter == nil || record == nil {
		switch in := board.next(t).in.(type) {
		case *sqsapi.SendMessageRequest:
			letter = in
		case *snsapi.PublishInput:
			record = in
		}
	}
	if n := runs.Load(); n != mostRounds {
		t.Errorf("%d rounds", n)
	}
	if *letter.MessageBody != `"later"` || *letter.MessageAttributes["ErrorMessage"].StringValue != recursive().Message ||
		!strings.Contains(*record.Message, `"condition":"RecursiveInvocation"`) {
		t.Errorf("%s %s", *letter.MessageBody, *record.Message)
	}

	runs.Store(0)
	if out, err := s.invoke("f", `"now"`); err != nil || out.FunctionError != nil && runs.Load() != mostRounds {
		t.Error(out, err, runs.Load())
	}
	if n := runs.Load(); n != mostRounds {
		t.Errorf("%d rounds", n)
	}
	over := s.looped("Root=r;Lineage=17:" + lineageID("arn:aws:lambda:us-east-1:000000000000:function:f") + ":16")
	if _, err := s.Invoke(over, &api.InvocationRequest{FunctionName: new("f")}); !errors.Is(err, api.RecursiveInvocationException) {
		t.Error(err)
	}
	s.drained()
}

func FuzzTrace(f *testing.F) {
	f.Add("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=2:ab:1|1:cd:0")
	f.Add("Lineage=::|a:b:c|1:x:99999999999999999999")
	f.Add(";;=;Lineage=" + strings.Repeat("1:a:0|", 100))
	r := &route{lineageID: "f", main: &executable{version: &version{}}}
	f.Fuzz(func(t *testing.T, header string) {
		once := r.trace(time.Unix(1, 0), header)
		a, b := parseTrace(once).lineage, parseTrace(r.trace(time.Unix(1, 0), once)).lineage
		if len(a) == 0 || len(a) > mostAncestors+1 {
			t.Fatalf("%q: %q", header, once)
		}
		for i := range b {
			if b[i].function == "f" && b[i].rounds == 0 && len(a) <= mostAncestors {
				t.Fatalf("%q: the second round of %q is not counted", header, once)
			}
		}
	})
}
