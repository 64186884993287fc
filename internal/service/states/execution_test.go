package states

import (
	"context"
	"errors"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/states"
	"cirro/internal/store/pebble"
)

// atHome is a service over a store of its own that works at nothing in the background, and a request to it.
func atHome(t *testing.T, clock func() time.Time) (*Service, context.Context) {
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
	s, err := New(Deps{Store: st, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return s, awsapi.WithRequest(context.Background(), &awsapi.Request{Region: "us-east-1", Principal: awsapi.Principal{Account: "000000000000"}})
}

// make makes a machine.
func (s *Service) make(ctx context.Context, t *testing.T, name, definition string) (arn *string) {
	t.Helper()
	m, err := s.CreateStateMachine(ctx, &api.CreateStateMachineInput{Name: &name, RoleArn: new("arn:aws:iam::000000000000:role/r"), Definition: &definition})
	if err != nil {
		t.Fatal(err)
	}
	return m.StateMachineArn
}

const atOnce = `{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`

func TestNamesAreTakenForNinetyDays(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s, ctx := atHome(t, func() time.Time { return now })
	arn := s.make(ctx, t, "m", atOnce)
	for _, c := range []struct {
		after time.Duration
		taken bool
	}{{0, false}, {time.Hour, true}, {89 * 24 * time.Hour, true}, {2 * 24 * time.Hour, false}, {0, true}} {
		now = now.Add(c.after)
		_, err := s.StartExecution(ctx, &api.StartExecutionInput{StateMachineArn: arn, Name: new("n"), Input: new("{}")})
		if taken := errors.Is(err, api.ExecutionAlreadyExists); taken != c.taken || err != nil && !taken {
			t.Errorf("%s: %v", now, err)
		}
	}
}

// TestATaskBeginsOneExecution has a task perform its call again, as it does after a crash: when the execution that it
// began has ended it is that one all the same, and another's is not.
func TestATaskBeginsOneExecution(t *testing.T) {
	s, ctx := atHome(t, nil)
	arn := s.make(ctx, t, "m", atOnce)
	begin := func(by string) (*api.StartExecutionOutput, error) {
		return s.StartExecution(context.WithValue(ctx, beginnerKey{}, by), &api.StartExecutionInput{StateMachineArn: arn, Name: new("n"), Input: new("{}")})
	}
	first, err := begin("one")
	if err != nil {
		t.Fatal(err)
	}
	second, err := begin("one")
	if err != nil || *second.ExecutionArn != *first.ExecutionArn || !second.StartDate.Equal(*first.StartDate) {
		t.Fatal(second, err)
	}
	for _, other := range []string{"another", ""} {
		if _, err := begin(other); !errors.Is(err, api.ExecutionAlreadyExists) {
			t.Errorf("by %q: %v", other, err)
		}
	}
}
