package lambda

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	api "cirro/internal/awsapi/lambda"
	"cirro/internal/sandbox"
)

// telling is a play that writes chunks as they come and then ends.
func telling(contentType string, chunks <-chan string, end *sandbox.Result) play {
	return func(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		if chunks != nil {
			w := inv.Stream(contentType)
			for c := range chunks {
				fmt.Fprint(w, c)
			}
		}
		return end, nil
	}
}

func TestInvokeWithResponseStream(t *testing.T) {
	chunks := make(chan string)
	s := newStage(t, telling("text/x", chunks, &sandbox.Result{LogTail: []byte("log")}))
	s.function("f")
	out, err := func() (*api.InvokeWithResponseStreamResponse, error) {
		go func() { chunks <- "one" }()
		return s.InvokeWithResponseStream(s.ctx, &api.InvokeWithResponseStreamRequest{FunctionName: new("f"), LogType: new("Tail")})
	}()
	if err != nil || *out.StatusCode != 200 || *out.ExecutedVersion != "$LATEST" || *out.ResponseStreamContentType != "application/vnd.amazon.eventstream" {
		t.Fatal(out, err)
	}
	var got []string
	err = out.EventStream(func(event any) error {
		switch e := event.(*api.InvokeWithResponseStreamResponseEvent); {
		case e.PayloadChunk != nil:
			got = append(got, string(e.PayloadChunk.Payload))
			if len(got) == 1 { // the second is not made before the first arrived
				chunks <- "two"
				close(chunks)
			}
		case e.InvokeComplete != nil:
			got = append(got, fmt.Sprint(e.InvokeComplete.ErrorCode == nil, *e.InvokeComplete.LogResult))
		}
		return nil
	})
	if err != nil || strings.Join(got, ",") != "one,two,truebG9n" {
		t.Error(got, err)
	}
}

func TestStreamErrors(t *testing.T) {
	part := make(chan string, 1)
	part <- "part"
	close(part)
	for name, c := range map[string]struct {
		play play
		want string
	}{
		"before": {telling("", nil, &sandbox.Result{FunctionError: "Unhandled", Payload: []byte(`{}`),
			StreamError: &sandbox.StreamError{Type: "E", Details: `{}`}}), "E {}"},
		"plain": {telling("", nil, &sandbox.Result{FunctionError: "Unhandled", Payload: []byte(`{}`)}), "Unhandled {}"},
		"after": {telling("", part, &sandbox.Result{StreamError: &sandbox.StreamError{Type: "F", Details: "d"}}), "part F d"},
	} {
		s := newStage(t, c.play)
		s.function("f")
		out, err := s.InvokeWithResponseStream(s.ctx, &api.InvokeWithResponseStreamRequest{FunctionName: new("f")})
		if err != nil {
			t.Fatal(name, err)
		}
		var got []string
		out.EventStream(func(event any) error {
			e := event.(*api.InvokeWithResponseStreamResponseEvent)
			if e.PayloadChunk != nil {
				got = append(got, string(e.PayloadChunk.Payload))
			} else {
				got = append(got, *e.InvokeComplete.ErrorCode, *e.InvokeComplete.ErrorDetails)
			}
			return nil
		})
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestStreamThrottled(t *testing.T) {
	s := newStage(t, echo)
	s.function("f")
	s.reserve("f", 0)
	_, err := s.InvokeWithResponseStream(s.ctx, &api.InvokeWithResponseStreamRequest{FunctionName: new("f")})
	if reasonOf(err) != "ReservedFunctionConcurrentInvocationLimitExceeded" {
		t.Error(err)
	}
}

// A reader that goes away does not hold the function up, and the function's place becomes free.
func TestStreamWithoutReader(t *testing.T) {
	chunks := make(chan string)
	s := newStage(t, telling("", chunks, &sandbox.Result{}))
	s.function("f")
	ctx, leave := context.WithCancel(s.ctx)
	go func() { chunks <- "one" }()
	out, err := s.InvokeWithResponseStream(ctx, &api.InvokeWithResponseStreamRequest{FunctionName: new("f")})
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("gone")
	if err := out.EventStream(func(any) error { return gone }); err != gone {
		t.Error(err)
	}
	leave()
	chunks <- "two"
	chunks <- "three"
	close(chunks)
	s.eventually("the invocation to end", func() bool {
		return s.accountOf(scope{"000000000000", "us-east-1"}).running.Load() == 0
	})
}
