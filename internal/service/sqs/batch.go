package sqs

import (
	"context"
	"errors"
	"reflect"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// checkBatch checks the ids of a batch's entries.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
func checkBatch[T any](entries []T, id func(*T) string) error {
	if len(entries) == 0 {
		return emptyBatch.New("There should be at least one %s in the request.", reflect.TypeFor[T]().Name())
	}
	if len(entries) > maxBatch {
		return tooManyEntries.New("Maximum number of entries per request are %d. You have sent %d.", maxBatch, len(entries))
	}
	for i := range entries {
		this := id(&entries[i])
		if len(this) > maxEntryID || !isName(this) {
			return invalidEntryID.New("A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		for j := range i {
			if id(&entries[j]) == this {
				return entryIDsNotDistinct.New("Id %s repeated.", this)
			}
		}
	}
	return nil
}

// failure is what became of one entry; an error that is no client's is the whole batch's.
func failure(id *string, err error) (api.BatchResultErrorEntry, error) {
	var e *awsapi.Error
	if !errors.As(err, &e) {
		return api.BatchResultErrorEntry{}, err
	}
	code := e.Type.QueryCode
	if code == "" {
		code = e.Type.Code
	}
	return api.BatchResultErrorEntry{Id: id, Code: &code, Message: &e.Message, SenderFault: new(!e.Type.Server)}, nil
}

// each runs f on every entry of a batch in one transaction, and collects what it answers.
func each[T, R any](entries []T, id func(*T) *string, f func(*T) (R, error)) (done []R, failed []api.BatchResultErrorEntry, err error) {
	done = make([]R, 0, len(entries))
	for i := range entries {
		r, err := f(&entries[i])
		if err == nil {
			done = append(done, r)
			continue
		}
		e, err := failure(id(&entries[i]), err)
		if err != nil {
			return nil, nil, err
		}
		failed = append(failed, e)
	}
	return done, failed, nil
}

// SendMessageBatch puts up to ten messages into a queue, in one transaction.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
func (s *Service) SendMessageBatch(ctx context.Context, in *api.SendMessageBatchRequest) (*api.SendMessageBatchResult, error) {
	r := awsapi.RequestOf(ctx)
	at, err := queueAt(r, *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := checkBatch(in.Entries, func(e *api.SendMessageBatchRequestEntry) string { return *e.Id }); err != nil {
		return nil, err
	}
	b := sending{entries: in.Entries, messages: make([]*outgoing, len(in.Entries)), errs: make([]error, len(in.Entries))}
	if err := b.prepare(r, at); err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		q, err := s.queue(tx, at)
		if err != nil {
			return err
		}
		return b.enqueue(tx, q)
	})
	if err != nil {
		return nil, err
	}
	return b.result()
}

// sending is a batch to send.
type sending struct {
	entries  []api.SendMessageBatchRequestEntry
	messages []*outgoing
	errs     []error // of each entry
}

// prepare checks the entries apart from their queue.
func (b *sending) prepare(r *awsapi.Request, at address) error {
	size := 0
	for i := range b.entries {
		if b.messages[i], b.errs[i] = newOutgoing(r, at, &b.entries[i]); b.errs[i] == nil {
			size += b.messages[i].size
		}
	}
	if size > maxMessageSize {
		return batchTooLong.New("Batch requests cannot be longer than %d bytes. You have sent %d bytes.", maxMessageSize, size)
	}
	return nil
}

// enqueue adds the messages that may be added. What a FIFO queue needs of each message, all must have.
func (b *sending) enqueue(tx store.Tx, q *queue) error {
	for i := range b.entries {
		if !q.fifo {
			break
		}
		if awsapi.Val(b.entries[i].MessageGroupId) == "" {
			return invalidParameterValue.New("The request must contain the parameter MessageGroupId.")
		}
		if b.entries[i].MessageDeduplicationId == nil && !q.contentDedup {
			return noDedup()
		}
	}
	for i, m := range b.messages {
		if m == nil {
			continue
		}
		if b.errs[i] = m.checkFor(q); b.errs[i] != nil {
			continue
		}
		if err := m.enqueue(tx, q); err != nil {
			return err
		}
	}
	return nil
}

func (b *sending) result() (*api.SendMessageBatchResult, error) {
	out := &api.SendMessageBatchResult{Successful: make([]api.SendMessageBatchResultEntry, 0, len(b.entries))}
	for i, m := range b.messages {
		id := b.entries[i].Id
		if b.errs[i] != nil {
			e, err := failure(id, b.errs[i])
			if err != nil {
				return nil, err
			}
			out.Failed = append(out.Failed, e)
			continue
		}
		out.Successful = append(out.Successful, api.SendMessageBatchResultEntry{Id: id, MessageId: &m.id, MD5OfMessageBody: m.bodySum(),
			MD5OfMessageAttributes: attributesSum(m.attributes), MD5OfMessageSystemAttributes: attributesSum(m.system), SequenceNumber: m.sequenceNumber()})
	}
	return out, nil
}

// DeleteMessageBatch removes up to ten received messages.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html
func (s *Service) DeleteMessageBatch(ctx context.Context, in *api.DeleteMessageBatchRequest) (*api.DeleteMessageBatchResult, error) {
	at, err := queueAt(awsapi.RequestOf(ctx), *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	type entry = api.DeleteMessageBatchRequestEntry
	if err := checkBatch(in.Entries, func(e *entry) string { return *e.Id }); err != nil {
		return nil, err
	}
	out := new(api.DeleteMessageBatchResult)
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		q, err := s.queue(tx, at)
		if err != nil {
			return err
		}
		out.Successful, out.Failed, err = each(in.Entries, func(e *entry) *string { return e.Id },
			func(e *entry) (api.DeleteMessageBatchResultEntry, error) {
				return api.DeleteMessageBatchResultEntry{Id: e.Id}, q.remove(tx, *e.ReceiptHandle)
			})
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ChangeMessageVisibilityBatch changes the visibility timeout of up to ten received messages.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
func (s *Service) ChangeMessageVisibilityBatch(ctx context.Context, in *api.ChangeMessageVisibilityBatchRequest) (*api.ChangeMessageVisibilityBatchResult, error) {
	at, err := queueAt(awsapi.RequestOf(ctx), *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	type entry = api.ChangeMessageVisibilityBatchRequestEntry
	if err := checkBatch(in.Entries, func(e *entry) string { return *e.Id }); err != nil {
		return nil, err
	}
	out := new(api.ChangeMessageVisibilityBatchResult)
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		q, err := s.queue(tx, at)
		if err != nil {
			return err
		}
		out.Successful, out.Failed, err = each(in.Entries, func(e *entry) *string { return e.Id },
			func(e *entry) (api.ChangeMessageVisibilityBatchResultEntry, error) {
				return api.ChangeMessageVisibilityBatchResultEntry{Id: e.Id}, q.keep(tx, *e.ReceiptHandle, e.VisibilityTimeout)
			})
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
