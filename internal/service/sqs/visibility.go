package sqs

import (
	"context"
	"errors"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// ChangeMessageVisibility says how long a received message stays in flight from now on.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
func (s *Service) ChangeMessageVisibility(ctx context.Context, in *api.ChangeMessageVisibilityRequest) (*api.ChangeMessageVisibilityOutput, error) {
	at, err := queueAt(awsapi.RequestOf(ctx), *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		q, err := s.queue(tx, at)
		if err != nil {
			return err
		}
		return q.keep(tx, *in.ReceiptHandle, in.VisibilityTimeout)
	})
}

// maxLag is how late a request may come that asks, right after the receive, for as long as there is.
const maxLag = time.Minute

// keep changes a message's visibility timeout. In all a message can be in flight for twelve hours.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
func (q *queue) keep(tx store.Tx, handle string, seconds *int32) error {
	if seconds == nil {
		return missing("VisibilityTimeout")
	}
	if err := checkVisibility(seconds); err != nil {
		return err
	}
	l, r, err := q.lease(handle)
	if err != nil {
		return err
	}
	until := time.Now().Add(time.Duration(*seconds) * time.Second)
	if until.Sub(r.received) > maxVisibility*time.Second+maxLag && *seconds > 0 {
		return invalidValue(*seconds, "VisibilityTimeout", "Total VisibilityTimeout for the message is beyond the limit [%[3]d seconds]", maxVisibility)
	}
	err = tx.Extend(l, time.Duration(*seconds)*time.Second)
	if !errors.Is(err, store.ErrLeaseLost) {
		return err
	}
	if time.Now().After(r.until) {
		// Its time is over. Of a message that is visible again this changes nothing, and AWS has no objection.
		// https://github.com/localstack/localstack/blob/main/tests/aws/services/sqs/test_sqs.snapshot.json,
		// test_change_message_visibility_after_visibility_timeout_expiration
		return nil
	}
	return invalidValue(handle, "ReceiptHandle", "Message does not exist or is not available for visibility timeout change.")
}
