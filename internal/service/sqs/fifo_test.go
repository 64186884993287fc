package sqs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	api "cirro/internal/awsapi/sqs"
)

func TestFIFO(t *testing.T) {
	s := newStage(t)
	url := s.make("q.fifo", "ContentBasedDeduplication", "true")
	first := s.sendIn(url, "g", "a", "")
	if len(*first.SequenceNumber) != 20 {
		t.Errorf("the sequence number is %s", *first.SequenceNumber)
	}
	again := s.sendIn(url, "h", "a", "")
	if *again.MessageId != *first.MessageId || *again.SequenceNumber != *first.SequenceNumber {
		t.Errorf("a repeated message is %+v, not %+v", again, first)
	}
	second := s.sendIn(url, "g", "b", "")
	s.sendIn(url, "h", "c", "own")
	if *second.SequenceNumber <= *first.SequenceNumber {
		t.Errorf("%s came after %s", *second.SequenceNumber, *first.SequenceNumber)
	}
	got := s.await(url)
	sum := sha256.Sum256([]byte("a"))
	if *got.Body != "a" || got.Attributes["SequenceNumber"] != *first.SequenceNumber || got.Attributes["MessageGroupId"] != "g" || got.Attributes["MessageDeduplicationId"] != hex.EncodeToString(sum[:]) {
		t.Errorf("received %s with %v", *got.Body, got.Attributes)
	}
	rest := s.all(url)
	s.are(rest, "c") // g waits for a
	if rest[0].Attributes["MessageDeduplicationId"] != "own" {
		t.Errorf("received %v", rest[0].Attributes)
	}
	s.delete(url, got)
	s.are(s.all(url), "b")
}

func TestDeduplicationByGroup(t *testing.T) {
	s := newStage(t)
	url := s.make("q.fifo", "DeduplicationScope", "messageGroup", "FifoThroughputLimit", "perMessageGroupId")
	a, b, c := s.sendIn(url, "g", "1", "d"), s.sendIn(url, "h", "2", "d"), s.sendIn(url, "g", "3", "d")
	if *a.MessageId == *b.MessageId || *a.MessageId != *c.MessageId {
		t.Errorf("sent %s, %s, %s", *a.MessageId, *b.MessageId, *c.MessageId)
	}
	s.are(s.all(url), "1", "2")
}

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html: a FIFO queue refuses
// a handle whose time is over.
func TestExpiredHandleOfFIFO(t *testing.T) {
	s := newStage(t)
	url := s.make("q.fifo")
	s.sendIn(url, "g", "m", "d")
	old := s.receive(api.ReceiveMessageRequest{QueueUrl: &url, VisibilityTimeout: new(int32(0))})
	s.are(old, "m")
	now := s.await(url)
	_, err := s.DeleteMessage(s.ctx, &api.DeleteMessageRequest{QueueUrl: &url, ReceiptHandle: old[0].ReceiptHandle})
	s.fails(err, "InvalidParameterValue", "Value "+*old[0].ReceiptHandle+" for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.")
	s.delete(url, now)
	s.delete(url, now) // it is gone already
	s.are(s.all(url))
}

func TestRepeatedReceives(t *testing.T) {
	s := newStage(t)
	url := s.make("q.fifo")
	for _, body := range []string{"a", "b", "c"} {
		s.sendIn(url, "g"+body, body, body)
	}
	attempt := func(id string) []api.Message {
		return s.receive(api.ReceiveMessageRequest{QueueUrl: &url, MaxNumberOfMessages: new(int32(2)), ReceiveRequestAttemptId: &id})
	}
	first := attempt("1")
	s.are(first, "a", "b")
	again := attempt("1")
	s.are(again, "a", "b")
	if *again[0].ReceiptHandle != *first[0].ReceiptHandle {
		t.Error("the handles are others")
	}
	s.are(attempt("2"), "c")
	s.delete(url, first[0])
	s.are(attempt("1")) // no longer as it was, so it is a new one, and nothing is there
	s.clock.Add(attemptWindow + 1)
	s.are(attempt("2"))
	_, err := s.DeleteQueue(s.ctx, &api.DeleteQueueRequest{QueueUrl: &url})
	s.must(err)
}

// model is a FIFO queue as it should be.
type model struct {
	sent   []string            // bodies not deleted, in order
	group  map[string]string   // of each body
	held   map[string]*hold    // by body
	locked map[string]int      // messages of a group in flight
	known  map[string]struct{} // deduplication ids
}

type hold struct{ m api.Message }

// expect is what a receive of up to n brings.
func (m *model) expect(n int) (want []string) {
	blocked := map[string]bool{}
	for g, n := range m.locked {
		blocked[g] = n > 0
	}
	for _, body := range m.sent {
		if len(want) == n {
			break
		}
		if !blocked[m.group[body]] {
			want = append(want, body)
		}
	}
	return want
}

// A random history of one queue, each answer compared with the model's.
func TestFIFOAgainstModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newStage(t)
			play(s, rand.New(rand.NewPCG(seed, 1)), s.make("q.fifo"))
		})
	}
}

func play(s *stage, random *rand.Rand, url string) {
	m := &model{group: map[string]string{}, held: map[string]*hold{}, locked: map[string]int{}, known: map[string]struct{}{}}
	pick := func() (string, *hold) {
		bodies := make([]string, 0, len(m.held))
		for body := range m.held {
			bodies = append(bodies, body)
		}
		if len(bodies) == 0 {
			return "", nil
		}
		slices.Sort(bodies)
		body := bodies[random.IntN(len(bodies))]
		return body, m.held[body]
	}
	free := func(body string) {
		m.locked[m.group[body]]--
		delete(m.held, body)
	}
	for step := range 400 {
		switch random.IntN(10) {
		case 0, 1, 2, 3: // send, at times again
			group, dedup := fmt.Sprint("g", random.IntN(5)), fmt.Sprint("d", random.IntN(2*step+1))
			body := fmt.Sprintf("%s of %s", dedup, group)
			if _, repeated := m.known[dedup]; !repeated {
				m.sent, m.group[body] = append(m.sent, body), group
			}
			m.known[dedup] = struct{}{}
			s.sendIn(url, group, body, dedup)
		case 4, 5, 6:
			n := 1 + random.IntN(10)
			want := m.expect(n)
			got := s.receive(api.ReceiveMessageRequest{QueueUrl: &url, MaxNumberOfMessages: new(int32(n)), VisibilityTimeout: new(int32(3600))})
			s.are(got, want...)
			for i, body := range want {
				m.held[body] = &hold{got[i]}
				m.locked[m.group[body]]++
			}
		case 7, 8:
			if body, h := pick(); h != nil {
				s.delete(url, h.m)
				free(body)
				m.sent = slices.DeleteFunc(m.sent, func(b string) bool { return b == body })
			}
		case 9:
			if body, h := pick(); h != nil {
				s.release(url, h.m)
				free(body)
			}
		}
	}
	counts := s.attributes(url, "All")
	if counts["ApproximateNumberOfMessages"] != fmt.Sprint(len(m.sent)-len(m.held)) || counts["ApproximateNumberOfMessagesNotVisible"] != fmt.Sprint(len(m.held)) {
		s.Errorf("the queue counts %v, the model %d and %d in flight", counts, len(m.sent), len(m.held))
	}
}
