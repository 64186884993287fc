package sqs

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/courier"
	"cirro/internal/store"
)

// Deps are what the service is made of. Clock and Log may be nil.
type Deps struct {
	Store  store.Store
	Caller awsapi.Caller
	Clock  func() time.Time
	Log    *slog.Logger
	// Strict keeps AWS's pauses: a queue's name is free again a minute after its deletion, and a queue can be
	// purged once a minute.
	Strict bool
}

// Service is Amazon SQS. Start makes it work in the background, Close stops that.
type Service struct {
	api.Unimplemented
	Deps

	known       sync.Map // address to *queue, as last read
	maxInFlight int

	ctx      context.Context // of all work in the background
	stop     func()
	done     sync.WaitGroup
	polls    context.Context // of the receivers that wait
	endPolls func()
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
	s := &Service{Deps: d, maxInFlight: maxInFlight}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.polls, s.endPolls = context.WithCancel(context.Background())
	return s
}

// Start takes up the work that a stop left over, and goes on in the background until ctx ends or Close is
// called.
func (s *Service) Start(ctx context.Context) {
	context.AfterFunc(ctx, s.stop)
	moves := courier.Courier{Store: s.Store, Queue: moveTasks, AtOnce: movesAtOnce, Handle: s.carryOut, Log: s.Log}
	s.done.Go(func() { moves.Run(s.ctx) })
}

// EndPolls answers the receivers that wait for messages, and those to come, with what there is.
func (s *Service) EndPolls() { s.endPolls() }

// Close stops the work in the background and waits for its end.
func (s *Service) Close() error {
	s.endPolls()
	s.stop()
	s.done.Wait()
	return nil
}
