package scheduler

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/scheduler"
	"cirro/internal/courier"
	"cirro/internal/store"
	"cirro/internal/target"

	"github.com/google/uuid"
)

// invocation is one time of a schedule that came, on its way to the target that the schedule had then.
type invocation struct {
	Ref    ref
	Time   time.Time // that the schedule meant
	Target *api.Target
}

// timeForm is how a time is written for targets.
const timeForm = "2006-01-02T15:04:05Z"

// enqueue sends the pending time of a schedule on its way.
func (c *record) enqueue(tx store.Tx) error {
	body, err := json.Marshal(invocation{c.Ref, c.Pending, c.Target})
	if err != nil {
		return fmt.Errorf("scheduler: encode an invocation: %w", err)
	}
	_, err = tx.Enqueue(invocationQueue, store.NewMessage{Body: body})
	return err
}

// backoff is how long to wait between attempts.
var backoff = courier.Backoff{Shortest: time.Second, Longest: 10 * time.Minute}

func (s *Service) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * s.RetryScale)
}

// invoke calls a target.
func (s *Service) invoke(ctx context.Context, m store.Message) courier.Verdict {
	var i invocation
	if err := json.Unmarshal(m.Body, &i); err != nil {
		s.Log.Error("scheduler: an invocation cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	execution := newExecutionID()
	l := i.letter(execution, m.Deliveries)
	_, err := s.sender.Send(ctx, l)
	switch {
	case err == nil:
		return courier.Verdict{}
	case ctx.Err() != nil:
		return courier.Again(0)
	}
	p := i.Target.RetryPolicy
	condition := ""
	switch {
	case target.Lasting(err):
	case m.Deliveries > int(*p.MaximumRetryAttempts):
		condition = "MaximumRetryAttempts"
	case time.Since(m.Enqueued) > s.scaled(time.Duration(*p.MaximumEventAgeInSeconds)*time.Second):
		condition = "MaximumEventAgeInSeconds"
	default:
		return courier.Again(s.scaled(backoff.After(m.Deliveries)))
	}
	return courier.Verdict{Then: func(tx store.Tx) error { return s.bury(tx, &i, l, execution, condition, m.Deliveries, err) }}
}

// newExecutionID names an attempt.
func newExecutionID() string {
	b := make([]byte, 8)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// letter is what the target gets.
func (i *invocation) letter(execution string, attempt int) *target.Letter {
	t := i.Target
	l := &target.Letter{Target: *t.Arn, As: i.principal(), Region: i.Ref.Region, Body: i.input(execution, attempt)}
	if t.SqsParameters != nil {
		l.Group = awsapi.Val(t.SqsParameters.MessageGroupId)
	}
	if t.KinesisParameters != nil {
		l.PartitionKey = awsapi.Val(t.KinesisParameters.PartitionKey)
	}
	if t.EventBridgeParameters != nil {
		l.Source, l.DetailType = awsapi.Val(t.EventBridgeParameters.Source), awsapi.Val(t.EventBridgeParameters.DetailType)
	}
	if strings.HasSuffix(l.Target, ".fifo") { // one message, however often it is tried
		l.Dedup = uuid.NewSHA1(uuid.NameSpaceURL, []byte(i.Ref.arn()+i.Time.Format(time.RFC3339Nano))).String()
	}
	return l
}

// input is the target's input with the attributes of this attempt, or a note where the target has none.
func (i *invocation) input(execution string, attempt int) []byte {
	at := i.Time.UTC().Format(timeForm)
	if i.Target.Input != nil {
		return []byte(strings.NewReplacer(scheduleARN, i.Ref.arn(), scheduledTime, at, executionID, execution, attemptNumber, strconv.Itoa(attempt)).Replace(*i.Target.Input))
	}
	note, err := json.Marshal(struct {
		Version    string   `json:"version"`
		ID         string   `json:"id"`
		DetailType string   `json:"detail-type"`
		Source     string   `json:"source"`
		Account    string   `json:"account"`
		Time       string   `json:"time"`
		Region     string   `json:"region"`
		Resources  []string `json:"resources"`
		Detail     string   `json:"detail"`
	}{"0", uuid.NewString(), "Scheduled Event", "aws.scheduler", i.Ref.Account, at, i.Ref.Region, []string{i.Ref.arn()}, "{}"})
	if err != nil {
		return []byte("{}")
	}
	return note
}

// deadLetter is what could not be delivered, on its way to a dead-letter queue.
type deadLetter struct {
	Queue      string // ARN
	As         awsapi.Principal
	Attributes map[string]string
	Body       string
}

// Limits of dead letters, in bytes.
const (
	maxErrorMessage = 1 << 10
	maxLetter       = 250 << 10
)

// bury gives up an invocation: it goes to the target's dead-letter queue, if it has one. condition is the
// limit that was reached, "" for none.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
func (s *Service) bury(tx store.Tx, i *invocation, l *target.Letter, execution, condition string, attempts int, failed error) error {
	if i.Target.DeadLetterConfig == nil || i.Target.DeadLetterConfig.Arn == nil {
		s.Log.Warn("scheduler: an invocation failed and is dropped", "schedule", i.Ref.arn(), "target", l.Target, "attempts", attempts, "error", failed)
		return nil
	}
	message, body := target.Message(failed), string(l.Body)
	message = message[:min(len(message), maxErrorMessage)]
	if message == "" {
		message = target.Code(failed)
	}
	d := deadLetter{Queue: *i.Target.DeadLetterConfig.Arn, As: i.principal(), Body: body[:min(len(body), maxLetter)],
		Attributes: map[string]string{"ERROR_CODE": errorCode(failed), "ERROR_MESSAGE": message, "EXECUTION_ID": execution,
			"IS_PAYLOAD_TRUNCATED": strconv.FormatBool(len(body) > maxLetter), "RETRY_ATTEMPTS": strconv.Itoa(attempts - 1),
			"SCHEDULED_TIME": i.Time.UTC().Format(timeForm), "SCHEDULE_ARN": i.Ref.arn(), "TARGET_ARN": l.Target}}
	if condition != "" {
		d.Attributes["EXHAUSTED_RETRY_CONDITION"] = condition
	}
	encoded, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("scheduler: encode a dead letter: %w", err)
	}
	_, err = tx.Enqueue(deadLetterQueue, store.NewMessage{Body: encoded})
	return err
}

// errorCode is the target's own name for an error.
func errorCode(err error) string {
	var e *awsapi.Error
	if errors.As(err, &e) {
		return e.Type.Code
	}
	return target.Code(err)
}

// deadLetterAttempts is how often a dead letter is sent where its queue fails in passing.
const deadLetterAttempts = 20

// deliverDead sends a dead letter.
func (s *Service) deliverDead(ctx context.Context, m store.Message) courier.Verdict {
	var d deadLetter
	if err := json.Unmarshal(m.Body, &d); err != nil {
		s.Log.Error("scheduler: a dead letter cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	_, err := s.sender.Send(ctx, &target.Letter{Target: d.Queue, Body: []byte(d.Body), As: d.As, Attributes: d.Attributes})
	switch {
	case err == nil:
		return courier.Verdict{}
	case ctx.Err() != nil:
		return courier.Again(0)
	case !target.Lasting(err) && m.Deliveries < deadLetterAttempts:
		return courier.Again(s.scaled(backoff.After(m.Deliveries)))
	}
	s.Log.Error("scheduler: a dead letter could not be sent and is dropped", "queue", d.Queue, "attributes", d.Attributes, "error", err)
	return courier.Verdict{}
}
