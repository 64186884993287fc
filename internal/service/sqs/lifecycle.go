package sqs

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// CreateQueue makes a queue, or finds the one that is there with the same attributes.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
func (s *Service) CreateQueue(ctx context.Context, in *api.CreateQueueRequest) (*api.CreateQueueResult, error) {
	r := awsapi.RequestOf(ctx)
	a := address{account: r.Account(), region: r.Region, name: *in.QueueName}
	fifo := in.Attributes[api.QueueAttributeNameFifoQueue]
	if fifo != "" && fifo != "true" {
		return nil, unknownAttribute(api.QueueAttributeNameFifoQueue)
	}
	if err := checkName(a.name, fifo != ""); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	now := s.Clock()
	made := record{Name: a.name, ID: rand.Text(), Created: now.Unix(), Modified: now.Unix(), Attributes: defaults(fifo != ""), Tags: in.Tags}
	given, err := checkAttributes(fifo != "", in.Attributes)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := s.checkRedrive(tx, a, given); err != nil {
			return err
		}
		if err := made.set(given); err != nil {
			return err
		}
		q, err := s.queue(tx, a)
		if err == nil {
			return q.sameAs(given)
		}
		if !errors.Is(err, api.QueueDoesNotExist) {
			return err
		}
		if err := s.checkPause(tx, a); err != nil {
			return err
		}
		return store.SetRecord(tx, a.key(), made)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateQueueResult{QueueUrl: new(a.url(r))}, nil
}

// sameAs refuses other attributes than those of the queue that is there.
func (q *queue) sameAs(given map[string]string) error {
	for name, value := range given {
		if q.record.Attributes[name] != value {
			return queueNameExists.New("A queue already exists with the same name and a different value for attribute %s", name)
		}
	}
	return nil
}

func (a address) deletedKey() []byte {
	return store.Key("sqs", "deleted", a.account, a.region, a.name)
}

// checkPause refuses, where the service is strict, the name of a queue that was deleted just now.
func (s *Service) checkPause(r store.Reader, a address) error {
	if !s.Strict {
		return nil
	}
	deleted, found, err := store.GetRecord[int64](r, a.deletedKey())
	if err == nil && found && s.Clock().Sub(time.UnixMilli(deleted)) < deletionPause {
		err = queueDeletedRecently.New("You must wait 60 seconds after deleting a queue before you can create another with the same name.")
	}
	return err
}

// DeleteQueue removes a queue and its messages.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html
func (s *Service) DeleteQueue(ctx context.Context, in *api.DeleteQueueRequest) (*api.DeleteQueueOutput, error) {
	at, err := queueAt(awsapi.RequestOf(ctx), *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		q, err := s.queue(tx, at)
		if err != nil {
			return err
		}
		if err := errors.Join(tx.Delete(at.key()), q.forget(tx), tx.Drop(q.messages)); err != nil || !s.Strict {
			return err
		}
		return store.SetRecord(tx, at.deletedKey(), s.Clock().UnixMilli())
	})
	if err == nil {
		s.known.Delete(at)
	}
	return nil, err
}

// GetQueueUrl finds a queue by its name.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueUrl.html
func (s *Service) GetQueueUrl(ctx context.Context, in *api.GetQueueUrlRequest) (*api.GetQueueUrlResult, error) {
	r := awsapi.RequestOf(ctx)
	a := address{account: r.Account(), region: r.Region, name: *in.QueueName}
	if in.QueueOwnerAWSAccountId != nil {
		a.account = *in.QueueOwnerAWSAccountId
	}
	err := s.Store.View(ctx, func(r store.Reader) error {
		_, err := s.queue(r, a)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.GetQueueUrlResult{QueueUrl: new(a.url(r))}, nil
}

// ListQueues lists queues by their names.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html
func (s *Service) ListQueues(ctx context.Context, in *api.ListQueuesRequest) (*api.ListQueuesResult, error) {
	keep := func(r *record) bool { return strings.HasPrefix(r.Name, awsapi.Val(in.QueueNamePrefix)) }
	urls, next, err := s.list(ctx, keep, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &api.ListQueuesResult{QueueUrls: urls, NextToken: next}, nil
}
