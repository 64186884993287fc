package kinesis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/standing"
	"cirro/internal/store/pebble"
)

const (
	account = "123456789012"
	region  = "eu-west-1"
)

// stage is a service over a real store, with a clock that stands.
type stage struct {
	*testing.T
	*Service
	ctx   context.Context
	clock *standing.Clock
}

func newStage(t *testing.T, set ...func(*Deps)) *stage {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	clock := standing.At(time.Unix(1_800_000_000, 0))
	d := Deps{Store: st, Clock: clock.Now}
	for _, f := range set {
		f(&d)
	}
	s := New(d)
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	})
	return &stage{T: t, Service: s, ctx: requestContext(t.Context(), 0), clock: clock}
}

func requestContext(ctx context.Context, wait time.Duration) context.Context {
	return awsapi.WithRequest(ctx, &awsapi.Request{ID: "r", Region: region, Principal: awsapi.Principal{Account: account}, Wait: wait})
}

func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *stage) make(name string, shards int) {
	s.Helper()
	_, err := s.CreateStream(s.ctx, &api.CreateStreamInput{StreamName: &name, ShardCount: new(int32(shards))})
	s.must(err)
}

// put puts a record where a hash key of 0 belongs.
func (s *stage) put(name, data string) *api.PutRecordOutput {
	s.Helper()
	out, err := s.PutRecord(s.ctx, &api.PutRecordInput{StreamName: &name, Data: []byte(data), PartitionKey: new("k"), ExplicitHashKey: new("0")})
	s.must(err)
	return out
}

func (s *stage) iterator(name string, shard int, kind string, sequence *string) *string {
	s.Helper()
	out, err := s.GetShardIterator(s.ctx, &api.GetShardIteratorInput{StreamName: &name, ShardId: new(shardID(shard)), ShardIteratorType: &kind, StartingSequenceNumber: sequence})
	s.must(err)
	return out.ShardIterator
}

func (s *stage) get(iterator *string) *api.GetRecordsOutput {
	s.Helper()
	out, err := s.GetRecords(s.ctx, &api.GetRecordsInput{ShardIterator: iterator})
	s.must(err)
	return out
}

// all are a shard's records from the beginning.
func (s *stage) all(name string, shard int) *api.GetRecordsOutput {
	s.Helper()
	return s.get(s.iterator(name, shard, "TRIM_HORIZON", nil))
}

func (s *stage) are(out *api.GetRecordsOutput, want ...string) {
	s.Helper()
	var got []string
	for _, r := range out.Records {
		got = append(got, string(r.Data))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.Fatalf("read %q, not %q", got, want)
	}
}

func (s *stage) list(name string, f *api.ShardFilter) (ids []int) {
	s.Helper()
	out, err := s.ListShards(s.ctx, &api.ListShardsInput{StreamName: &name, ShardFilter: f})
	s.must(err)
	for _, sh := range out.Shards {
		i, _ := shardIndex(*sh.ShardId)
		ids = append(ids, i)
	}
	return ids
}

// fails says that an error has a type and a message.
func (s *stage) fails(err error, want *awsapi.ErrorType, message string) {
	s.Helper()
	var e *awsapi.Error
	if !errors.As(err, &e) || !errors.Is(err, want) || !strings.Contains(e.Message, message) {
		s.Errorf("%v\nis not %s: %s", err, want.Code, message)
	}
}
