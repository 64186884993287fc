package logs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cirro/internal/awsapi"
	logsapi "cirro/internal/awsapi/logs"
	"cirro/internal/store"
)

// Service is CloudWatch Logs. Operations that it does not have answer NotImplemented.
type Service struct {
	logsapi.Unimplemented

	store  store.Store
	caller awsapi.Caller
	now    func() time.Time
	log    *slog.Logger

	sweepEvery time.Duration
	tailEvery  time.Duration

	lanes    lanes
	tails    tails
	patterns patterns

	stop    context.CancelFunc
	running sync.WaitGroup
}

// Deps are what a Service is made of. Store and Caller are needed, the rest has defaults.
type Deps struct {
	Store  store.Store
	Caller awsapi.Caller // invokes the functions that subscribe
	Log    *slog.Logger

	Now        func() time.Time // the clock
	SweepEvery time.Duration    // how often expired events are deleted; 0 for ten minutes
	TailEvery  time.Duration    // how often a live tail sends; 0 for one second, as AWS does
}

// New makes a Service. Start it for retention and subscriptions.
func New(d Deps) (*Service, error) {
	s := &Service{
		store: d.Store, caller: d.Caller, now: d.Now, log: d.Log,
		sweepEvery: d.SweepEvery, tailEvery: d.TailEvery,
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.sweepEvery == 0 {
		s.sweepEvery = 10 * time.Minute
	}
	if s.tailEvery == 0 {
		s.tailEvery = time.Second
	}
	return s, nil
}

// Start begins the work in the background: deliveries to subscriptions, and the deletion of what is
// past its retention. It ends with ctx or Close.
func (s *Service) Start(ctx context.Context) {
	ctx, s.stop = context.WithCancel(ctx)
	s.running.Go(func() { s.sweepForever(ctx) })
	for range deliverers {
		s.running.Go(func() { s.deliverForever(ctx) })
	}
}

// EndTails ends the live tails and lets none begin, so that a server can shut down without waiting for
// them.
func (s *Service) EndTails() { s.tails.close() }

// Close ends the work in the background and the live tails. The store stays open.
func (s *Service) Close() error {
	s.EndTails()
	if s.stop != nil {
		s.stop()
	}
	s.running.Wait()
	return nil
}

// millis is the clock's time as AWS counts it.
func (s *Service) millis() int64 { return s.now().UnixMilli() }
