package sns

import (
	"context"
	"regexp"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sns"
)

const maxBatch = 10

var entryID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,80}$`)

// PublishBatch publishes up to ten messages. All are durable when it returns. AWS refuses the whole batch where
// one of its messages is malformed.
// https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
func (s *Service) PublishBatch(ctx context.Context, in *api.PublishBatchInput) (*api.PublishBatchResponse, error) {
	ref, err := parseTopic(ctx, "TopicArn", awsapi.Val(in.TopicArn))
	if err != nil {
		return nil, err
	}
	if err := checkEntries(in.PublishBatchRequestEntries); err != nil {
		return nil, err
	}
	var list []message
	total := 0
	for _, e := range in.PublishBatchRequestEntries {
		if e.Subject != nil && !validSubject(*e.Subject) {
			return nil, api.InvalidParameterException.New("Invalid parameter: Subject")
		}
		if awsapi.Val(e.Message) == "" {
			return nil, api.InvalidParameterException.New("Invalid parameter: Empty message")
		}
		m, err := readMessage(&published{e.Message, e.Subject, e.MessageStructure, e.MessageAttributes, e.MessageDeduplicationId, e.MessageGroupId})
		if err != nil {
			return nil, err
		}
		total += m.size
		list = append(list, *m)
	}
	if total > maxMessage {
		return nil, api.BatchRequestTooLongException.New("The length of all the messages put together is more than the limit.")
	}
	if err := s.publish(ctx, ref, list); err != nil {
		return nil, err
	}
	out := &api.PublishBatchResponse{Successful: []api.PublishBatchResultEntry{}, Failed: []api.BatchResultErrorEntry{}}
	for i := range list {
		out.Successful = append(out.Successful, api.PublishBatchResultEntry{
			Id: in.PublishBatchRequestEntries[i].Id, MessageId: &list[i].ID, SequenceNumber: list[i].sequenceNumber()})
	}
	return out, nil
}

func checkEntries(entries []api.PublishBatchRequestEntry) error {
	switch {
	case len(entries) == 0:
		return api.EmptyBatchRequestException.New("The batch request doesn't contain any entries.")
	case len(entries) > maxBatch:
		return api.TooManyEntriesInBatchRequestException.New("The batch request contains more entries than permissible.")
	}
	seen := map[string]bool{}
	for _, e := range entries {
		id := awsapi.Val(e.Id)
		if seen[id] {
			return api.BatchEntryIdsNotDistinctException.New("Two or more batch entries in the request have the same Id.")
		}
		seen[id] = true
	}
	for id := range seen {
		if !entryID.MatchString(id) {
			return api.InvalidBatchEntryIdException.New("The Id of a batch entry in a batch request doesn't abide by the specification.")
		}
	}
	return nil
}
