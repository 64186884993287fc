package sqs

import (
	"context"
	"errors"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
)

func TestOperates(t *testing.T) {
	for _, c := range []struct {
		method, target, operation string
		want                      bool
	}{
		{"POST", "/", "AmazonSQS.SendMessage", true},
		{"POST", "/", "AmazonSQS.ReceiveMessage", true},
		{"POST", "/", "AmazonSQS.PurgeQueue", false},
		{"POST", "/", "AmazonSQS.", false},
		{"POST", "/", "DynamoDB_20120810.PutItem", false},
		{"GET", "/", "AmazonSQS.SendMessage", false},
		{"POST", "/000000000000/q", "AmazonSQS.SendMessage", false},
	} {
		if got := Operates(c.method, c.target, c.operation); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

// TestReceiveThatMayNotWait receives without waiting where the request must not, and says that it would.
func TestReceiveThatMayNotWait(t *testing.T) {
	s := newStage(t)
	url := s.make("q")
	r := *awsapi.RequestOf(s.ctx)
	r.NoWait = true
	ctx := awsapi.WithRequest(context.WithoutCancel(s.ctx), &r)
	poll := &api.ReceiveMessageRequest{QueueUrl: &url, WaitTimeSeconds: new(int32(20))}
	if _, err := s.ReceiveMessage(ctx, poll); !errors.Is(err, awsapi.ErrWouldWait) {
		t.Errorf("nothing is there: %v", err)
	}
	if out, err := s.ReceiveMessage(ctx, &api.ReceiveMessageRequest{QueueUrl: &url}); err != nil || len(out.Messages) > 0 {
		t.Errorf("%v, %v", out, err)
	}
	if _, err := s.SendMessage(ctx, &api.SendMessageRequest{QueueUrl: &url, MessageBody: new("m")}); err != nil {
		t.Fatal(err)
	}
	if out, err := s.ReceiveMessage(ctx, poll); err != nil || len(out.Messages) != 1 {
		t.Errorf("a message is there: %v, %v", out, err)
	}
}
