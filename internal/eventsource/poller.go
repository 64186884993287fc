package eventsource

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/courier"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// Deps are what a Poller works with. Clock and Log may be nil.
type Deps struct {
	Store  store.Store
	Caller awsapi.Caller
	Clock  func() time.Time
	Log    *slog.Logger
	// Scale is of the delays between attempts; 0 for 1.
	Scale float64
}

// maxBytes is how many bytes of records a batch has at most: Lambda's payload, less what is around them.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html#invocation-eventsourcemapping-batching
const maxBytes = 6<<20 - 1<<10

// longestPoll is how long one read waits for a record.
const longestPoll = 20 * time.Second

// Poller polls one source.
type Poller struct {
	Deps
	source  Source
	place   Place
	process string // unlike that of any other poller
	handler Handler

	started chan struct{}
	once    sync.Once
	stop    chan struct{}
	ended   sync.Once
	result  struct {
		sync.Mutex
		last string
	}
}

// New makes a poller of a source.
func New(d Deps, s Source, h Handler) (*Poller, error) {
	place, err := Locate(s.ARN)
	if err != nil {
		return nil, err
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	if d.Scale == 0 {
		d.Scale = 1
	}
	s.BatchSize, s.Stream.Parallel = max(1, s.BatchSize), max(1, s.Stream.Parallel)
	return &Poller{Deps: d, source: s, place: place, process: uuid.NewString(), handler: h,
		started: make(chan struct{}), stop: make(chan struct{})}, nil
}

// Run polls until Stop is called or ctx ends, and all that was handed out is handled. Where ctx ends, handlers
// are broken off. Of several processes that share the store and poll the same source, one does so at a time.
func (p *Poller) Run(ctx context.Context) {
	polling, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.stop:
			cancel()
		case <-polling.Done():
		}
	}()
	if !shared(p.Store) {
		p.poll(polling, ctx)
		return
	}
	p.own(polling, func(owned context.Context) { p.poll(owned, ctx) })
}

// poll polls until polling ends; work is what batches are handled under.
func (p *Poller) poll(polling, work context.Context) {
	if p.place.Kind == SQS {
		newQueue(p).run(polling, work)
		return
	}
	newStream(p).run(polling, work)
}

// Started is closed when the poller has taken its positions: it misses nothing that comes after. It is closed, too,
// where the source cannot be read for a while.
func (p *Poller) Started() <-chan struct{} { return p.started }

// Stop has Run read no more and return once what it read is handled.
func (p *Poller) Stop() { p.ended.Do(func() { close(p.stop) }) }

// begun says that positions are taken.
func (p *Poller) begun() { p.once.Do(func() { close(p.started) }) }

// report tells the handler a result, where it is news.
func (p *Poller) report(result string) {
	p.result.Lock()
	defer p.result.Unlock()
	if p.result.last != result {
		p.result.last = result
		p.handler.Report(result)
	}
}

// problem reports an error of a read.
func (p *Poller) problem(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	reason := err.Error()
	var e *awsapi.Error
	if errors.As(err, &e) {
		reason = e.Message
	}
	p.Log.Warn("eventsource: a source cannot be read", "source", p.source.ARN, "error", err)
	p.report("PROBLEM: " + reason)
}

// settled reports what came of a batch.
func (p *Poller) settled(o *Outcome) {
	switch {
	case o.NotRun:
		p.report("PROBLEM: Function call could not be made")
	case o.Err != nil:
		p.report("PROBLEM: Function call failed")
	default:
		p.report(ResultOK)
	}
}

// How long to wait after an error: of a read, and of the handler.
var (
	readBackoff  = courier.Backoff{Shortest: time.Second, Longest: 30 * time.Second}
	retryBackoff = courier.Backoff{Shortest: 200 * time.Millisecond, Longest: 30 * time.Second}
	// holdBackoff is that of what could not be tried for want of room, which may be there again any moment.
	holdBackoff = courier.Backoff{Shortest: 10 * time.Millisecond, Longest: 5 * time.Second}
)

// pause waits out a backoff, or until ctx ends.
func (p *Poller) pause(ctx context.Context, b courier.Backoff, attempts int) {
	sleep(ctx, time.Duration(float64(b.After(attempts))*p.Scale))
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// call calls an operation as the source's principal. Reads of streams may wait so long for a record.
func call[Out any](ctx context.Context, p *Poller, service, operation string, in any, wait time.Duration) (*Out, error) {
	ctx = awsapi.WithRequest(ctx, &awsapi.Request{ID: uuid.NewString(), Region: p.place.Region, Principal: p.source.Principal,
		Time: p.Clock(), Wait: wait})
	out, err := p.Caller.Call(ctx, p.source.Principal, service, operation, in)
	if err != nil {
		return nil, err
	}
	typed, ok := out.(*Out)
	if !ok || typed == nil {
		return new(Out), nil
	}
	return typed, nil
}
