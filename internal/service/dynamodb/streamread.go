package dynamodb

import (
	"context"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodbstreams"
	"cirro/internal/service/dynamodb/stream"
	"cirro/internal/store"
)

// GetRecords reads a shard from an iterator on.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
func (s *Streams) GetRecords(ctx context.Context, in *api.GetRecordsInput) (*api.GetRecordsOutput, error) {
	it, ok := parseIterator(*in.ShardIterator)
	if !ok {
		return nil, awsapi.ValidationException.New("Invalid ShardIterator")
	}
	limit := maxRecords
	if in.Limit != nil {
		if *in.Limit > maxRecords {
			return nil, awsapi.ValidationException.New("One or more parameter values were invalid: Limit should be less than or equal to %d", maxRecords)
		}
		limit = int(*in.Limit)
	}
	if s.Clock().Sub(it.made) > iteratorLife {
		return nil, api.ExpiredIteratorException.New("Iterator expired. The iterator was created at time %s while right now it is %s.",
			it.made.UTC().Format(time.UnixDate), s.Clock().UTC().Format(time.UnixDate))
	}
	found, next, out, err := s.records(ctx, it, limit)
	if err == nil && len(out.Records) == 0 && next != nil && s.waited(ctx, found, next) {
		_, _, out, err = s.records(ctx, it, limit)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// records reads what is there now. next is nil at a shard's end.
func (s *Streams) records(ctx context.Context, it iterator, limit int) (found *stream.Stream, next *iterator, out *api.GetRecordsOutput, err error) {
	o := streamOwner(ctx)
	out = &api.GetRecordsOutput{Records: []api.Record{}}
	err = s.Store.View(ctx, func(r store.Reader) (err error) {
		if found, err = s.find(r, o, it.arn); err != nil {
			return err
		}
		if it.shard >= found.Shards {
			return awsapi.ValidationException.New("Invalid ShardIterator")
		}
		next, err = s.read(r, found, it, limit, out, o)
		if next != nil {
			out.NextShardIterator = new(next.String())
		}
		return err
	})
	return found, next, out, err
}

// waited waits for a record after an iterator, where the request may, and says whether there is one.
func (s *Streams) waited(ctx context.Context, found *stream.Stream, it *iterator) bool {
	wait := awsapi.RequestOf(ctx).Wait
	if wait <= 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return found.Await(ctx, s.Store, it.shard, it.after) == nil
}

// read reads what follows an iterator. next is nil where nothing will.
func (s *Streams) read(r store.Reader, found *stream.Stream, it iterator, limit int, out *api.GetRecordsOutput, o stream.Owner) (next *iterator, err error) {
	trimmed, err := found.Trimmed(r, it.shard, s.horizon())
	if err != nil {
		return nil, err
	}
	if it.after < trimmed {
		return nil, trimmedData()
	}
	records, err := found.Read(r, it.shard, it.after, limit, maxRecordBytes)
	if err != nil {
		return nil, err
	}
	for i := range records {
		out.Records = append(out.Records, streamRecord(found, &records[i], o))
		it.after = records[i].Number
	}
	it.made = s.Clock()
	ended, err := found.Ended(r)
	if err != nil {
		return nil, err
	}
	if ended > 0 {
		if last, err := found.Last(r, it.shard); err != nil || it.after >= last {
			return nil, err
		}
	}
	return &it, nil
}

// trimmedData is worded as AWS's answer in https://github.com/ironSource/node-dynamodb-stream/issues/13.
func trimmedData() error {
	return api.TrimmedDataAccessException.New("The data you are trying to access has been trimmed")
}
