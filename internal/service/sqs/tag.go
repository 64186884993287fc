package sqs

import (
	"context"
	"maps"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// checkTags checks tags to add.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalidParameterValue.New("Too many tags added for queue. Maximum number of tags is %d.", maxTags)
	}
	for key, value := range tags {
		if key == "" || len([]rune(key)) > 128 {
			return invalidParameterValue.New("Tag keys must be between 1 and 128 characters in length.")
		}
		if len([]rune(value)) > 256 {
			return invalidParameterValue.New("Tag values must be between 0 and 256 characters in length.")
		}
	}
	return nil
}

// TagQueue adds tags to a queue.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_TagQueue.html
func (s *Service) TagQueue(ctx context.Context, in *api.TagQueueRequest) (*api.TagQueueOutput, error) {
	if len(in.Tags) == 0 {
		return nil, missing("Tags")
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	return nil, s.changeTags(ctx, *in.QueueUrl, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

// UntagQueue takes tags off a queue.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_UntagQueue.html
func (s *Service) UntagQueue(ctx context.Context, in *api.UntagQueueRequest) (*api.UntagQueueOutput, error) {
	if len(in.TagKeys) == 0 {
		return nil, invalidParameterValue.New("Tag keys can't be empty.")
	}
	return nil, s.changeTags(ctx, *in.QueueUrl, func(tags map[string]string) {
		for _, key := range in.TagKeys {
			delete(tags, key)
		}
	})
}

func (s *Service) changeTags(ctx context.Context, url string, f func(map[string]string)) error {
	at, err := queueAt(awsapi.RequestOf(ctx), url)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		return s.change(tx, at, func(_ *queue, r *record) error {
			if r.Tags == nil {
				r.Tags = make(map[string]string)
			}
			f(r.Tags)
			return checkTags(r.Tags)
		})
	})
}

// ListQueueTags lists a queue's tags.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueueTags.html
func (s *Service) ListQueueTags(ctx context.Context, in *api.ListQueueTagsRequest) (*api.ListQueueTagsResult, error) {
	at, err := queueAt(awsapi.RequestOf(ctx), *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	out := &api.ListQueueTagsResult{Tags: map[string]string{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		q, err := s.queue(r, at)
		if err == nil {
			maps.Copy(out.Tags, q.record.Tags)
		}
		return err
	})
	return out, err
}
