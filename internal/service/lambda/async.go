package lambda

import (
	"context"
	"errors"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/courier"
	"cirro/internal/sandbox"
	"cirro/internal/store"
)

// eventQueue is the queue that asynchronous invocations wait in.
const eventQueue = "lambda/events"

// How asynchronous invocations are retried. Delays after a function's own errors come from AWS's
// documentation, as do those after throttling and errors of the platform, which double from the
// shortest to the longest until the event is too old.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
const (
	defaultRetries  = 2
	defaultMaxAge   = 6 * time.Hour
	firstRetry      = time.Minute
	laterRetry      = 2 * time.Minute
	shortestBackoff = time.Second
	longestBackoff  = 5 * time.Minute
)

// How long an event whose function has no room is held, not put back, and how many of one function
// are: they run as soon as an invocation ends, where the queue would let them wait for their backoff.
const (
	holdFor      = 10 * time.Second
	holdAtMost   = 64
	shortestHold = 2 * time.Millisecond
	longestHold  = 100 * time.Millisecond
)

// enqueue takes an event for a function. It is durable when enqueue returns.
func (s *Service) enqueue(ctx context.Context, r *route, payload []byte) error {
	req := awsapi.RequestOf(ctx)
	body := (&event{
		RequestID: req.ID,
		scope:     r.scope,
		Function:  r.Name,
		Qualifier: r.Qualifier,
		TraceID:   r.trace(s.Clock(), req.TraceID),
		Accepted:  s.Clock(),
		Payload:   payload,
	}).encode()
	return s.Store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		_, err := tx.Enqueue(eventQueue, store.NewMessage{Body: body})
		return err
	})
}

// runEvents runs what is in the queue until ctx ends. As many are under way at once as an account may
// have; the rest wait in the queue.
func (s *Service) runEvents(ctx context.Context) {
	s.carry(ctx, eventQueue, s.Concurrency, s.runEvent)
}

// carry has a queue's messages handled, at most so many at once, until ctx ends and all are.
func (s *Service) carry(ctx context.Context, queue string, atOnce int, handle func(context.Context, store.Message) courier.Verdict) {
	c := courier.Courier{Store: s.Store, Queue: queue, AtOnce: atOnce, Handle: handle, Log: s.Log}
	c.Run(ctx)
}

