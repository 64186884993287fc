package kinesis

import (
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

// half is where the second of two even shards begins.
var half = new(big.Int).Lsh(big.NewInt(1), 127).String()

func (s *stage) split(name, shard, at string) error {
	_, err := s.SplitShard(s.ctx, &api.SplitShardInput{StreamName: &name, ShardToSplit: &shard, NewStartingHashKey: &at})
	return err
}

func (s *stage) merge(name, low, high string) error {
	_, err := s.MergeShards(s.ctx, &api.MergeShardsInput{StreamName: &name, ShardToMerge: &low, AdjacentShardToMerge: &high})
	return err
}

func TestSplitAndMerge(t *testing.T) {
	s := newStage(t)
	s.make("s", 1)
	s.put("s", "before")
	s.clock.Add(time.Hour)
	s.must(s.split("s", "0", half))
	if p := s.put("s", "between"); *p.ShardId != shardID(1) {
		t.Errorf("put into %s", *p.ShardId)
	}
	parent := s.all("s", 0)
	s.are(parent, "before")
	if parent.NextShardIterator != nil || len(parent.ChildShards) != 2 || *parent.ChildShards[1].ShardId != shardID(2) || *parent.ChildShards[1].HashKeyRange.StartingHashKey != half {
		t.Errorf("the parent ended as %+v", parent)
	}
	s.clock.Add(time.Hour)
	s.must(s.merge("s", shardID(2), shardID(1))) // in either order
	s.put("s", "after")
	s.are(s.all("s", 1), "between")
	s.are(s.all("s", 3), "after")
	out, err := s.ListShards(s.ctx, &api.ListShardsInput{StreamName: new("s")})
	s.must(err)
	merged := out.Shards[3]
	if awsapi.Val(merged.ParentShardId) != shardID(1) || awsapi.Val(merged.AdjacentParentShardId) != shardID(2) || *merged.HashKeyRange.EndingHashKey != lastKey.String() {
		t.Errorf("the merged shard is %+v", merged)
	}
	end, _ := new(big.Int).SetString(*out.Shards[1].SequenceNumberRange.EndingSequenceNumber, 10)
	begin, _ := new(big.Int).SetString(*merged.SequenceNumberRange.StartingSequenceNumber, 10)
	if begin.Cmp(end) <= 0 || merged.SequenceNumberRange.EndingSequenceNumber != nil {
		t.Errorf("the merged shard has %+v, its parent %+v", merged.SequenceNumberRange, out.Shards[1].SequenceNumberRange)
	}
	made := s.clock.Now().Add(-2 * time.Hour)
	for _, c := range []struct {
		filter api.ShardFilter
		want   []int
	}{
		{api.ShardFilter{Type: new("AT_LATEST")}, []int{3}},
		{api.ShardFilter{Type: new("AT_TRIM_HORIZON")}, []int{0}},
		{api.ShardFilter{Type: new("FROM_TRIM_HORIZON")}, []int{0, 1, 2, 3}},
		{api.ShardFilter{Type: new("AFTER_SHARD_ID"), ShardId: new(shardID(1))}, []int{2, 3}},
		{api.ShardFilter{Type: new("AT_TIMESTAMP"), Timestamp: new(made.Add(90 * time.Minute))}, []int{1, 2}},
		{api.ShardFilter{Type: new("FROM_TIMESTAMP"), Timestamp: new(made.Add(90 * time.Minute))}, []int{1, 2, 3}},
	} {
		if got := s.list("s", &c.filter); !slices.Equal(got, c.want) {
			t.Errorf("%s lists %v, not %v", *c.filter.Type, got, c.want)
		}
	}
	s.clock.Add(23*time.Hour + 1) // the first shard was closed more than a day ago
	if got := s.list("s", nil); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("a day later there are %v", got)
	}
}

