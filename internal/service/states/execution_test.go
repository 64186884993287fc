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

func TestNamesAreTakenForNinetyDays(t *testing.T) {
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s, err := New(Deps{Store: st, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	ctx := awsapi.WithRequest(context.Background(), &awsapi.Request{Region: "us-east-1", Principal: awsapi.Principal{Account: "000000000000"}, Time: now})
	m, err := s.CreateStateMachine(ctx, &api.CreateStateMachineInput{Name: new("m"), RoleArn: new("arn:aws:iam::000000000000:role/r"),
		Definition: new(`{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		taken bool
	}{{0, false}, {time.Hour, true}, {89 * 24 * time.Hour, true}, {2 * 24 * time.Hour, false}, {0, true}} {
		now = now.Add(c.after)
		_, err := s.StartExecution(ctx, &api.StartExecutionInput{StateMachineArn: m.StateMachineArn, Name: new("n"), Input: new("{}")})
		if taken := errors.Is(err, api.ExecutionAlreadyExists); taken != c.taken || err != nil && !taken {
			t.Errorf("%s: %v", now, err)
		}
	}
}
