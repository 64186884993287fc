package eventbridge

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/courier"
	"cirro/internal/store"
	"cirro/internal/target"
)

// deadLetter is an event on its way to a dead-letter queue.
type deadLetter struct {
	Queue      string // ARN
	As         awsapi.Principal
	Trace      string
	Attributes map[string]string
	Event      string
}

// maxErrorMessage bounds the message in a dead letter, in bytes.
const maxErrorMessage = 1 << 10

// bury gives up a delivery: its event goes to the target's dead-letter queue, if it has one. condition is the
// limit that was reached, "" for none.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
func (s *Service) bury(tx store.Tx, a *attempt, condition string, tried int) error {
	if a.target.DeadLetterConfig == nil || a.target.DeadLetterConfig.Arn == nil {
		s.Log.Warn("eventbridge: an event could not be delivered and is dropped", "rule", a.Bus.ruleARN(a.rule.Name), "target", *a.target.Arn,
			"event", a.ID, "attempts", tried, "error", a.err)
		return nil
	}
	message := target.Message(a.err)
	if len(message) > maxErrorMessage {
		message = message[:maxErrorMessage]
	}
	if message == "" {
		message = target.Code(a.err)
	}
	d := deadLetter{Queue: *a.target.DeadLetterConfig.Arn, Trace: a.Trace, Event: string(a.event),
		As: awsapi.Principal{Account: a.Bus.Account, Service: "events.amazonaws.com", SourceARN: a.Bus.ruleARN(a.rule.Name)},
		Attributes: map[string]string{"RULE_ARN": a.Bus.ruleARN(a.rule.Name), "TARGET_ARN": *a.target.Arn, "ERROR_CODE": code(a.err),
			"ERROR_MESSAGE": message, "RETRY_ATTEMPTS": strconv.Itoa(tried - 1)}}
	if condition != "" {
		d.Attributes["EXHAUSTED_RETRY_CONDITION"] = condition
	}
	body, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("eventbridge: encode a dead letter: %w", err)
	}
	_, err = tx.Enqueue(deadLetterQueue, store.NewMessage{Body: body})
	return err
}

// deadLetterAttempts is how often a dead letter is sent where its queue fails in passing.
const deadLetterAttempts = 20

// deliverDead sends a dead letter.
func (s *Service) deliverDead(ctx context.Context, m store.Message) courier.Verdict {
	var d deadLetter
	if err := json.Unmarshal(m.Body, &d); err != nil {
		s.Log.Error("eventbridge: a dead letter cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	_, err := s.sender.Send(ctx, &target.Letter{Target: d.Queue, Body: []byte(d.Event), As: d.As, TraceID: d.Trace, Attributes: d.Attributes})
	switch {
	case err == nil:
		return courier.Verdict{}
	case ctx.Err() != nil:
		return courier.Again(0)
	case !target.Lasting(err) && m.Deliveries < deadLetterAttempts:
		return courier.Again(s.scaled(courier.Backoff{Shortest: time.Second, Longest: time.Minute}.After(m.Deliveries)))
	}
	s.Log.Error("eventbridge: a dead letter could not be sent and is dropped", "queue", d.Queue, "attributes", d.Attributes, "error", err)
	return courier.Verdict{}
}
