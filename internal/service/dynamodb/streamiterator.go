package dynamodb

import (
	"context"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodbstreams"
	"cirro/internal/service/dynamodb/stream"
	"cirro/internal/store"
)

// GetShardIterator returns a place in a shard to read from.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html
func (s *Streams) GetShardIterator(ctx context.Context, in *api.GetShardIteratorInput) (*api.GetShardIteratorOutput, error) {
	o := streamOwner(ctx)
	if err := checkIteratorRequest(in); err != nil {
		return nil, err
	}
	var text string
	err := s.Store.View(ctx, func(r store.Reader) error {
		found, err := s.find(r, o, *in.StreamArn)
		if err != nil {
			return err
		}
		shard, ok := found.Shard(*in.ShardId)
		if !ok {
			return shardNotFound(*in.ShardId, *in.StreamArn)
		}
		after, err := s.position(r, found, shard, in)
		text = iterator{arn: *in.StreamArn, shard: shard, after: after, made: s.Clock()}.String()
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.GetShardIteratorOutput{ShardIterator: &text}, nil
}

func checkIteratorRequest(in *api.GetShardIteratorInput) error {
	switch kind := *in.ShardIteratorType; {
	case (kind == api.ShardIteratorTypeAtSequenceNumber || kind == api.ShardIteratorTypeAfterSequenceNumber) && in.SequenceNumber == nil:
		return awsapi.ValidationException.New("One or more parameter values were invalid: Sequence number must be provided for iterator type %s", kind)
	case (kind == api.ShardIteratorTypeTrimHorizon || kind == api.ShardIteratorTypeLatest) && in.SequenceNumber != nil:
		return awsapi.ValidationException.New("One or more parameter values were invalid: Sequence number must not be provided for iterator type %s", kind)
	case kind == api.ShardIteratorTypeAtTimestamp && in.Timestamp == nil:
		return awsapi.ValidationException.New("One or more parameter values were invalid: Timestamp must be provided for iterator type %s", kind)
	}
	return nil
}

// position is the number that an iterator begins after.
func (s *Streams) position(r store.Reader, found *stream.Stream, shard int, in *api.GetShardIteratorInput) (int64, error) {
	switch *in.ShardIteratorType {
	case api.ShardIteratorTypeTrimHorizon:
		return found.Trimmed(r, shard, s.horizon())
	case api.ShardIteratorTypeLatest:
		return found.Last(r, shard)
	case api.ShardIteratorTypeAtTimestamp:
		at := *in.Timestamp
		if horizon := s.horizon(); at.Before(horizon) {
			at = horizon
		}
		return found.Since(r, shard, at)
	}
	return s.positionOf(r, found, shard, in)
}

// positionOf is position where the request names a sequence number.
func (s *Streams) positionOf(r store.Reader, found *stream.Stream, shard int, in *api.GetShardIteratorInput) (int64, error) {
	number, ok := stream.ParseSequence(*in.SequenceNumber)
	opened, err := found.Opened(r)
	if err != nil {
		return 0, err
	}
	ended, err := found.Ended(r)
	if err != nil {
		return 0, err
	}
	if !ok || number < opened || ended > 0 && number > ended {
		return 0, awsapi.ValidationException.New("Invalid SequenceNumber for the shard")
	}
	if *in.ShardIteratorType == api.ShardIteratorTypeAtSequenceNumber && number > opened {
		number--
	}
	trimmed, err := found.Trimmed(r, shard, s.horizon())
	if err == nil && number < trimmed {
		err = trimmedData()
	}
	return number, err
}
