package kinesis

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
const (
	maxRecords = 10000
	maxRead    = 10 << 20 // bytes of a GetRecords
)

// GetRecords reads a shard from an iterator on.
func (s *Service) GetRecords(ctx context.Context, in *api.GetRecordsInput) (*api.GetRecordsOutput, error) {
	it, ok := parseIterator(*in.ShardIterator)
	if !ok {
		return nil, api.InvalidArgumentException.New("Invalid ShardIterator.")
	}
	if err := s.checkAge(it); err != nil {
		return nil, err
	}
	limit := maxRecords
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	a := s.addressOf(ctx, in.StreamARN)
	a.name = it.name
	read := func() (b batch, st *stream, err error) {
		err = s.Store.View(ctx, func(r store.Reader) (err error) {
			if st, err = s.streamOfIterator(r, a, it); err != nil {
				return err
			}
			b, err = s.read(r, st, it.shard, it.after, limit)
			return err
		})
		return b, st, err
	}
	b, st, err := read()
	if err == nil && len(b.entries) == 0 && !b.ended && s.await(ctx, st, it.shard, &b, awsapi.RequestOf(ctx).Wait) {
		b, st, err = read()
	}
	if err != nil {
		return nil, err
	}
	if awsapi.Val(in.DryRun) {
		return nil, dryRun()
	}
	out := &api.GetRecordsOutput{Records: st.show(it.shard, b.entries), MillisBehindLatest: new(b.behind.Milliseconds())}
	if b.ended {
		out.ChildShards = b.children
		return out, nil
	}
	it.after, it.made = b.after, s.Clock()
	out.NextShardIterator = new(it.String())
	return out, nil
}

// checkAge refuses an iterator that is too old.
func (s *Service) checkAge(it iterator) error {
	now := s.Clock()
	if now.Sub(it.made) <= iteratorLife {
		return nil
	}
	return api.ExpiredIteratorException.New("Iterator expired. The iterator was created at time %s while right now it is %s which is further in the future than the tolerated delay of %d milliseconds.",
		it.made.UTC().Format(time.UnixDate), now.UTC().Format(time.UnixDate), iteratorLife.Milliseconds())
}

// addressOf is the account and the region that a request's stream is in.
func (s *Service) addressOf(ctx context.Context, arn *string) address {
	if arn != nil {
		if a, ok := streamOf(*arn); ok {
			return a
		}
	}
	r := awsapi.RequestOf(ctx)
	return address{account: r.Account(), region: r.Region}
}

// streamOfIterator finds the stream that an iterator was made for; not one that has its name by now.
func (s *Service) streamOfIterator(r store.Reader, a address, it iterator) (*stream, error) {
	st, err := s.stream(r, a)
	if err == nil && (st.record.ID != it.stream || it.shard >= len(st.record.Shards)) {
		err = a.notFound()
	}
	if isMissing(err) {
		err = api.ResourceNotFoundException.New("Shard %s in stream %s under account %s does not exist", shardID(it.shard), a.name, a.account)
	}
	return st, err
}

// await waits for a record after what was read, or for a change of the stream's shards, which may end this one. It says
// whether there may be something.
func (s *Service) await(ctx context.Context, st *stream, shard int, b *batch, wait time.Duration) bool {
	if wait <= 0 {
		return false
	}
	waiting, stop := context.WithTimeout(ctx, wait)
	defer stop()
	defer context.AfterFunc(s.reads, stop)()
	var changed atomic.Bool
	var done sync.WaitGroup
	done.Go(func() {
		if s.Store.Await(waiting, st.reshards(), b.reshard) == nil {
			changed.Store(true)
			stop()
		}
	})
	came := s.Store.Await(waiting, st.log(shard), b.after) == nil
	stop()
	done.Wait()
	return came || changed.Load()
}

// batch is what was read of a shard.
type batch struct {
	entries  []entry
	after    int64            // the number to read on after
	behind   time.Duration    // how far the reader is behind the newest record
	ended    bool             // the shard is closed, and all was read
	children []api.ChildShard // of a shard that ended
	reshard  int64            // the number of the last change of shards, where there were no records
}

// read reads a shard's records after a number, as far as they are not too old.
func (s *Service) read(r store.Reader, st *stream, shard int, after int64, limit int) (b batch, err error) {
	log, now := st.log(shard), s.Clock()
	if _, at, err := nextAfter(r, log, after); err != nil {
		return b, err
	} else if horizon := now.Add(-st.retention()); !at.IsZero() && at.Before(horizon) {
		old, err := lastBefore(r, log, horizon)
		if err != nil {
			return b, err
		}
		after = max(after, old)
	}
	b.after = after
	if err := b.fill(r, log, limit); err != nil {
		return b, err
	}
	next, at, err := nextAfter(r, log, b.after)
	if err != nil {
		return b, err
	}
	if next > 0 {
		b.behind = max(0, now.Sub(at))
		return b, nil
	}
	if len(b.entries) == 0 {
		if b.reshard, err = lastNumber(r, st.reshards()); err != nil {
			return b, err
		}
	}
	if b.ended = !st.record.Shards[shard].open(); b.ended {
		b.children = st.children(shard)
	}
	return b, nil
}

// fill reads records, as many as fit into an answer.
func (b *batch) fill(r store.Reader, log []byte, limit int) error {
	over := below(log)
	over.Start, over.Limit = store.AppendKey(log[:len(log):len(log)], b.after+1), limit
	size := 0
	for kv, err := range r.Range(over) {
		if err != nil {
			return err
		}
		e, err := decodeEntry(kv.Value)
		if err != nil {
			return err
		}
		if size += e.size(); size > maxRead && len(b.entries) > 0 {
			return nil
		}
		e.number = store.Appended(kv.Key)
		b.after = e.number
		b.entries = append(b.entries, e)
	}
	return nil
}

// children are the shards that follow a closed one.
func (st *stream) children(parent int) []api.ChildShard {
	var out []api.ChildShard
	for i := range st.record.Shards {
		sh := &st.record.Shards[i]
		for _, p := range sh.Parents {
			if p != parent {
				continue
			}
			child := api.ChildShard{ShardId: new(shardID(i)), HashKeyRange: sh.hashRange()}
			for _, p := range sh.Parents {
				child.ParentShards = append(child.ParentShards, shardID(p))
			}
			out = append(out, child)
		}
	}
	return out
}

// show are records as clients see them.
func (st *stream) show(shard int, entries []entry) []api.Record {
	out := make([]api.Record, len(entries))
	for i := range entries {
		e := &entries[i]
		out[i] = api.Record{SequenceNumber: new(st.sequence(shard, e.number)), ApproximateArrivalTimestamp: new(e.at.UTC()),
			Data: e.data, PartitionKey: &e.key, EncryptionType: st.encryption()}
	}
	return out
}
