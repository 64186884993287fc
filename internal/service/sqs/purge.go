package sqs

import (
	"context"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// PurgeQueue removes all of a queue's messages.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html
func (s *Service) PurgeQueue(ctx context.Context, in *api.PurgeQueueRequest) (*api.PurgeQueueOutput, error) {
	at, err := queueAt(awsapi.RequestOf(ctx), *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		return s.change(tx, at, func(q *queue, r *record) error {
			now := s.Clock()
			if s.Strict && r.Purged != 0 && now.Sub(time.UnixMilli(r.Purged)) < purgePause {
				return purgeInProgress.New("Only one PurgeQueue operation on %s is allowed every 60 seconds.", at.name)
			}
			r.Purged = now.UnixMilli()
			return tx.Purge(q.messages)
		})
	})
}
