package pipes

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/pipes"
	"cirro/internal/courier"
	"cirro/internal/store"
	"cirro/internal/target"
)

// Deps are what the service is made of. Clock and Log may be nil.
type Deps struct {
	Store      store.Store
	Caller     awsapi.Caller
	RetryScale float64 // of the delays between attempts; 0 for 1
	Clock      func() time.Time
	Log        *slog.Logger
}

// Service is Amazon EventBridge Pipes. Start makes it work in the background, Close stops that.
type Service struct {
	api.Unimplemented
	Deps

	sender target.Sender
	runs   runs

	ctx    context.Context // of all work in the background
	stop   func()
	mu     sync.Mutex
	closed bool
	done   sync.WaitGroup
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
	if d.RetryScale == 0 {
		d.RetryScale = 1
	}
	s := &Service{Deps: d, sender: target.Sender{Caller: d.Caller, Clock: d.Clock},
		runs: runs{turns: map[ref]*sync.Mutex{}, of: map[ref]*run{}}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// background does work until the service closes.
func (s *Service) background(work func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.done.Go(work)
	}
}

// Start takes up the pipes that a stop left running, and goes on in the background until ctx ends or Close is
// called.
func (s *Service) Start(ctx context.Context) {
	context.AfterFunc(ctx, s.stop)
	letters := courier.Courier{Store: s.Store, Queue: deadLetterQueue, AtOnce: deadLettersAtOnce, Handle: s.sendDeadLetter, Log: s.Log}
	s.background(func() { letters.Run(s.ctx) })
	s.background(func() {
		defer store.Watch(s.Store, store.Key("pipes", "pipe"), s.changed)()
		s.followAll()
		<-s.ctx.Done()
	})
}

// Close stops the work in the background and waits for its end.
func (s *Service) Close() error {
	s.stop()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.done.Wait()
	return nil
}
