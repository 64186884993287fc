package eventsource

import (
	"context"
	"errors"
	"strconv"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
)

// kinesisAPI reads a stream of Kinesis.
type kinesisAPI struct{ *Poller }

func (k *kinesisAPI) shards(ctx context.Context) (all []shard, err error) {
	in := &api.ListShardsInput{StreamARN: &k.source.ARN}
	for {
		out, err := call[api.ListShardsOutput](ctx, k.Poller, "kinesis", "ListShards", in, 0)
		if err != nil {
			return nil, err
		}
		for _, s := range out.Shards {
			sh := shard{id: awsapi.Val(s.ShardId), closed: s.SequenceNumberRange != nil && s.SequenceNumberRange.EndingSequenceNumber != nil}
			for _, parent := range []*string{s.ParentShardId, s.AdjacentParentShardId} {
				if parent != nil {
					sh.parents = append(sh.parents, *parent)
				}
			}
			all = append(all, sh)
		}
		if awsapi.Val(out.NextToken) == "" {
			return all, nil
		}
		in = &api.ListShardsInput{NextToken: out.NextToken}
	}
}

func (k *kinesisAPI) iterator(ctx context.Context, shard string, at position) (string, error) {
	in := &api.GetShardIteratorInput{StreamARN: &k.source.ARN, ShardId: &shard, ShardIteratorType: &at.Type}
	if at.Type == afterSequence {
		in.StartingSequenceNumber = &at.Sequence
	}
	if at.Type == atTimestamp {
		in.Timestamp = &at.Time
	}
	out, err := call[api.GetShardIteratorOutput](ctx, k.Poller, "kinesis", "GetShardIterator", in, 0)
	if err != nil {
		return "", err
	}
	return awsapi.Val(out.ShardIterator), nil
}

func (k *kinesisAPI) read(ctx context.Context, shard, iterator string, wait time.Duration) ([]Record, string, error) {
	in := &api.GetRecordsInput{ShardIterator: &iterator, StreamARN: &k.source.ARN}
	out, err := call[api.GetRecordsOutput](ctx, k.Poller, "kinesis", "GetRecords", in, wait)
	if err != nil {
		return nil, "", err
	}
	records := make([]Record, len(out.Records))
	for i := range out.Records {
		records[i] = k.record(shard, &out.Records[i])
	}
	return records, awsapi.Val(out.NextShardIterator), nil
}

func (k *kinesisAPI) retention(ctx context.Context) (time.Duration, error) {
	out, err := call[api.DescribeStreamSummaryOutput](ctx, k.Poller, "kinesis", "DescribeStreamSummary",
		&api.DescribeStreamSummaryInput{StreamARN: &k.source.ARN}, 0)
	if err != nil {
		return 0, err
	}
	hours := int32(24)
	if d := out.StreamDescriptionSummary; d != nil && d.RetentionPeriodHours != nil {
		hours = *d.RetentionPeriodHours
	}
	return time.Duration(hours) * time.Hour, nil
}

func (k *kinesisAPI) lost(err error) loss {
	switch {
	case errors.Is(err, api.InvalidArgumentException):
		return lostRecords
	case errors.Is(err, api.ExpiredIteratorException):
		return lostIterator
	case errors.Is(err, api.ResourceNotFoundException):
		return lostShard
	}
	return lostNothing
}

// kinesisEvent is a record as Lambda has it.
// https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html#services-kinesis-event
type kinesisEvent struct {
	Kinesis *kinesisRecord `json:"kinesis,omitempty"`
	*kinesisRecord
	Source    string `json:"eventSource"`
	Version   string `json:"eventVersion"`
	ID        string `json:"eventID"`
	Name      string `json:"eventName"`
	Identity  string `json:"invokeIdentityArn"`
	Region    string `json:"awsRegion"`
	SourceARN string `json:"eventSourceARN"`
}

type kinesisRecord struct {
	Schema   string  `json:"kinesisSchemaVersion"`
	Key      string  `json:"partitionKey"`
	Sequence string  `json:"sequenceNumber"`
	Data     []byte  `json:"data"`
	Arrived  seconds `json:"approximateArrivalTimestamp"`
}

func (k *kinesisAPI) record(shard string, r *api.Record) Record {
	inner := &kinesisRecord{Schema: "1.0", Key: awsapi.Val(r.PartitionKey), Sequence: awsapi.Val(r.SequenceNumber), Data: r.Data,
		Arrived: seconds(awsapi.Val(r.ApproximateArrivalTimestamp))}
	e := kinesisEvent{Source: "aws:kinesis", Version: "1.0", ID: shard + ":" + inner.Sequence, Name: "aws:kinesis:record",
		Identity: k.source.Role, Region: k.place.Region, SourceARN: k.source.ARN}
	if k.source.Flat {
		e.kinesisRecord = inner
	} else {
		e.Kinesis = inner
	}
	return Record{ID: inner.Sequence, Event: encode(e), Arrived: time.Time(inner.Arrived), key: inner.Key}
}

// seconds is a time in JSON as AWS's records have it: seconds with a fraction.
type seconds time.Time

// MarshalJSON writes at least one decimal place.
func (s seconds) MarshalJSON() ([]byte, error) {
	ms := time.Time(s).UnixMilli()
	places := 3
	for places > 1 && ms%10 == 0 {
		ms, places = ms/10, places-1
	}
	scale := int64(1)
	for range places {
		scale *= 10
	}
	text := strconv.AppendInt(nil, ms/scale, 10)
	text = append(text, '.')
	fraction := strconv.FormatInt(ms%scale, 10)
	for range places - len(fraction) {
		text = append(text, '0')
	}
	return append(text, fraction...), nil
}
