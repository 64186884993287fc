package kinesis

import (
	"context"
	"errors"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	maxPut         = 10 << 20 // bytes of a PutRecords
	defaultMaxSize = 1024     // KiB of a record
)

// PutRecord adds a record to the shard that its partition key belongs to.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
func (s *Service) PutRecord(ctx context.Context, in *api.PutRecordInput) (*api.PutRecordOutput, error) {
	at, err := placeOf(*in.PartitionKey, in.ExplicitHashKey)
	if err != nil {
		return nil, err
	}
	e := entry{at: s.Clock(), key: *in.PartitionKey, data: in.Data}
	stored := e.encode()
	var st *stream
	var shard int
	var number int64
	err = s.Store.Update(ctx, func(tx store.Tx) (err error) {
		if st, err = s.find(ctx, tx, in.StreamName, in.StreamARN, in.StreamId); err != nil {
			return err
		}
		if err := st.checkSize(&e); err != nil {
			return err
		}
		if err := st.checkOrdering(in.SequenceNumberForOrdering); err != nil {
			return err
		}
		if awsapi.Val(in.DryRun) {
			return dryRun()
		}
		shard = st.shardFor(at)
		if err := s.admit(st, shard, &e); err != nil {
			return err
		}
		return tx.AppendNumbered(st.log(shard), stored, &number)
	})
	if err != nil {
		return nil, err
	}
	return &api.PutRecordOutput{ShardId: new(shardID(shard)), SequenceNumber: new(st.sequence(shard, number)), EncryptionType: st.encryption()}, nil
}

// dryRun is the answer to a request that would have succeeded.
func dryRun() error {
	return api.DryRunOperationException.New("Request would have succeeded, but DryRun flag is set.")
}

// checkSize refuses a record that is larger than its stream takes.
func (st *stream) checkSize(e *entry) error {
	if limit := st.record.MaxRecord << 10; len(e.data) > limit {
		return api.ValidationException.New("1 validation error detected: Value at 'data' failed to satisfy constraint: Member must have length less than or equal to %d", limit)
	}
	return nil
}

// checkOrdering refuses what is no sequence number. Puts are in the order of their commits anyway.
func (st *stream) checkOrdering(after *string) error {
	if after == nil {
		return nil
	}
	if _, ok := parseSequence(*after); !ok {
		return api.InvalidArgumentException.New("ExclusiveMinimumSequenceNumber %s used in PutRecord on stream %s under account %s is invalid.", *after, st.name, st.account)
	}
	return nil
}

// encryption is nil where the stream has none.
func (st *stream) encryption() *string {
	if st.record.Encryption == "" {
		return nil
	}
	return new(st.record.Encryption)
}

// PutRecords adds up to 500 records, in one transaction. Those that a shard has no throughput left for fail alone.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
func (s *Service) PutRecords(ctx context.Context, in *api.PutRecordsInput) (*api.PutRecordsOutput, error) {
	b, err := s.newPutting(in)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) (err error) {
		if b.stream, err = s.find(ctx, tx, in.StreamName, in.StreamARN, in.StreamId); err != nil {
			return err
		}
		for i := range b.entries {
			if err := b.stream.checkSize(&b.entries[i]); err != nil {
				return err
			}
		}
		if awsapi.Val(in.DryRun) {
			return dryRun()
		}
		return b.append(s, tx)
	})
	if err != nil {
		return nil, err
	}
	return b.output(), nil
}

// putting is a PutRecords.
type putting struct {
	stream  *stream
	entries []entry
	stored  [][]byte
	places  []hashKey
	shards  []int
	numbers []int64
	refused []*awsapi.Error
}

func (s *Service) newPutting(in *api.PutRecordsInput) (*putting, error) {
	n := len(in.Records)
	b := &putting{entries: make([]entry, n), stored: make([][]byte, n), places: make([]hashKey, n), shards: make([]int, n),
		numbers: make([]int64, n), refused: make([]*awsapi.Error, n)}
	now, size := s.Clock(), 0
	for i := range in.Records {
		r := &in.Records[i]
		var err error
		if b.places[i], err = placeOf(*r.PartitionKey, r.ExplicitHashKey); err != nil {
			return nil, err
		}
		b.entries[i] = entry{at: now, key: *r.PartitionKey, data: r.Data}
		b.stored[i] = b.entries[i].encode()
		size += b.entries[i].size()
	}
	if size > maxPut {
		return nil, api.InvalidArgumentException.New("Records size exceeds %d MB limit", maxPut>>20)
	}
	return b, nil
}

func (b *putting) append(s *Service, tx store.Tx) error {
	for i := range b.entries {
		b.shards[i], b.refused[i] = b.stream.shardFor(b.places[i]), nil
		err := s.admit(b.stream, b.shards[i], &b.entries[i])
		if errors.As(err, &b.refused[i]) {
			continue
		}
		if err := tx.AppendNumbered(b.stream.log(b.shards[i]), b.stored[i], &b.numbers[i]); err != nil {
			return err
		}
	}
	return nil
}

func (b *putting) output() *api.PutRecordsOutput {
	out := &api.PutRecordsOutput{FailedRecordCount: new(int32(0)), Records: make([]api.PutRecordsResultEntry, len(b.entries)), EncryptionType: b.stream.encryption()}
	for i := range b.entries {
		if e := b.refused[i]; e != nil {
			*out.FailedRecordCount++
			out.Records[i] = api.PutRecordsResultEntry{ErrorCode: &e.Type.Code, ErrorMessage: &e.Message}
			continue
		}
		out.Records[i] = api.PutRecordsResultEntry{ShardId: new(shardID(b.shards[i])), SequenceNumber: new(b.stream.sequence(b.shards[i], b.numbers[i]))}
	}
	return out
}
