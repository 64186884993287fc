package sqs

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// attempt is a receive that its sender may repeat: what it was answered.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-receiverequestattemptid-request-parameter.html
type attempt struct {
	Made     int64 // milliseconds since 1970
	Messages []api.Message
}

// attempts is a queue's part of the keys.
func (q *queue) attempts(parts ...any) []byte {
	return store.Key(append([]any{"sqs", "attempt", q.record.ID}, parts...)...)
}

func (q *queue) attemptEnds(parts ...any) []byte {
	return store.Key(append([]any{"sqs", "attempt-end", q.record.ID}, parts...)...)
}

// repeated answers a receive again as it was answered, within five minutes, if all its messages are still in
// flight, and renews their time. Otherwise the receive is a new one.
func (s *Service) repeated(ctx context.Context, q *queue, id string, o store.ReceiveOptions) (messages []api.Message, err error) {
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		messages = nil
		a, found, err := store.GetRecord[attempt](tx, q.attempts(id))
		if err != nil || !found || s.Clock().Sub(time.UnixMilli(a.Made)) > attemptWindow {
			return err
		}
		for i := range a.Messages {
			l, _, err := q.lease(*a.Messages[i].ReceiptHandle)
			if err != nil {
				return err
			}
			if err := tx.Extend(l, o.Lease); err != nil {
				return err
			}
		}
		messages = a.Messages
		return nil
	})
	if errors.Is(err, store.ErrLeaseLost) {
		return nil, nil
	}
	return messages, err
}

// remember keeps what a receive was answered, and forgets a few that are too old.
func (s *Service) remember(ctx context.Context, q *queue, id string, messages []api.Message) error {
	if len(messages) == 0 {
		return nil
	}
	b, err := json.Marshal(attempt{Made: s.Clock().UnixMilli(), Messages: messages})
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		end := s.Clock().Add(attemptWindow).UnixMilli()
		if err := q.forgetAttempts(tx, s.Clock()); err != nil {
			return err
		}
		return errors.Join(tx.Set(q.attempts(id), b), tx.Set(q.attemptEnds(end, id), []byte(id)))
	})
}

// forgottenAtOnce is more than one, so that what is to be forgotten does not pile up.
const forgottenAtOnce = 4

// forgetAttempts forgets some of the attempts that are over.
func (q *queue) forgetAttempts(tx store.Tx, now time.Time) error {
	over := store.Range{Start: q.attemptEnds(), End: q.attemptEnds(now.UnixMilli()), Limit: forgottenAtOnce}
	for kv, err := range tx.Range(over) {
		if err != nil {
			return err
		}
		id := string(kv.Value)
		a, found, err := store.GetRecord[attempt](tx, q.attempts(id))
		if err == nil && found && now.Sub(time.UnixMilli(a.Made)) > attemptWindow {
			err = tx.Delete(q.attempts(id))
		}
		if err := errors.Join(err, tx.Delete(append([]byte(nil), kv.Key...))); err != nil {
			return err
		}
	}
	return nil
}

// forget removes what is kept of a queue besides its record and its messages.
func (q *queue) forget(tx store.Tx) error {
	a, e := store.Prefix("sqs", "attempt", q.record.ID), store.Prefix("sqs", "attempt-end", q.record.ID)
	return errors.Join(tx.DeleteRange(a.Start, a.End), tx.DeleteRange(e.Start, e.End))
}
