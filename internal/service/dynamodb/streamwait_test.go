package dynamodb

import (
	"context"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodbstreams"
	"cirro/internal/store"
)

// watched is a store that tells when somebody begins to wait.
type watched struct {
	store.Store
	began chan struct{}
}

func (w *watched) Await(ctx context.Context, prefix []byte, after int64) error {
	close(w.began)
	return w.Store.Await(ctx, prefix, after)
}

// TestRecordsWait lets a read that finds nothing wait for a record.
func TestRecordsWait(t *testing.T) {
	b := newStreamsBench(t, 1)
	b.insert("a")
	latest := b.from(api.ShardIteratorTypeLatest)
	w := &watched{b.Store, make(chan struct{})}
	b.Streams.Store = w
	waits := *awsapi.RequestOf(b.ctx)
	waits.Wait = time.Hour
	b.ctx = awsapi.WithRequest(b.ctx, &waits)
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.reads(latest, "b")
	}()
	<-w.began
	b.insert("b")
	<-done

	b.reads(b.from(api.ShardIteratorTypeTrimHorizon), "a", "b") // does not wait
	w.began = make(chan struct{})
	waits.Wait = time.Millisecond
	out := b.reads(b.from(api.ShardIteratorTypeLatest))
	if out.NextShardIterator == nil {
		t.Error("no iterator after a wait in vain")
	}
	waits.Wait = 0
	b.reads(*out.NextShardIterator) // would close began again
}
