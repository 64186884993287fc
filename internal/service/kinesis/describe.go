package kinesis

import (
	"context"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

func (r *record) mode() *api.StreamModeDetails {
	mode := api.StreamModeProvisioned
	if r.OnDemand {
		mode = api.StreamModeOnDemand
	}
	return &api.StreamModeDetails{StreamMode: &mode}
}

func (r *record) monitoring() []api.EnhancedMetrics {
	metrics := r.Metrics
	if metrics == nil {
		metrics = []string{}
	}
	return []api.EnhancedMetrics{{ShardLevelMetrics: metrics}}
}

// encryptionType is NONE where there is no encryption.
func (r *record) encryptionType() (kind, key *string) {
	if r.Encryption == "" {
		return new(api.EncryptionTypeNone), nil
	}
	return &r.Encryption, &r.KeyID
}

func (s *shard) hashRange() *api.HashKeyRange {
	return &api.HashKeyRange{StartingHashKey: new(s.First.String()), EndingHashKey: new(s.Last.String())}
}

// shardView is a shard as clients see it.
func (st *stream) shardView(index int, in span) api.Shard {
	sh := &st.record.Shards[index]
	out := api.Shard{ShardId: new(shardID(index)), HashKeyRange: sh.hashRange(),
		SequenceNumberRange: &api.SequenceNumberRange{StartingSequenceNumber: new(st.sequence(index, in.from))}}
	if len(sh.Parents) > 0 {
		out.ParentShardId = new(shardID(sh.Parents[0]))
	}
	if len(sh.Parents) > 1 {
		out.AdjacentParentShardId = new(shardID(sh.Parents[1]))
	}
	if in.to > 0 {
		out.SequenceNumberRange.EndingSequenceNumber = new(st.sequenceOf(index, in.to, true))
	}
	return out
}

// shards lists the shards after one, up to a limit, that keep wants and that still have anything to read.
func (s *Service) shards(r store.Reader, st *stream, after *string, limit int, keep func(i int) bool) (out []api.Shard, more bool, err error) {
	spans, err := st.spans(r)
	if err != nil {
		return nil, false, err
	}
	first := 0
	if after != nil {
		index, ok := shardIndex(*after)
		if !ok {
			return nil, false, api.InvalidArgumentException.New("ExclusiveStartShardId %s is not valid.", *after)
		}
		first = index + 1
	}
	out = []api.Shard{}
	now := s.Clock()
	for i := first; i < len(st.record.Shards); i++ {
		if st.gone(i, now) || keep != nil && !keep(i) {
			continue
		}
		if len(out) == limit {
			return out, true, nil
		}
		out = append(out, st.shardView(i, spans[i]))
	}
	return out, false, nil
}

// DescribeStream tells about a stream and its shards.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeStream.html
func (s *Service) DescribeStream(ctx context.Context, in *api.DescribeStreamInput) (*api.DescribeStreamOutput, error) {
	limit := 100
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	var d *api.StreamDescription
	err := s.Store.View(ctx, func(r store.Reader) error {
		st, err := s.find(ctx, r, in.StreamName, in.StreamARN, in.StreamId)
		if err != nil {
			return err
		}
		shards, more, err := s.shards(r, st, in.ExclusiveStartShardId, limit, nil)
		kind, key := st.record.encryptionType()
		d = &api.StreamDescription{StreamName: &st.record.Name, StreamARN: new(st.arn()), StreamStatus: new(api.StreamStatusActive),
			StreamModeDetails: st.record.mode(), Shards: shards, HasMoreShards: &more, RetentionPeriodHours: new(int32(st.record.Retention)),
			StreamCreationTimestamp: &st.record.Created, EnhancedMonitoring: st.record.monitoring(), EncryptionType: kind, KeyId: key}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.DescribeStreamOutput{StreamDescription: d}, nil
}

// DescribeStreamSummary tells about a stream without its shards.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeStreamSummary.html
func (s *Service) DescribeStreamSummary(ctx context.Context, in *api.DescribeStreamSummaryInput) (*api.DescribeStreamSummaryOutput, error) {
	var d *api.StreamDescriptionSummary
	err := s.Store.View(ctx, func(r store.Reader) error {
		st, err := s.find(ctx, r, in.StreamName, in.StreamARN, in.StreamId)
		if err != nil {
			return err
		}
		consumers, err := st.countConsumers(r)
		kind, key := st.record.encryptionType()
		d = &api.StreamDescriptionSummary{StreamName: &st.record.Name, StreamARN: new(st.arn()), StreamStatus: new(api.StreamStatusActive),
			StreamModeDetails: st.record.mode(), RetentionPeriodHours: new(int32(st.record.Retention)), StreamCreationTimestamp: &st.record.Created,
			EnhancedMonitoring: st.record.monitoring(), EncryptionType: kind, KeyId: key, OpenShardCount: new(int32(len(st.opened))),
			ConsumerCount: new(int32(consumers)), StreamId: &st.record.ID, MaxRecordSizeInKiB: new(int32(st.record.MaxRecord))}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.DescribeStreamSummaryOutput{StreamDescriptionSummary: d}, nil
}

// DescribeLimits tells what the account has, and may have.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeLimits.html
func (s *Service) DescribeLimits(ctx context.Context, _ *api.DescribeLimitsInput) (*api.DescribeLimitsOutput, error) {
	request := awsapi.RequestOf(ctx)
	out := &api.DescribeLimitsOutput{ShardLimit: new(int32(maxShards)), OpenShardCount: new(int32(0)),
		OnDemandStreamCount: new(int32(0)), OnDemandStreamCountLimit: new(int32(maxOnDemand))}
	err := s.Store.View(ctx, func(r store.Reader) error {
		for found, err := range store.Records[record](r, store.Prefix("kinesis", "stream", request.Account(), request.Region)) {
			if err != nil {
				return err
			}
			if found.OnDemand {
				*out.OnDemandStreamCount++
			}
			for i := range found.Shards {
				if found.Shards[i].open() && !found.OnDemand {
					*out.OpenShardCount++
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
