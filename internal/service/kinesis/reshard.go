package kinesis

import (
	"context"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

// layout changes a stream's shards.
type layout struct {
	record *record
	change reshard
	now    time.Time
}

// close closes a shard.
func (l *layout) close(index int) {
	l.record.Shards[index].Closed = l.now
	l.change.Closed = append(l.change.Closed, index)
}

// open opens a shard that follows its parents, and returns its index.
func (l *layout) open(first, last hashKey, parents ...int) int {
	index := len(l.record.Shards)
	l.record.Shards = append(l.record.Shards, shard{First: first, Last: last, Parents: parents})
	l.change.Opened = append(l.change.Opened, index)
	return index
}

// split divides a shard in two; the second begins at a key.
func (l *layout) split(index int, at hashKey) (low, high int) {
	sh := l.record.Shards[index]
	l.close(index)
	return l.open(sh.First, at.previous(), index), l.open(at, sh.Last, index)
}

// merge makes one of two shards; the second follows the first.
func (l *layout) merge(low, high int) int {
	first, last := l.record.Shards[low].First, l.record.Shards[high].Last
	l.close(low)
	l.close(high)
	return l.open(first, last, low, high)
}

// reshape changes a stream's shards, and notes the change in the transaction.
func (s *Service) reshape(tx store.Tx, st *stream, f func(l *layout) error) error {
	return st.change(tx, func(r *record) error {
		l := &layout{record: r, now: s.Clock()}
		if err := f(l); err != nil {
			return err
		}
		if len(l.change.Opened) == 0 {
			return nil
		}
		return l.change.append(tx, st.reshards())
	})
}

// openShard finds a shard that a change needs open.
func (st *stream) openShard(id string) (int, error) {
	index, err := st.shard(id)
	if err == nil && !st.record.Shards[index].open() {
		err = api.InvalidArgumentException.New("Shard %s in stream %s under account %s has already been merged or split, and thus is not eligible for merging or splitting.",
			shardID(index), st.name, st.account)
	}
	return index, err
}

// SplitShard divides a shard in two.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SplitShard.html
func (s *Service) SplitShard(ctx context.Context, in *api.SplitShardInput) (*api.SplitShardOutput, error) {
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		st, err := s.find(ctx, tx, in.StreamName, in.StreamARN, in.StreamId)
		if err != nil {
			return err
		}
		index, err := st.openShard(*in.ShardToSplit)
		if err != nil {
			return err
		}
		sh := &st.record.Shards[index]
		at, ok := parseHash(*in.NewStartingHashKey)
		if !ok || !sh.First.next().less(at) || !at.less(sh.Last) {
			return api.InvalidArgumentException.New("NewStartingHashKey %s used in SplitShard() on shard %s in stream %s under account %s is not both greater than one plus the shard's StartingHashKey %s and less than the shard's EndingHashKey %s.",
				*in.NewStartingHashKey, shardID(index), st.name, st.account, sh.First, sh.Last)
		}
		return s.reshape(tx, st, func(l *layout) error {
			l.split(index, at)
			return nil
		})
	})
}

// MergeShards makes one of two adjacent shards.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_MergeShards.html
func (s *Service) MergeShards(ctx context.Context, in *api.MergeShardsInput) (*api.MergeShardsOutput, error) {
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		st, err := s.find(ctx, tx, in.StreamName, in.StreamARN, in.StreamId)
		if err != nil {
			return err
		}
		low, err := st.openShard(*in.ShardToMerge)
		if err != nil {
			return err
		}
		high, err := st.openShard(*in.AdjacentShardToMerge)
		if err != nil {
			return err
		}
		if st.adjacent(high, low) {
			low, high = high, low
		}
		if !st.adjacent(low, high) {
			return api.InvalidArgumentException.New("Shards %s and %s in stream %s under account %s are not an adjacent pair of shards eligible for merging",
				shardID(low), shardID(high), st.name, st.account)
		}
		return s.reshape(tx, st, func(l *layout) error {
			l.merge(low, high)
			return nil
		})
	})
}

// adjacent says whether a shard's keys follow those of another.
func (st *stream) adjacent(low, high int) bool {
	next := st.record.Shards[low].Last.next()
	return next == st.record.Shards[high].First && next != hashKey{}
}

// UpdateShardCount divides a stream's keys evenly among another number of shards, by splits and merges.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html
func (s *Service) UpdateShardCount(ctx context.Context, in *api.UpdateShardCountInput) (*api.UpdateShardCountOutput, error) {
	target := int(*in.TargetShardCount)
	var out *api.UpdateShardCountOutput
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		st, err := s.find(ctx, tx, in.StreamName, in.StreamARN, in.StreamId)
		if err != nil {
			return err
		}
		n := len(st.opened)
		if err := st.checkCount(n, target); err != nil {
			return err
		}
		out = &api.UpdateShardCountOutput{StreamName: new(st.name), StreamARN: new(st.arn()), CurrentShardCount: new(int32(n)), TargetShardCount: in.TargetShardCount}
		return s.reshape(tx, st, func(l *layout) error {
			l.even(st.opened, target)
			return nil
		})
	})
	return out, err
}

func (st *stream) checkCount(n, target int) error {
	counts := []any{n, target}
	switch {
	case st.record.OnDemand:
		return api.ValidationException.New("Request is invalid. Stream %s under account %s is in On-Demand mode.", st.name, st.account)
	case target > maxShards:
		return api.LimitExceededException.New("Target shard count or number of open shards cannot be greater than 20000. Current open shard count: %d, Target shard count: %d", counts...)
	case target > 2*n:
		return api.LimitExceededException.New("UpdateShardCount cannot scale up over double your current open shard count. Current open shard count: %d, Target shard count: %d", counts...)
	case 2*target < n:
		return api.LimitExceededException.New("UpdateShardCount cannot scale down below half your current open shard count. Current open shard count: %d, Target shard count: %d", counts...)
	}
	return nil
}

// even makes n shards of equal width out of the open ones, which are in the order of their ranges: it splits them where
// one of the new begins, and merges what lies between.
func (l *layout) even(open []int, n int) {
	starts := boundaries(n)
	for i := range starts {
		last := lastKey
		if i+1 < n {
			last = starts[i+1].previous()
		}
		whole := -1 // what there is of this shard already
		for len(open) > 0 && !last.less(l.record.Shards[open[0]].First) {
			piece := open[0]
			open = open[1:]
			if last.less(l.record.Shards[piece].Last) {
				low, high := l.split(piece, last.next())
				piece, open = low, append([]int{high}, open...)
			}
			if whole >= 0 {
				piece = l.merge(whole, piece)
			}
			whole = piece
		}
	}
}

// UpdateStreamMode makes a stream on-demand or provisioned. Its shards stay as they are.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateStreamMode.html
func (s *Service) UpdateStreamMode(ctx context.Context, in *api.UpdateStreamModeInput) (*api.UpdateStreamModeOutput, error) {
	if in.WarmThroughputMiBps != nil {
		return nil, awsapi.Unimplemented("kinesis", "UpdateStreamMode with WarmThroughputMiBps")
	}
	return nil, s.changeStream(ctx, nil, in.StreamARN, in.StreamId, func(_ *stream, r *record) error {
		r.OnDemand = *in.StreamModeDetails.StreamMode == api.StreamModeOnDemand
		return nil
	})
}
