package s3

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/blob"
	"cirro/internal/store"
)

// Deps are what the service is made of. Clock and Log may be nil.
type Deps struct {
	Store  store.Store
	Blobs  blob.Store
	Caller awsapi.Caller
	Clock  func() time.Time
	Log    *slog.Logger
	Shared bool // the store is used by other processes, too
}

// Service is Amazon S3. Start makes it work in the background, Close stops that.
type Service struct {
	api.Unimplemented
	Deps

	memo     memo
	uploads  registry // bodies on their way to the blob store
	reads    reads    // bodies in parts that are read
	settings settings

	ctx  context.Context // of all work in the background
	stop func()
	done sync.WaitGroup
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
	return s
}

// Start takes up the work that a stop left over, and goes on in the background until ctx ends or Close is
// called.
func (s *Service) Start(ctx context.Context) {
	context.AfterFunc(ctx, s.stop)
	s.done.Go(func() { s.sweepOn(s.ctx) })
	s.done.Go(func() { s.reaper().Run(s.ctx) })
	s.done.Go(func() { s.deliverNotices(s.ctx) })
	s.done.Go(func() { s.makeVisits(s.ctx) })
}

// Close stops the work in the background and waits for its end.
func (s *Service) Close() error {
	s.stop()
	s.done.Wait()
	return nil
}
