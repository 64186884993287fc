package courier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

func open(t *testing.T) store.Store {
	t.Helper()
	s, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func send(t *testing.T, s store.Store, bodies ...string) {
	t.Helper()
	err := s.Update(t.Context(), func(tx store.Tx) error {
		for _, b := range bodies {
			if _, err := tx.Enqueue("q", store.NewMessage{Body: []byte(b)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMessagesAreSettled has one message succeed, one fail twice and one be followed by another queue's.
func TestMessagesAreSettled(t *testing.T) {
	s := open(t)
	send(t, s, "done", "again", "then")
	ctx, stop := context.WithCancel(t.Context())
	handled := make(chan string, 16)
	c := Courier{Store: s, Queue: "q", AtOnce: 2, Log: slog.Default(), Handle: func(_ context.Context, m store.Message) Verdict {
		handled <- fmt.Sprintf("%s %d", m.Body, m.Deliveries)
		switch {
		case string(m.Body) == "again" && m.Deliveries < 3:
			return Again(0)
		case string(m.Body) == "then":
			return Verdict{Then: func(tx store.Tx) error {
				_, err := tx.Enqueue("next", store.NewMessage{Body: []byte("followed")})
				return err
			}}
		}
		return Verdict{}
	}}
	ended := make(chan struct{})
	go func() { c.Run(ctx); close(ended) }()
	got := map[string]bool{}
	for range 5 {
		got[<-handled] = true
	}
	for _, want := range []string{"done 1", "again 1", "again 2", "again 3", "then 1"} {
		if !got[want] {
			t.Errorf("not handled: %s (%v)", want, got)
		}
	}
	stop()
	<-ended
	next, err := s.Receive(t.Context(), "next", store.ReceiveOptions{Max: 2, Lease: time.Minute})
	if err != nil || len(next) != 1 || string(next[0].Body) != "followed" {
		t.Error(next, err)
	}
	if stats, err := s.Stats(t.Context(), "q"); err != nil || stats != (store.Stats{}) {
		t.Error(stats, err)
	}
}

// TestAGroupKeepsItsOrder has messages of two groups handled at once, one of which fails at first.
func TestAGroupKeepsItsOrder(t *testing.T) {
	s := open(t)
	err := s.Update(t.Context(), func(tx store.Tx) error {
		for i := range 20 {
			m := store.NewMessage{Body: []byte{byte(i)}, Group: []string{"a", "b"}[i%2]}
			if _, err := tx.Enqueue("q", m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	handled := make(chan store.Message, 64)
	c := Courier{Store: s, Queue: "q", AtOnce: 16, Log: slog.Default(), Handle: func(_ context.Context, m store.Message) Verdict {
		if m.Body[0] == 4 && m.Deliveries == 1 {
			return Again(time.Millisecond)
		}
		handled <- m
		return Verdict{}
	}}
	ended := make(chan struct{})
	go func() { c.Run(ctx); close(ended) }()
	last := map[string]int{"a": -2, "b": -1}
	for range 20 {
		m := <-handled
		if got := int(m.Body[0]); got != last[m.Group]+2 {
			t.Errorf("in group %s %d came after %d", m.Group, got, last[m.Group])
		}
		last[m.Group] = int(m.Body[0])
	}
	stop()
	<-ended
}

// TestAStopLeavesMessagesToOthers stops a courier whose handler gives its message back.
func TestAStopLeavesMessagesToOthers(t *testing.T) {
	s := open(t)
	send(t, s, "m")
	ctx, stop := context.WithCancel(t.Context())
	c := Courier{Store: s, Queue: "q", AtOnce: 1, Log: slog.Default(), Handle: func(ctx context.Context, _ store.Message) Verdict {
		stop()
		<-ctx.Done()
		return Again(0)
	}}
	c.Run(ctx)
	if m, err := s.Receive(t.Context(), "q", store.ReceiveOptions{Max: 1, Lease: time.Minute}); err != nil || len(m) != 1 {
		t.Error(m, err)
	}
}

func TestBackoff(t *testing.T) {
	b := Backoff{Shortest: time.Second, Longest: time.Minute}
	for attempts, want := range map[int]time.Duration{0: time.Second, 1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 200: time.Minute} {
		if got := b.After(attempts); got < want*9/10 || got > want*11/10 {
			t.Errorf("after %d attempts %v, not %v give or take a tenth", attempts, got, want)
		}
	}
}

func TestPassing(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{errors.New("a connection broke"), true},
		{(&awsapi.ErrorType{Code: "InternalError", Status: http.StatusInternalServerError, Server: true}).New("x"), true},
		{(&awsapi.ErrorType{Code: "Throttling", Status: http.StatusTooManyRequests}).New("x"), true},
		{awsapi.ValidationException.New("x"), false},
		{awsapi.NotImplemented.New("x"), false},
	} {
		if got := Passing(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
