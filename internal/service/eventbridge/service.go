package eventbridge

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"cirro/internal/alarm"
	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	"cirro/internal/courier"
	"cirro/internal/store"
	"cirro/internal/target"
)

// Deps are what the service is made of. Clock and Log may be nil.
type Deps struct {
	Store  store.Store
	Caller awsapi.Caller
	Clock  func() time.Time
	// RetryScale scales the time between the attempts of a delivery, and the age after which it is given up;
	// 0 for 1.
	RetryScale float64
	// HTTP calls API destinations and the servers that authorize to call them; nil for a client of its own.
	HTTP *http.Client
	Log  *slog.Logger
}

// Service is Amazon EventBridge. Start makes it work in the background, Close stops that.
type Service struct {
	api.Unimplemented
	Deps

	books  bookshelf
	sender target.Sender
	alarms *alarm.Alarms // of rules with schedules
	tokens tokens
	rates  rates

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
	if d.HTTP == nil {
		d.HTTP = newClient()
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	s := &Service{Deps: d, sender: target.Sender{Caller: d.Caller, Clock: d.Clock}}
	s.alarms = (&alarm.Alarms{Store: d.Store, Owner: "events", Clock: d.Clock, Ring: s.ring, Log: d.Log}).Init()
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// The queues, and how many of their messages are under way at a time.
const (
	freshQueue      = "events/fresh"      // events that matched, with the rules that they matched
	retryQueue      = "events/retries"    // an event for one target that failed
	httpQueue       = "events/http"       // an event for one API destination
	deadLetterQueue = "events/deadletter" // what was given up, on its way to a queue
	replayQueue     = "events/replays"
	authorizeQueue  = "events/authorize" // connections to be authorized

	freshAtOnce = 64
	httpAtOnce  = 128 // a slow one shall not hold up others
	otherAtOnce = 16
)

// Start takes up the work that a stop left over, and goes on in the background until ctx ends or Close is
// called.
func (s *Service) Start(ctx context.Context) {
	context.AfterFunc(ctx, s.stop)
	for queue, handle := range map[string]func(context.Context, store.Message) courier.Verdict{
		freshQueue: s.deliverFresh, retryQueue: s.deliverAgain, httpQueue: s.deliverHTTP, deadLetterQueue: s.deliverDead,
		replayQueue: s.replay, authorizeQueue: s.authorize,
	} {
		c := courier.Courier{Store: s.Store, Queue: queue, AtOnce: otherAtOnce, Handle: handle, Log: s.Log}
		switch queue {
		case freshQueue:
			c.AtOnce = freshAtOnce
		case httpQueue:
			c.AtOnce = httpAtOnce
		}
		s.done.Go(func() { c.Run(s.ctx) })
	}
	s.done.Go(func() { s.alarms.Run(s.ctx) })
	s.done.Go(func() { s.expire(s.ctx) })
}

// Close stops the work in the background and waits for its end.
func (s *Service) Close() error {
	s.stop()
	s.done.Wait()
	return nil
}
