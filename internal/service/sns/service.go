package sns

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sns"
	"cirro/internal/store"

	"golang.org/x/time/rate"
)

// Deps are what the service is made of. Clock and Log may be nil.
type Deps struct {
	Store  store.Store
	Caller awsapi.Caller
	// URL is the platform's address in links for subscribers; "" for the one that each subscriber used.
	URL        string
	RetryScale float64 // of the delays between attempts to deliver; 0 for 1
	Clock      func() time.Time
	Log        *slog.Logger
}

// Service is Amazon SNS. Start makes it work in the background, Close stops that. It is also the HTTP handler of
// the links in messages.
type Service struct {
	api.Unimplemented
	Deps

	authority authority
	orders    orders
	rosters   rosters
	lanes     lanes
	paces     paces
	client    *http.Client

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
	if d.RetryScale == 0 {
		d.RetryScale = 1
	}
	s := &Service{Deps: d,
		authority: authority{store: d.Store, base: d.URL},
		orders:    orders{seed: maphash.MakeSeed()},
		rosters:   rosters{of: map[topicRef]roster{}},
		lanes:     lanes{open: map[lane][]*parcel{}},
		paces:     paces{of: map[subscriptionRef]*rate.Limiter{}},
		client:    newHTTPClient(),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Start takes up the work that a stop left over, and goes on in the background until ctx ends or Close is
// called.
func (s *Service) Start(ctx context.Context) {
	context.AfterFunc(ctx, s.stop)
	s.carry()
	s.done.Go(s.sweep)
}

// sweep forgets from time to time what is no longer needed.
func (s *Service) sweep() {
	every := time.NewTicker(dedupWindow)
	defer every.Stop()
	for {
		err := errors.Join(s.Store.Update(s.ctx, func(tx store.Tx) error { return s.forget(tx, s.Clock()) }), s.expireTokens(s.ctx))
		if err != nil && s.ctx.Err() == nil {
			s.Log.Error("sns: sweep", "error", err)
		}
		select {
		case <-every.C:
		case <-s.ctx.Done():
			return
		}
	}
}

// Close stops the work in the background and waits for its end.
func (s *Service) Close() error {
	s.stop()
	s.done.Wait()
	return nil
}
