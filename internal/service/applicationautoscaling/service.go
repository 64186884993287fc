package applicationautoscaling

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/applicationautoscaling"
	"cirro/internal/store"
)

// Meter says how much of the concurrency kept ready for a version or an alias is in use.
type Meter interface {
	// ProvisionedUtilization returns two numbers that only ever grow: the sum of all samples, each from
	// 0 to 1, and how many they are. Without an invocation there is no new sample.
	ProvisionedUtilization(account, region, function, qualifier string) (sum float64, samples uint64)
}

// Deps are what the service is made of. Clock and Log may be nil.
type Deps struct {
	Store  store.Store
	Caller awsapi.Caller
	Meter  Meter
	Clock  func() time.Time
	Log    *slog.Logger
	// Period is the time between two points of a metric; 0 for CloudWatch's minute. Cooldowns are
	// scaled with it.
	Period time.Duration
}

// Service is Application Auto Scaling. Start makes it work in the background, Close stops that.
type Service struct {
	api.Unimplemented
	Deps

	wake      chan struct{}    // something changed
	nextPoint time.Time        // when the metrics are read next; the worker's own
	read      map[string]meter // by the key of a policy, as it was read last; the worker's own

	ctx  context.Context
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
	if d.Period <= 0 {
		d.Period = time.Minute
	}
	s := &Service{Deps: d, wake: make(chan struct{}, 1), read: map[string]meter{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Start begins to scale, and with what became due while nothing ran. It ends with ctx or at Close.
func (s *Service) Start(ctx context.Context) {
	context.AfterFunc(ctx, s.stop)
	s.done.Go(s.work)
}

// Close stops the work in the background and waits for its end.
func (s *Service) Close() error {
	s.stop()
	s.done.Wait()
	return nil
}

// work takes turn after turn, each when there is something to do.
func (s *Service) work() {
	for s.ctx.Err() == nil {
		next := s.turn(s.ctx)
		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(max(0, next.Sub(s.Clock())))
		}
		select {
		case <-due:
		case <-s.wake:
		case <-s.ctx.Done():
		}
	}
}

// soon lets the work look at what changed.
func (s *Service) soon() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// scaled is a time as Period has it, where AWS's period is a minute.
func (s *Service) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * float64(s.Period) / float64(time.Minute))
}

func invalid(format string, args ...any) error { return api.ValidationException.New(format, args...) }
