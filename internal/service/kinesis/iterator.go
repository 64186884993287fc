package kinesis

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

// iteratorLife is how long an iterator can be used.
const iteratorLife = 5 * time.Minute

// iterator is a place in a shard: after the record of a number.
type iterator struct {
	stream string // its id
	name   string
	shard  int
	after  int64
	made   time.Time // milliseconds
}

const iteratorVersion = 1

func (it iterator) String() string {
	b := binary.BigEndian.AppendUint64(nil, iteratorVersion)
	b = binary.AppendUvarint(b, uint64(it.shard))
	b = binary.AppendUvarint(b, uint64(it.after))
	b = binary.AppendUvarint(b, uint64(it.made.UnixMilli()))
	b = append(binary.AppendUvarint(b, uint64(len(it.stream))), it.stream...)
	return base64.StdEncoding.EncodeToString(append(b, it.name...))
}

func parseIterator(text string) (it iterator, ok bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < 8 || binary.BigEndian.Uint64(b) != iteratorVersion {
		return it, false
	}
	b = b[8:]
	var numbers [4]uint64
	for i := range numbers {
		n := 0
		if numbers[i], n = binary.Uvarint(b); n <= 0 || numbers[i] > 1<<62 {
			return it, false
		}
		b = b[n:]
	}
	if numbers[3] > uint64(len(b)) || numbers[0] > 1<<31 {
		return it, false
	}
	return iterator{shard: int(numbers[0]), after: int64(numbers[1]), made: time.UnixMilli(int64(numbers[2])),
		stream: string(b[:numbers[3]]), name: string(b[numbers[3]:])}, true
}

// GetShardIterator returns a place in a shard to read from.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html
func (s *Service) GetShardIterator(ctx context.Context, in *api.GetShardIteratorInput) (*api.GetShardIteratorOutput, error) {
	at := api.StartingPosition{Type: in.ShardIteratorType, SequenceNumber: in.StartingSequenceNumber, Timestamp: in.Timestamp}
	it := iterator{made: s.Clock()}
	err := s.Store.View(ctx, func(r store.Reader) error {
		st, err := s.find(ctx, r, in.StreamName, in.StreamARN, in.StreamId)
		if err != nil {
			return err
		}
		if it.shard, err = st.shard(*in.ShardId); err != nil {
			return err
		}
		it.stream, it.name = st.record.ID, st.name
		if it.after, err = s.position(r, st, it.shard, &at, "GetShardIterator"); err == nil && awsapi.Val(in.DryRun) {
			err = dryRun()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.GetShardIteratorOutput{ShardIterator: new(it.String())}, nil
}

// position is the number that a position begins after.
func (s *Service) position(r store.Reader, st *stream, shard int, at *api.StartingPosition, operation string) (int64, error) {
	spans, err := st.spans(r)
	if err != nil {
		return 0, err
	}
	kind := *at.Type
	byNumber := kind == api.ShardIteratorTypeAtSequenceNumber || kind == api.ShardIteratorTypeAfterSequenceNumber
	if byNumber != (at.SequenceNumber != nil) {
		said := "no StartingSequenceNumber"
		if !byNumber {
			said = "also a StartingSequenceNumber"
		}
		return 0, api.InvalidArgumentException.New("Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified %s and %s.", kind, said)
	}
	switch kind {
	case api.ShardIteratorTypeTrimHorizon:
		return spans[shard].from, nil
	case api.ShardIteratorTypeLatest:
		last, err := lastNumber(r, st.log(shard))
		return max(last, spans[shard].from), err
	case api.ShardIteratorTypeAtTimestamp:
		return s.positionAt(r, st, shard, spans[shard], at.Timestamp)
	}
	return st.positionOf(shard, at, operation)
}

func (s *Service) positionAt(r store.Reader, st *stream, shard int, in span, at *time.Time) (int64, error) {
	if at == nil {
		return 0, api.InvalidArgumentException.New("Must specify timestamp parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.")
	}
	if at.After(s.Clock()) {
		return 0, api.InvalidArgumentException.New("The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: %d, currentTimestampInMillis: %d", at.UnixMilli(), s.Clock().UnixMilli())
	}
	before, err := lastBefore(r, st.log(shard), *at)
	return max(before, in.from), err
}

// positionOf is position where a sequence number is given.
// The words are those of https://github.com/mhart/kinesalite/blob/master/test/getShardIterator.js.
func (st *stream) positionOf(shard int, at *api.StartingPosition, operation string) (int64, error) {
	text := *at.SequenceNumber
	p, ok := parseSequence(text)
	switch {
	case !ok:
		return 0, api.InvalidArgumentException.New("StartingSequenceNumber %s used in %s on shard %s in stream %s under account %s is invalid.",
			text, operation, shardID(shard), st.name, st.account)
	case p.mark != st.mark:
		return 0, api.InvalidArgumentException.New("StartingSequenceNumber %s used in %s on shard %s in stream %s under account %s is invalid because it did not come from this stream.",
			text, operation, shardID(shard), st.name, st.account)
	case p.shard != shard:
		return 0, api.InvalidArgumentException.New("Invalid StartingSequenceNumber. It encodes %s, while it was used in a call to a shard with %s", shardID(p.shard), shardID(shard))
	}
	if *at.Type == api.ShardIteratorTypeAtSequenceNumber && p.number > 0 {
		return p.number - 1, nil
	}
	return p.number, nil
}

// lastNumber is the number of the last value that was appended under a prefix; 0 where there is none.
func lastNumber(r store.Reader, prefix []byte) (number int64, err error) {
	over := below(prefix)
	over.Reverse, over.Limit = true, 1
	for kv, err := range r.Range(over) {
		if err != nil {
			return 0, err
		}
		number = store.Appended(kv.Key)
	}
	return number, nil
}

// lastBefore is the number of the last record that arrived before a time; 0 where there is none. It looks at a few
// records only, as far as they came in the order of their times.
func lastBefore(r store.Reader, log []byte, at time.Time) (int64, error) {
	high, err := lastNumber(r, log)
	if err != nil {
		return 0, err
	}
	low := int64(0) // all up to low came before the time, none above high did
	for low < high {
		middle := low + (high-low)/2
		number, when, err := nextAfter(r, log, middle)
		if err != nil {
			return 0, err
		}
		if number > 0 && number <= high && when.Before(at) {
			low = number
			continue
		}
		high = middle
	}
	// high is a number, not always a record's: what matters is that no record lies between.
	return low, nil
}

// nextAfter is the first record after a number, and when it arrived; 0 where there is none.
func nextAfter(r store.Reader, log []byte, after int64) (number int64, at time.Time, err error) {
	over := below(log)
	over.Start, over.Limit = store.AppendKey(log[:len(log):len(log)], after+1), 1
	for kv, err := range r.Range(over) {
		if err != nil {
			return 0, at, err
		}
		at, _, err := arrival(kv.Value)
		return store.Appended(kv.Key), at, err
	}
	return 0, at, nil
}
