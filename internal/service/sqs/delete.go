package sqs

import (
	"context"
	"errors"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// DeleteMessage removes a received message.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
func (s *Service) DeleteMessage(ctx context.Context, in *api.DeleteMessageRequest) (*api.DeleteMessageOutput, error) {
	at, err := queueAt(awsapi.RequestOf(ctx), *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		q, err := s.queue(tx, at)
		if err != nil {
			return err
		}
		return q.remove(tx, *in.ReceiptHandle)
	})
}

// remove removes the message that a handle was given for. A standard queue does so even when its time is over,
// unless the message was received again; then nothing happens, and that is no error. A FIFO queue refuses a
// handle whose time is over.
func (q *queue) remove(tx store.Tx, handle string) error {
	l, r, err := q.lease(handle)
	if err != nil {
		return err
	}
	if q.fifo {
		return q.removeInTime(tx, handle, l, r)
	}
	if err := tx.Ack(l); err != nil && !errors.Is(err, store.ErrLeaseLost) {
		return err
	}
	return nil
}

// removeInTime removes a message that is still in flight. One that is gone was removed already, if its time
// cannot have passed since.
func (q *queue) removeInTime(tx store.Tx, handle string, l store.Lease, r receipt) error {
	err := tx.Extend(l, time.Minute) // fails where the lease has ended
	if err == nil {
		return tx.Ack(l)
	}
	if !errors.Is(err, store.ErrLeaseLost) {
		return err
	}
	if time.Now().Before(r.until) {
		return nil
	}
	return invalidValue(handle, "ReceiptHandle", "The receipt handle has expired.")
}