func TestReshardingRefusals(t *testing.T) {
	s := newStage(t)
	s.make("s", 3)
	closed := s.split("s", "0", "5")
	s.must(closed)
	for _, c := range []struct {
		err     error
		kind    *awsapi.ErrorType
		message string
	}{
		{s.split("s", "0", "7"), api.InvalidArgumentException, "has already been merged or split"},
		{s.split("s", "9", "7"), api.ResourceNotFoundException, "Could not find shard 9 in stream s under account 123456789012."},
		{s.split("s", "1", "7"), api.InvalidArgumentException, "NewStartingHashKey 7 used in SplitShard() on shard shardId-000000000001 in stream s under account 123456789012 is not both greater than one plus the shard's StartingHashKey 113427455640312821154458202477256070485 and less than the shard's EndingHashKey 226854911280625642308916404954512140969."},
		{s.merge("s", "1", "3"), api.InvalidArgumentException, "are not an adjacent pair of shards eligible for merging"},
		{s.merge("s", "1", "1"), api.InvalidArgumentException, "are not an adjacent pair"},
		{s.merge("s", "2", "3"), api.InvalidArgumentException, "are not an adjacent pair"}, // the last and the first
	} {
		s.fails(c.err, c.kind, c.message)
	}
}

// However a stream is scaled, its open shards cover all keys evenly, and every shard has its predecessors for parents.
func TestShardCounts(t *testing.T) {
	s := newStage(t)
	s.make("s", 3)
	for _, n := range []int{5, 7, 4, 8, 16, 9, 5, 3, 2, 1} {
		_, err := s.UpdateShardCount(s.ctx, &api.UpdateShardCountInput{StreamName: new("s"), TargetShardCount: new(int32(n)), ScalingType: new("UNIFORM_SCALING")})
		s.must(err)
		st := s.look("s")
		if len(st.opened) != n {
			t.Fatalf("%d shards are open, not %d", len(st.opened), n)
		}
		starts := boundaries(n)
		for i, index := range st.opened {
			sh := st.record.Shards[index]
			if sh.First != starts[i] || i+1 < n && sh.Last != starts[i+1].previous() || i+1 == n && sh.Last != lastKey {
				t.Errorf("of %d the shard %d is from %s to %s", n, i, sh.First, sh.Last)
			}
		}
		for i, sh := range st.record.Shards {
			for _, p := range sh.Parents {
				if parent := st.record.Shards[p]; parent.open() || parent.Last.less(sh.First) || sh.Last.less(parent.First) {
					t.Errorf("shard %d has the parent %d: %+v", i, p, parent)
				}
			}
		}
	}
	_, err := s.UpdateShardCount(s.ctx, &api.UpdateShardCountInput{StreamName: new("s"), TargetShardCount: new(int32(3)), ScalingType: new("UNIFORM_SCALING")})
	s.fails(err, api.LimitExceededException, "UpdateShardCount cannot scale up over double your current open shard count. Current open shard count: 1, Target shard count: 3")
}

func (s *stage) look(name string) *stream {
	s.Helper()
	var st *stream
	s.must(s.Store.View(s.ctx, func(r store.Reader) (err error) {
		st, err = s.stream(r, address{account, region, name})
		return err
	}))
	return st
}

// Records of a key stay in order over all changes of shards, if children are read after their parents.
func TestOrderOverReshards(t *testing.T) {
	s := newStage(t)
	s.make("s", 1)
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprint(i))
		s.put("s", fmt.Sprint(i))
		switch st := s.look("s"); i % 10 {
		case 3, 6:
			first := st.opened[0]
			middle := new(big.Int).Rsh(st.record.Shards[first].Last.big(), 1)
			s.must(s.split("s", shardID(first), middle.String()))
		case 9:
			s.must(s.merge("s", shardID(st.opened[0]), shardID(st.opened[1])))
		}
	}
	var got []string
	last := new(big.Int)
	for i := range s.look("s").record.Shards { // parents come before their children
		for _, r := range s.all("s", i).Records {
			n, _ := new(big.Int).SetString(*r.SequenceNumber, 10)
			if got = append(got, string(r.Data)); n.Cmp(last) <= 0 {
				t.Errorf("the sequence number %s after %s", n, last)
			}
			last = n
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("read %v", got)
	}
}
