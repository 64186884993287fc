package sqs

import (
	"context"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// ListDeadLetterSourceQueues lists the queues whose dead-letter queue a queue is.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListDeadLetterSourceQueues.html
func (s *Service) ListDeadLetterSourceQueues(ctx context.Context, in *api.ListDeadLetterSourceQueuesRequest) (*api.ListDeadLetterSourceQueuesResult, error) {
	at, err := queueAt(awsapi.RequestOf(ctx), *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		_, err := s.queue(r, at)
		return err
	})
	if err != nil {
		return nil, err
	}
	urls, next, err := s.list(ctx, func(r *record) bool { return r.buries(at.arn()) }, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	if urls == nil {
		urls = []string{}
	}
	return &api.ListDeadLetterSourceQueuesResult{QueueUrls: urls, NextToken: next}, nil
}

// buries says whether a queue's messages end in the dead-letter queue of that ARN.
func (r *record) buries(arn string) bool {
	p, ok := parseRedrive(r.Attributes[api.QueueAttributeNameRedrivePolicy])
	return ok && p.Target == arn
}
