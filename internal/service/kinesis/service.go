package kinesis

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

// Deps are what the service is made of. Clock and Log may be nil.
type Deps struct {
	Store  store.Store
	Caller awsapi.Caller
	Clock  func() time.Time
	Log    *slog.Logger
	// Throttle enforces what a shard takes in a second: 1,000 records and 1 MiB.
	Throttle bool
}

// Service is Amazon Kinesis Data Streams. Start makes it work in the background, Close stops that.
type Service struct {
	api.Unimplemented
	Deps

	known         sync.Map // address to *stream, as last read
	throttle      throttle
	subscriptions subscriptions

	ctx      context.Context // of all work in the background
	stop     func()
	done     sync.WaitGroup
	reads    context.Context // of the readers that wait
	endReads func()
}

var _ api.API = (*Service)(nil)

// New makes the service over what the store holds.
func New(d Deps) *Service {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	s := &Service{Deps: d}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.reads, s.endReads = context.WithCancel(context.Background())
	return s
}

// Start takes up the work that a stop left over, and goes on in the background until ctx ends or Close is
// called.
func (s *Service) Start(ctx context.Context) {
	context.AfterFunc(ctx, s.stop)
	s.done.Go(s.sweep)
}

// EndReads ends subscriptions and the readers that wait for records.
func (s *Service) EndReads() { s.endReads() }

// Close stops the work in the background and waits for its end.
func (s *Service) Close() error {
	s.endReads()
	s.stop()
	s.done.Wait()
	return nil
}
