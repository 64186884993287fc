package scheduler

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"cirro/internal/alarm"
	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/scheduler"
	"cirro/internal/courier"
	"cirro/internal/store"
	"cirro/internal/target"
)

// Deps are what the service is made of. Clock and Log may be nil.
type Deps struct {
	Store  store.Store
	Caller awsapi.Caller
	Clock  func() time.Time
	// RetryScale scales the time between the attempts of an invocation, and the age after which it is given up;
	// 0 for 1.
	RetryScale float64
	Log        *slog.Logger
}

// Service is Amazon EventBridge Scheduler. Start makes it work in the background, Close stops that.
type Service struct {
	api.Unimplemented
	Deps

	alarms *alarm.Alarms
	sender target.Sender
	draw   func(time.Duration) time.Duration // a random part of a flexible window

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
	if d.RetryScale == 0 {
		d.RetryScale = 1
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	s := &Service{Deps: d, sender: target.Sender{Caller: d.Caller, Clock: d.Clock}, draw: func(w time.Duration) time.Duration { return rand.N(w) }}
	s.alarms = (&alarm.Alarms{Store: d.Store, Owner: "scheduler", Clock: d.Clock, Ring: s.ring, Log: d.Log}).Init()
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// The queues, and how many of their messages are under way at a time.
const (
	invocationQueue = "scheduler/invocations"
	deadLetterQueue = "scheduler/deadletters"
	groupQueue      = "scheduler/groups" // groups that are being deleted

	invocationsAtOnce = 64
	otherAtOnce       = 8
)

// Start takes up the work that a stop left over, and goes on in the background until ctx ends or Close is
// called.
func (s *Service) Start(ctx context.Context) {
	context.AfterFunc(ctx, s.stop)
	for _, c := range []courier.Courier{
		{Queue: invocationQueue, AtOnce: invocationsAtOnce, Handle: s.invoke},
		{Queue: deadLetterQueue, AtOnce: otherAtOnce, Handle: s.deliverDead},
		{Queue: groupQueue, AtOnce: otherAtOnce, Handle: s.deleteGroup},
	} {
		c.Store, c.Log = s.Store, s.Log
		s.done.Go(func() { c.Run(s.ctx) })
	}
	s.done.Go(func() { s.alarms.Run(s.ctx) })
}

// Close stops the work in the background and waits for its end.
func (s *Service) Close() error {
	s.stop()
	s.done.Wait()
	return nil
}
