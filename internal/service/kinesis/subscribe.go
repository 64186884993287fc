package kinesis

import (
	"context"
	"errors"
	"sync"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

// Of a subscription.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
const (
	subscriptionLife = 5 * time.Minute
	takeOver         = 5 * time.Second // before which a consumer cannot subscribe to a shard again
	heartbeat        = 5 * time.Second // between events where there are no records
	eventRecords     = 1000
)

// subscriptions are those under way: a consumer has one to each shard.
type subscriptions struct {
	mu   sync.Mutex
	open map[subscription]*subscribed
}

type subscription struct {
	consumer string // ARN
	shard    int
}

type subscribed struct {
	began time.Time
	end   context.CancelFunc
}

// begin enters a subscription. One that is older ends; one that is young stays, and there is no other.
func (l *subscriptions) begin(of subscription, now time.Time, end context.CancelFunc) (*subscribed, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = make(map[subscription]*subscribed)
	}
	if last := l.open[of]; last != nil {
		if now.Sub(last.began) < takeOver {
			return nil, api.ResourceInUseException.New("Another active subscription exists for this consumer: %s and shard: %s.", of.consumer, shardID(of.shard))
		}
		last.end()
	}
	mine := &subscribed{began: now, end: end}
	l.open[of] = mine
	return mine, nil
}

func (l *subscriptions) leave(of subscription, mine *subscribed) {
	mine.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[of] == mine {
		delete(l.open, of)
	}
}

// SubscribeToShard sends a shard's records as they come, for five minutes.
func (s *Service) SubscribeToShard(ctx context.Context, in *api.SubscribeToShardInput) (*api.SubscribeToShardOutput, error) {
	var st *stream
	var f follower
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		if st, _, err = s.consumerByARN(r, *in.ConsumerARN); err != nil {
			return err
		}
		if f.shard, err = st.shard(*in.ShardId); err != nil {
			return err
		}
		f.after, err = s.position(r, st, f.shard, in.StartingPosition, "SubscribeToShard")
		return err
	})
	if err != nil {
		return nil, err
	}
	if awsapi.Val(in.DryRun) {
		return nil, dryRun()
	}
	f.s, f.consumer = s, *in.ConsumerARN
	following, end := context.WithTimeout(ctx, subscriptionLife)
	of := subscription{f.consumer, f.shard}
	mine, err := s.subscriptions.begin(of, s.Clock(), end)
	if err != nil {
		end()
		return nil, err
	}
	return &api.SubscribeToShardOutput{EventStream: func(send func(any) error) error {
		defer s.subscriptions.leave(of, mine)
		defer context.AfterFunc(s.reads, end)()
		return f.run(following, send)
	}}, nil
}

// follower follows a shard.
type follower struct {
	s        *Service
	consumer string
	shard    int
	after    int64
}

// run sends events until the time is over, the shard ends, or the client goes.
func (f *follower) run(ctx context.Context, send func(any) error) error {
	for first := true; ctx.Err() == nil; first = false {
		b, st, err := f.read(ctx)
		if isMissing(err) {
			var e *awsapi.Error
			errors.As(err, &e)
			return send(&api.SubscribeToShardEventStream{ResourceNotFoundException: e})
		}
		if err != nil {
			return f.over(ctx, err)
		}
		if len(b.entries) == 0 && !b.ended && !first && f.s.await(ctx, st, f.shard, &b, heartbeat) {
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		f.after = b.after
		event := &api.SubscribeToShardEvent{Records: st.show(f.shard, b.entries), ContinuationSequenceNumber: new(st.sequence(f.shard, b.after)),
			MillisBehindLatest: new(b.behind.Milliseconds()), ChildShards: b.children}
		if b.ended {
			event.ContinuationSequenceNumber = nil
		}
		if err := send(&api.SubscribeToShardEventStream{SubscribeToShardEvent: event}); err != nil || b.ended {
			return err
		}
	}
	return nil
}

// over is the end of a subscription whose time is over: no error.
func (f *follower) over(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// read reads what follows, of a stream and a consumer that are still there.
func (f *follower) read(ctx context.Context) (b batch, st *stream, err error) {
	err = f.s.Store.View(ctx, func(r store.Reader) (err error) {
		if st, _, err = f.s.consumerByARN(r, f.consumer); err != nil {
			return err
		}
		b, err = f.s.read(r, st, f.shard, f.after, eventRecords)
		return err
	})
	return b, st, err
}
