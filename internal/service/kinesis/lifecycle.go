package kinesis

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	onDemandShards = 4
	dayHours       = 24
	maxHours       = 8760
	maxShards      = 20000 // of an account in a region
	maxOnDemand    = 50    // streams, as above
	minMaxRecord   = 1024  // KiB
	maxMaxRecord   = 10240 // KiB
)

// CreateStream makes a stream. It is active at once.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
func (s *Service) CreateStream(ctx context.Context, in *api.CreateStreamInput) (*api.CreateStreamOutput, error) {
	request := awsapi.RequestOf(ctx)
	a := address{account: request.Account(), region: request.Region, name: *in.StreamName}
	made := record{Name: a.name, ID: rand.Text(), Created: s.Clock(), Retention: dayHours, MaxRecord: defaultMaxSize, Tags: in.Tags}
	if err := made.configure(in); err != nil {
		return nil, err
	}
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Get(a.key())
		if err == nil {
			return api.ResourceInUseException.New("Stream %s under account %s already exists.", a.name, a.account)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		opened := make([]int, len(made.Shards))
		for i := range opened {
			opened[i] = i
		}
		log := store.Key("kinesis", "reshard", made.ID)
		return errors.Join(reshard{Opened: opened}.append(tx, log), store.SetRecord(tx, a.key(), made))
	})
}

// configure takes a new stream's settings.
func (r *record) configure(in *api.CreateStreamInput) error {
	if awsapi.Val(in.RecordDistributionStrategy) == api.RecordDistributionStrategyAuto {
		return awsapi.Unimplemented("kinesis", "CreateStream with the RecordDistributionStrategy AUTO")
	}
	if err := checkTags(in.Tags); err != nil {
		return err
	}
	if in.MaxRecordSizeInKiB != nil {
		r.MaxRecord = int(*in.MaxRecordSizeInKiB)
		if err := checkMaxRecord(r.MaxRecord); err != nil {
			return err
		}
	}
	mode := ""
	if in.StreamModeDetails != nil {
		mode = awsapi.Val(in.StreamModeDetails.StreamMode)
	}
	n := int(awsapi.Val(in.ShardCount))
	switch {
	case mode == api.StreamModeOnDemand && in.ShardCount != nil:
		return api.InvalidArgumentException.New("ShardCount must not be specified for an on-demand stream.")
	case mode == api.StreamModeProvisioned && in.ShardCount == nil:
		return api.InvalidArgumentException.New("ShardCount must be specified for a provisioned stream.")
	case in.ShardCount == nil:
		r.OnDemand, n = true, onDemandShards
	}
	if n < 1 || n > maxShards {
		return api.LimitExceededException.New("This request would exceed the shard limit for the account. Limit: %d. Number of additional shards that would have resulted from this request: %d.", maxShards, n)
	}
	r.Shards = evenly(n)
	return nil
}

// evenly divides all keys among n shards.
func evenly(n int) []shard {
	starts := boundaries(n)
	shards := make([]shard, n)
	for i := range shards {
		shards[i] = shard{First: starts[i], Last: lastKey}
		if i+1 < n {
			shards[i].Last = starts[i+1].previous()
		}
	}
	return shards
}

// DeleteStream removes a stream and its records.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DeleteStream.html
func (s *Service) DeleteStream(ctx context.Context, in *api.DeleteStreamInput) (*api.DeleteStreamOutput, error) {
	var st *stream
	err := s.Store.Update(ctx, func(tx store.Tx) (err error) {
		if st, err = s.find(ctx, tx, in.StreamName, in.StreamARN, in.StreamId); err != nil {
			return err
		}
		if !awsapi.Val(in.EnforceConsumerDeletion) {
			n, err := st.countConsumers(tx)
			if err != nil {
				return err
			}
			if n > 0 {
				return api.ResourceInUseException.New("Stream %s under account %s has %d registered consumers. To delete it, set EnforceConsumerDeletion.", st.name, st.account, n)
			}
		}
		return errors.Join(tx.Delete(st.key()), st.forget(tx))
	})
	if err != nil {
		return nil, err
	}
	s.known.Delete(st.address)
	return nil, nil
}

// ListStreams lists the account's streams by their names.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListStreams.html
func (s *Service) ListStreams(ctx context.Context, in *api.ListStreamsInput) (*api.ListStreamsOutput, error) {
	limit := 100
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	request := awsapi.RequestOf(ctx)
	a := address{account: request.Account(), region: request.Region, name: awsapi.Val(in.ExclusiveStartStreamName)}
	if in.NextToken != nil {
		name, err := base64.StdEncoding.DecodeString(*in.NextToken)
		if err != nil {
			return nil, api.InvalidArgumentException.New("The NextToken is not valid.")
		}
		a.name = string(name)
	}
	over := store.Prefix("kinesis", "stream", a.account, a.region)
	if a.name != "" {
		over = over.After(a.key())
	}
	out := &api.ListStreamsOutput{StreamNames: []string{}, StreamSummaries: []api.StreamSummary{}, HasMoreStreams: new(false)}
	err := s.Store.View(ctx, func(r store.Reader) error {
		page, more, err := store.Page[record](r, over, limit, nil)
		for i := range page {
			a.name = page[i].Name
			out.StreamNames = append(out.StreamNames, a.name)
			out.StreamSummaries = append(out.StreamSummaries, api.StreamSummary{StreamName: new(a.name), StreamARN: new(a.arn()),
				StreamStatus: new(api.StreamStatusActive), StreamModeDetails: page[i].mode(), StreamCreationTimestamp: &page[i].Created})
		}
		if more != nil {
			*out.HasMoreStreams = true
			out.NextToken = new(base64.StdEncoding.EncodeToString([]byte(a.name)))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
