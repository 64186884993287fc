package pipes

import (
	"context"
	"encoding/json"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/courier"
	"cirro/internal/eventsource"
	"cirro/internal/store"
	"cirro/internal/target"
)

// Dead letters on their way: how many at once, and how often one is attempted.
const (
	deadLetterQueue    = "pipes/dead-letters"
	deadLettersAtOnce  = 16
	deadLetterAttempts = 10
)

var deadLetterBackoff = courier.Backoff{Shortest: time.Second, Longest: 5 * time.Minute}

// deadLetter tells of a part of a stream that was given up.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-dlq.html
type deadLetter struct {
	Context   deadContext `json:"context"`
	Version   string      `json:"version"`
	Timestamp string      `json:"timestamp"`
	Kinesis   *batchInfo  `json:"KinesisBatchInfo,omitempty"`
	DynamoDB  *batchInfo  `json:"DDBStreamBatchInfo,omitempty"`
}

type deadContext struct {
	Pipe      string `json:"partnerResourceArn"`
	Condition string `json:"condition"`
}

type batchInfo struct {
	Shard  string `json:"shardId"`
	First  string `json:"startSequenceNumber"`
	Last   string `json:"endSequenceNumber"`
	Oldest string `json:"approximateArrivalOfFirstRecord"`
	Newest string `json:"approximateArrivalOfLastRecord"`
	Size   int    `json:"batchSize"`
	Stream string `json:"streamArn"`
}

const instant = "2006-01-02T15:04:05.000Z"

// sending is a dead letter in the queue.
type sending struct {
	As     awsapi.Principal `json:"as"`
	Target string           `json:"target"`
	Body   string           `json:"body"`
}

// Discard sends what tells of given-up records on its way.
func (h *handler) Discard(tx store.Tx, d *eventsource.Discarded) error {
	to, p := "", h.pipe
	letter := deadLetter{Context: deadContext{p.arn(), d.Reason}, Version: "1.0", Timestamp: h.Clock().UTC().Format(instant)}
	first, last := &d.Records[0], &d.Records[len(d.Records)-1]
	info := &batchInfo{Shard: d.Shard, First: first.ID, Last: last.ID, Oldest: first.Arrived.UTC().Format(instant),
		Newest: last.Arrived.UTC().Format(instant), Size: len(d.Records), Stream: p.Source}
	switch f := &p.From; {
	case f.KinesisStreamParameters != nil:
		to, letter.Kinesis = deadLetterARN(f.KinesisStreamParameters.DeadLetterConfig), info
	case f.DynamoDBStreamParameters != nil:
		to, letter.DynamoDB = deadLetterARN(f.DynamoDBStreamParameters.DeadLetterConfig), info
	}
	if to == "" {
		return nil
	}
	_, err := tx.Enqueue(deadLetterQueue, store.NewMessage{Body: encode(sending{p.session(), to, string(encode(letter))})})
	return err
}

// sendDeadLetter sends a dead letter that was kept.
func (s *Service) sendDeadLetter(ctx context.Context, m store.Message) courier.Verdict {
	var l sending
	if err := json.Unmarshal(m.Body, &l); err != nil {
		s.Log.Error("pipes: a dead letter cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	_, err := s.sender.Send(ctx, &target.Letter{Target: l.Target, Body: []byte(l.Body), As: l.As})
	switch {
	case err == nil:
		return courier.Verdict{}
	case ctx.Err() != nil:
		return courier.Again(0)
	case m.Deliveries < deadLetterAttempts && !target.Lasting(err):
		return courier.Again(time.Duration(float64(deadLetterBackoff.After(m.Deliveries)) * s.RetryScale))
	}
	s.Log.Error("pipes: a dead letter could not be delivered", "target", l.Target, "error", err)
	return courier.Verdict{}
}
