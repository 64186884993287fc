package dynamodb

import (
	"context"
	"slices"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodbstreams"
	"cirro/internal/service/dynamodb/stream"
	"cirro/internal/store"
)

// Limits of the Streams API.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
const (
	maxStreams       = 100  // that ListStreams returns
	maxShards        = 100  // that DescribeStream returns
	maxRecords       = 1000 // that GetRecords returns
	maxRecordBytes   = 1 << 20
	iteratorLife     = 15 * time.Minute
	defaultRetention = 24 * time.Hour
)

// StreamsDeps are what Streams is made of. Clock may be nil.
type StreamsDeps struct {
	Store     store.Store
	Clock     func() time.Time
	Retention time.Duration // how long records can be read; 0 for AWS's 24 hours
}

// Streams is the API of DynamoDB Streams, over what package stream keeps.
type Streams struct {
	api.Unimplemented
	StreamsDeps
}

var _ api.API = (*Streams)(nil)

// NewStreams makes the API over what the store holds.
func NewStreams(d StreamsDeps) *Streams {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Retention <= 0 {
		d.Retention = defaultRetention
	}
	return &Streams{StreamsDeps: d}
}

// Trim removes what is older than the retention.
func (s *Streams) Trim(ctx context.Context) error {
	return stream.Trim(ctx, s.Store, s.horizon())
}

// horizon is the time before which nothing can be read.
func (s *Streams) horizon() time.Time { return s.Clock().Add(-s.Retention) }

func streamOwner(ctx context.Context) stream.Owner {
	r := awsapi.RequestOf(ctx)
	return stream.Owner{Account: r.Account(), Region: r.Region}
}

// ListStreams lists the streams of the account, or of one table; disabled ones too, until they are removed.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_ListStreams.html
func (s *Streams) ListStreams(ctx context.Context, in *api.ListStreamsInput) (*api.ListStreamsOutput, error) {
	o := streamOwner(ctx)
	limit := maxStreams
	if in.Limit != nil {
		limit = int(min(*in.Limit, maxStreams))
	}
	var after *stream.Stream
	if in.ExclusiveStartStreamArn != nil {
		_, table, label, ok := stream.ParseARN(*in.ExclusiveStartStreamArn)
		if !ok {
			return nil, awsapi.ValidationException.New("Invalid StreamArn")
		}
		after = &stream.Stream{Table: table, Label: label}
	}
	out := &api.ListStreamsOutput{Streams: []api.Stream{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		page, more, err := stream.Page(r, o, awsapi.Val(in.TableName), after, limit)
		for _, one := range page {
			out.Streams = append(out.Streams, api.Stream{StreamArn: new(one.ARN(o)), TableName: new(one.Table), StreamLabel: new(one.Label)})
		}
		if more {
			out.LastEvaluatedStreamArn = out.Streams[len(out.Streams)-1].StreamArn
		}
		return err
	})
	return out, err
}

// DescribeStream tells a stream's shards. Shards here have no children: a filter for those finds none.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
func (s *Streams) DescribeStream(ctx context.Context, in *api.DescribeStreamInput) (*api.DescribeStreamOutput, error) {
	o := streamOwner(ctx)
	limit := maxShards
	if in.Limit != nil {
		limit = int(min(*in.Limit, maxShards))
	}
	var out *api.DescribeStreamOutput
	err := s.Store.View(ctx, func(r store.Reader) error {
		found, err := s.find(r, o, *in.StreamArn)
		if err != nil {
			return err
		}
		d := describeStream(found, o)
		if d.Shards, err = describeShards(r, found); err != nil {
			return err
		}
		if err := selectShards(d, in, limit); err != nil {
			return err
		}
		out = &api.DescribeStreamOutput{StreamDescription: d}
		return nil
	})
	return out, err
}

func describeStream(s *stream.Stream, o stream.Owner) *api.StreamDescription {
	d := &api.StreamDescription{
		StreamArn:               new(s.ARN(o)),
		StreamLabel:             &s.Label,
		StreamStatus:            new(api.StreamStatusEnabled),
		StreamViewType:          &s.View,
		CreationRequestDateTime: &s.Created,
		TableName:               &s.Table,
	}
	if !s.Closed.IsZero() {
		d.StreamStatus = new(api.StreamStatusDisabled)
	}
	for i, name := range s.Keys {
		kind := api.KeyTypeHash
		if i > 0 {
			kind = api.KeyTypeRange
		}
		d.KeySchema = append(d.KeySchema, api.KeySchemaElement{AttributeName: new(name), KeyType: new(kind)})
	}
	return d
}

func describeShards(r store.Reader, s *stream.Stream) ([]api.Shard, error) {
	opened, err := s.Opened(r)
	if err != nil {
		return nil, err
	}
	ended, err := s.Ended(r)
	if err != nil {
		return nil, err
	}
	shards := make([]api.Shard, s.Shards)
	for i := range shards {
		numbers := &api.SequenceNumberRange{StartingSequenceNumber: new(stream.Sequence(opened))}
		if ended > 0 {
			numbers.EndingSequenceNumber = new(stream.Sequence(ended))
		}
		shards[i] = api.Shard{ShardId: new(s.ShardID(i)), SequenceNumberRange: numbers}
	}
	return shards, nil
}

// selectShards leaves the shards that the request asks for.
func selectShards(d *api.StreamDescription, in *api.DescribeStreamInput, limit int) error {
	at := func(id string) int {
		return slices.IndexFunc(d.Shards, func(s api.Shard) bool { return *s.ShardId == id })
	}
	if f := in.ShardFilter; f != nil {
		if f.ShardId == nil || f.Type == nil {
			return awsapi.ValidationException.New("Invalid ShardFilter: Type and ShardId are required")
		}
		if at(*f.ShardId) < 0 {
			return shardNotFound(*f.ShardId, *d.StreamArn)
		}
		d.Shards = nil
	}
	if start := in.ExclusiveStartShardId; start != nil {
		if i := at(*start); i >= 0 {
			d.Shards = d.Shards[i+1:]
		} else {
			d.Shards = nil
		}
	}
	if len(d.Shards) > limit {
		d.Shards = d.Shards[:limit]
		d.LastEvaluatedShardId = d.Shards[limit-1].ShardId
	}
	d.Shards = append([]api.Shard{}, d.Shards...)
	return nil
}

// find returns a stream that a request names.
func (s *Streams) find(r store.Reader, o stream.Owner, arn string) (*stream.Stream, error) {
	named, table, label, ok := stream.ParseARN(arn)
	if !ok {
		return nil, awsapi.ValidationException.New("Invalid StreamArn")
	}
	found, exists, err := stream.Find(r, o, table, label)
	if err != nil {
		return nil, err
	}
	gone := !found.Closed.IsZero() && found.Closed.Before(s.horizon())
	if !exists || gone || named != o {
		return nil, api.ResourceNotFoundException.New("Requested resource not found: Stream: %s not found", arn)
	}
	return &found, nil
}

func shardNotFound(id, arn string) error {
	return api.ResourceNotFoundException.New("Requested resource not found: Shard: %s in Stream: %s not found", id, arn)
}