// runEvent makes one attempt to run a message's event and says what becomes of it.
func (s *Service) runEvent(ctx context.Context, m store.Message) courier.Verdict {
	ev, err := decodeEvent(m.Body)
	if err != nil {
		s.Log.Error("lambda: an event cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	return s.attempt(ctx, ev, m.Deliveries).settled()
}

// verdict says what becomes of a message: it goes back to the queue, or is replaced by an event to
// attempt again and by deliveries of its outcome. Without any it is done with.
type verdict struct {
	back       bool
	after      time.Duration // of back and retry
	retry      *event
	deliveries []delivery
}

// settled is the verdict as the courier carries it out.
func (v verdict) settled() courier.Verdict {
	if v.back {
		return courier.Again(v.after)
	}
	return courier.Verdict{Then: func(tx store.Tx) error {
		if v.retry != nil {
			if _, err := tx.Enqueue(eventQueue, store.NewMessage{Body: v.retry.encode(), Delay: v.after}); err != nil {
				return err
			}
		}
		for _, d := range v.deliveries {
			if _, err := tx.Enqueue(deliveryQueue, store.NewMessage{Body: d.encode()}); err != nil {
				return err
			}
		}
		return nil
	}}
}

// attempt runs an event once, if it may run now.
func (s *Service) attempt(ctx context.Context, ev *event, deliveries int) verdict {
	r, err := s.route(ctx, ev.scope, ev.Function, ev.Qualifier)
	if errors.Is(err, api.ResourceNotFoundException) {
		s.Log.Warn("lambda: an event's function is gone", "function", ev.Function, "request", ev.RequestID)
		return verdict{}
	}
	if err != nil {
		return s.later(ctx, deliveries, err)
	}
	if r.limits.off {
		return s.conclude(r, ev, endedOff)
	}
	if r.looping(ev.TraceID) {
		return s.conclude(r, ev, endedRecursive)
	}
	if s.Clock().Sub(ev.Accepted) >= r.events.maxAge() {
		return s.conclude(r, ev, endedTooOld)
	}
	e, res, err := s.runSoon(ctx, ev)
	if err != nil {
		v := s.later(ctx, deliveries, err)
		if s.Clock().Add(v.after).Sub(ev.Accepted) >= r.events.maxAge() {
			v.after = max(0, ev.Accepted.Add(r.events.maxAge()).Sub(s.Clock()))
		}
		return v
	}
	ev.Attempts++
	ev.Version, ev.FunctionError, ev.Response = e.Number, res.FunctionError, res.Payload
	if res.FunctionError == "" {
		return s.conclude(r, ev, endedWell)
	}
	if ev.Attempts > r.events.retries() {
		return s.conclude(r, ev, endedExhausted)
	}
	delay := s.retryDelay(ev.Attempts)
	if s.Clock().Add(delay).Sub(ev.Accepted) >= r.events.maxAge() {
		return s.conclude(r, ev, endedTooOld)
	}
	return verdict{retry: ev, after: delay}
}

// runSoon runs an event by the function as it is now. If that has no room it waits for some a while,
// unless many do.
func (s *Service) runSoon(ctx context.Context, ev *event) (*executable, *sandbox.Result, error) {
	until, pause, held := s.Clock().Add(holdFor), shortestHold, false
	for {
		r, err := s.route(ctx, ev.scope, ev.Function, ev.Qualifier)
		if err != nil {
			return nil, nil, err
		}
		e := r.pick()
		res, err := s.run(ctx, r, e, &sandbox.Invocation{
			RequestID: ev.RequestID, InvokedARN: r.invokedARN, Payload: ev.Payload, TraceID: ev.TraceID})
		if !errors.Is(err, api.TooManyRequestsException) || ctx.Err() != nil || s.Clock().After(until) {
			return e, res, err
		}
		if !held {
			if !r.load.waiting.take(holdAtMost) {
				return nil, nil, err
			}
			held = true
			defer r.load.waiting.Add(-1)
		}
		sleep(ctx, pause)
		pause = min(2*pause, longestHold)
	}
}

// later puts an event back that could not run through no fault of its function.
func (s *Service) later(ctx context.Context, deliveries int, cause error) verdict {
	if ctx.Err() != nil {
		return verdict{back: true} // the service is closing: whoever comes next takes it up at once
	}
	if !errors.Is(cause, api.TooManyRequestsException) {
		s.Log.Warn("lambda: an event waits", "error", cause)
	}
	return verdict{back: true, after: s.backoff(deliveries)}
}

// retryDelay is the time between an attempt that failed and the next.
func (s *Service) retryDelay(attempts int) time.Duration {
	if attempts == 1 {
		return s.scaled(firstRetry)
	}
	return s.scaled(laterRetry)
}

// backoff is the time between an attempt that could not be made and the next.
func (s *Service) backoff(attempts int) time.Duration {
	d := courier.Backoff{Shortest: shortestBackoff, Longest: longestBackoff}.After(attempts)
	return time.Duration(float64(d) * s.RetryScale)
}

// scaled is a delay as RetryScale has it, give or take a tenth, so that what failed together does not
// come back together.
func (s *Service) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(courier.Jitter(d)) * s.RetryScale)
}

// maxAge is how old an event may get before it is given up.
func (c *eventInvoke) maxAge() time.Duration {
	if c.MaxAge == nil {
		return defaultMaxAge
	}
	return time.Duration(*c.MaxAge) * time.Second
}

// retries is how often an event is attempted again after its function failed.
func (c *eventInvoke) retries() int {
	if c.MaxRetries == nil {
		return defaultRetries
	}
	return *c.MaxRetries
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
