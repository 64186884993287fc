package sqs

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	api "cirro/internal/awsapi/sqs"
)

// Producers send to groups of a FIFO queue, at times twice, and consumers fail at times. What is deleted of a group is
// what was sent, in order and once.
func TestFIFOUnderLoad(t *testing.T) {
	s := newStage(t)
	url := s.make("q.fifo", "VisibilityTimeout", "3600")
	const groups, each, consumers = 5, 40, 6
	for g := range groups {
		go func() {
			for i := range each {
				in := &api.SendMessageRequest{QueueUrl: &url, MessageBody: new(fmt.Sprint(i)), MessageGroupId: new(fmt.Sprint(g)), MessageDeduplicationId: new(fmt.Sprintf("%d-%d", g, i))}
				for range 1 + i%2 {
					if _, err := s.SendMessage(s.ctx, in); err != nil {
						t.Error(err)
					}
				}
			}
		}()
	}
	var mu sync.Mutex
	next := make(map[string]int) // of each group
	var left atomic.Int64
	left.Store(groups * each)
	var consuming sync.WaitGroup
	for c := range consumers {
		consuming.Go(func() {
			random := rand.New(rand.NewPCG(uint64(c), 5))
			for left.Load() > 0 {
				out, err := s.ReceiveMessage(s.ctx, &api.ReceiveMessageRequest{QueueUrl: &url, MaxNumberOfMessages: new(int32(1 + random.IntN(5))),
					WaitTimeSeconds: new(int32(1)), AttributeNames: []string{"MessageGroupId"}})
				if err != nil {
					t.Error(err)
					return
				}
				failed := make(map[string]bool)
				for _, m := range out.Messages {
					group := m.Attributes["MessageGroupId"]
					if failed[group] = failed[group] || random.IntN(4) == 0; failed[group] {
						continue // nor any that follow it
					}
					mu.Lock()
					if want := fmt.Sprint(next[group]); *m.Body != want {
						t.Errorf("group %s has %s where %s was next", group, *m.Body, want)
					}
					next[group]++
					mu.Unlock()
					if _, err := s.DeleteMessage(s.ctx, &api.DeleteMessageRequest{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle}); err != nil {
						t.Error(err)
					}
					left.Add(-1)
				}
				// The last of a group first: each is to be back before those behind it may go.
				for i := len(out.Messages) - 1; i >= 0; i-- {
					if m := out.Messages[i]; failed[m.Attributes["MessageGroupId"]] {
						_, _ = s.ChangeMessageVisibility(s.ctx, &api.ChangeMessageVisibilityRequest{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: new(int32(0))})
					}
				}
			}
		})
	}
	consuming.Wait()
	for g := range groups {
		if got := next[fmt.Sprint(g)]; got != each {
			t.Errorf("of group %d %d were deleted", g, got)
		}
	}
}
