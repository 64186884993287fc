package eventbridge

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	"cirro/internal/courier"
	"cirro/internal/store"
	"cirro/internal/target"
	"cirro/internal/target/jsonpath"
)

// When a delivery is tried again. Each target may say when it is given up; these are the defaults.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html
const (
	maxRetries = 185
	maxAge     = 24 * time.Hour
	httpWait   = 10 * time.Millisecond // at least, for an API destination whose rate is exceeded
)

var backoff = courier.Backoff{Shortest: time.Second, Longest: 10 * time.Minute}

// scaled is a time between attempts as RetryScale has it.
func (s *Service) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * s.RetryScale)
}

// deliverFresh delivers an event to all targets of the rules that it matched, side by side. What fails goes on
// by itself, so that it holds up nothing else; so does what is for API destinations, which may be slow.
func (s *Service) deliverFresh(ctx context.Context, m store.Message) courier.Verdict {
	p, err := decodeParcel(m.Body)
	if err != nil {
		s.Log.Error("eventbridge: an event cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	b, err := s.read(ctx, p.Bus)
	if err != nil {
		return s.readLater(err)
	}
	var all []*attempt
	for _, name := range p.Rules {
		u := b.rules[name]
		if u == nil {
			continue // deleted since
		}
		for i := range u.Targets {
			all = append(all, &attempt{parcel: p, rule: u, target: &u.Targets[i]})
		}
	}
	s.attemptAll(ctx, all)
	if ctx.Err() != nil {
		return courier.Again(0)
	}
	return courier.Verdict{Then: func(tx store.Tx) error {
		for _, a := range all {
			if err := s.follow(tx, a); err != nil {
				return err
			}
		}
		return nil
	}}
}

// attempt is one delivery to one target.
type attempt struct {
	*parcel
	rule   *rule
	target *api.Target
	err    error
	later  time.Duration                // how long the target wants to be left alone
	then   func(store.Tx) (bool, error) // instead of a call: delivers within the store; false where it refuses
	queue  string                       // where the delivery goes on instead of being made
}

// sideBySide is how many deliveries of one event are made at a time.
const sideBySide = 32

// attemptAll makes deliveries side by side.
func (s *Service) attemptAll(ctx context.Context, all []*attempt) {
	if len(all) == 1 {
		s.attempt(ctx, all[0])
		return
	}
	var done sync.WaitGroup
	slots := make(chan struct{}, sideBySide)
	for _, a := range all {
		slots <- struct{}{}
		done.Go(func() {
			defer func() { <-slots }()
			s.attempt(ctx, a)
		})
	}
	done.Wait()
}

// attempt makes a delivery, or says how it is to be made.
func (s *Service) attempt(ctx context.Context, a *attempt) {
	arn, _ := target.ParseARN(*a.target.Arn)
	switch {
	case isDestination(arn):
		a.queue = httpQueue
	case arn.Service == "events":
		a.err = s.forward(a)
	default:
		_, a.err = s.send(ctx, a)
	}
}

// send calls a target.
func (s *Service) send(ctx context.Context, a *attempt) ([]byte, error) {
	body, err := a.input()
	if err != nil {
		return nil, err
	}
	l := &target.Letter{Target: *a.target.Arn, Body: body, As: a.principal(), Region: a.Bus.Region, TraceID: a.Trace, Time: a.At}
	if q := a.target.SqsParameters; q != nil {
		l.Group = awsapi.Val(q.MessageGroupId)
	}
	if strings.HasSuffix(l.Target, ".fifo") {
		l.Dedup = a.ID
	}
	l.PartitionKey = a.partitionKey()
	return s.sender.Send(ctx, l)
}

// partitionKey is what the target's path finds in the event, or the event's id.
func (a *attempt) partitionKey() string {
	if k := a.target.KinesisParameters; k != nil {
		if path, err := jsonpath.Parse(awsapi.Val(k.PartitionKeyPath)); err == nil {
			if v, ok := path.Find(a.event); ok {
				return plain(v)
			}
		}
	}
	return a.ID
}

// principal is who calls the target: the role that the target names, or EventBridge on behalf of the rule.
func (a *attempt) principal() awsapi.Principal {
	arn := a.Bus.ruleARN(a.rule.Name)
	if role := awsapi.Val(a.target.RoleArn); role != "" {
		if r, ok := target.ParseARN(role); ok && r.Service == "iam" {
			name := role[strings.LastIndexByte(role, '/')+1:]
			return awsapi.Principal{Account: r.Account, ARN: "arn:aws:sts::" + r.Account + ":assumed-role/" + name + "/" + a.rule.Name, SourceARN: arn}
		}
	}
	return awsapi.Principal{Account: a.Bus.Account, Service: "events.amazonaws.com", SourceARN: arn}
}

// maxHops is how many buses may pass an event on.
const maxHops = 16

// forward gives an event to another bus as it is: with its id, its time and its account.
func (s *Service) forward(a *attempt) error {
	to, ok := parseBus(*a.target.Arn)
	if !ok {
		return target.Check(*a.target.Arn)
	}
	hops := append(append([]place(nil), a.Hops...), a.Bus.place)
	if len(hops) > maxHops {
		return &failure{"INVALID_PARAMETER", fmt.Sprintf("The event was passed on by %d buses.", len(hops))}
	}
	for i := 1; i < len(hops); i++ {
		switch {
		case hops[i].Account != hops[i-1].Account && to.Account != hops[i].Account:
			return &failure{"THIRD_ACCOUNT_HOP_DETECTED", "The event may not be passed on to a third account."}
		case hops[i].Region != hops[i-1].Region && to.Region != hops[i].Region:
			return &failure{"THIRD_REGION_HOP_DETECTED", "The event may not be passed on to a third Region."}
		}
	}
	next := &parcel{Bus: to, ID: a.ID, At: a.At, Time: a.Time, Trace: a.Trace, Replay: a.Replay, Hops: hops, event: a.event}
	a.then = func(tx store.Tx) (bool, error) {
		if _, found, err := store.GetRecord[bus](tx, to.key()); err != nil || !found && to.Name != defaultBus {
			return false, err
		}
		if to.Account != a.Bus.Account {
			if b, err := s.book(tx, to); err != nil || !b.policy.admits(a.Bus.Account) {
				return false, err
			}
		}
		return true, s.put(tx, next)
	}
	return nil
}

// follow writes what follows from an attempt: nothing after a success.
func (s *Service) follow(tx store.Tx, a *attempt) error {
	if a.then != nil {
		taken, err := a.then(tx)
		if err != nil || taken {
			return err
		}
		a.err = api.ResourceNotFoundException.New("Event bus %s does not exist, or does not admit the event.", *a.target.Arn)
	}
	queue, delay := a.queue, time.Duration(0)
	tried := a.Tried
	if queue == "" {
		if a.err == nil {
			return nil
		}
		queue, delay, tried = retryQueue, s.wait(a, 1), tried+1
		if exhausted, over := s.exhausted(a, 0, tried); over {
			return s.bury(tx, a, exhausted, tried)
		}
	}
	next := *a.parcel
	next.Rules, next.Rule, next.Target, next.Tried = nil, a.rule.Name, *a.target.Id, tried
	_, err := tx.Enqueue(queue, store.NewMessage{Body: next.encode(), Delay: delay})
	return err
}

// wait is how long to wait after so many attempts.
func (s *Service) wait(a *attempt, tried int) time.Duration {
	return s.scaled(max(backoff.After(tried), a.later))
}

// exhausted reports whether a delivery that failed is over, and which of the target's limits ended it: none
// where the error will not go away.
func (s *Service) exhausted(a *attempt, age time.Duration, tried int) (condition string, over bool) {
	if lasting(a.err) {
		return "", true
	}
	retries, longest := maxRetries, maxAge
	if r := a.target.RetryPolicy; r != nil {
		if r.MaximumRetryAttempts != nil {
			retries = int(*r.MaximumRetryAttempts)
		}
		if r.MaximumEventAgeInSeconds != nil {
			longest = time.Duration(*r.MaximumEventAgeInSeconds) * time.Second
		}
	}
	switch {
	case tried > retries:
		return "MaximumRetryAttempts", true
	case age > s.scaled(longest):
		return "MaximumEventAgeInSeconds", true
	}
	return "", false
}

// find finds the rule and the target that a parcel is for; nil where they are gone.
func (s *Service) find(ctx context.Context, m store.Message) (*attempt, error) {
	p, err := decodeParcel(m.Body)
	if err != nil {
		s.Log.Error("eventbridge: an event cannot be read and is dropped", "error", err)
		return nil, nil
	}
	b, err := s.read(ctx, p.Bus)
	if err != nil {
		return nil, err
	}
	u := b.rules[p.Rule]
	if u == nil {
		return nil, nil
	}
	for i := range u.Targets {
		if *u.Targets[i].Id == p.Target {
			return &attempt{parcel: p, rule: u, target: &u.Targets[i]}, nil
		}
	}
	return nil, nil
}

// deliverAgain tries a target again that did not take an event.
func (s *Service) deliverAgain(ctx context.Context, m store.Message) courier.Verdict {
	a, err := s.find(ctx, m)
	if err != nil {
		return s.readLater(err)
	}
	if a == nil {
		return courier.Verdict{}
	}
	s.attempt(ctx, a)
	return s.settle(ctx, m, a)
}

// settle ends an attempt of a target's own message.
func (s *Service) settle(ctx context.Context, m store.Message, a *attempt) courier.Verdict {
	if ctx.Err() != nil {
		return courier.Again(0)
	}
	tried := a.Tried + m.Deliveries
	if a.err != nil {
		since := m.Enqueued
		if !a.Since.IsZero() {
			since = a.Since
		}
		if condition, over := s.exhausted(a, time.Since(since), tried); over {
			return courier.Verdict{Then: func(tx store.Tx) error { return s.bury(tx, a, condition, tried) }}
		}
		return courier.Again(s.wait(a, tried))
	}
	if a.then == nil {
		return courier.Verdict{}
	}
	return courier.Verdict{Then: func(tx store.Tx) error { return s.follow(tx, a) }}
}

// read is the book of a bus as it is now.
func (s *Service) read(ctx context.Context, ref busRef) (b *book, err error) {
	err = s.Store.View(ctx, func(r store.Reader) (err error) {
		b, err = s.book(r, ref)
		return err
	})
	return b, err
}

// readLater puts a message back after an error of the store.
func (s *Service) readLater(err error) courier.Verdict {
	s.Log.Error("eventbridge: read a bus", "error", err)
	return courier.Again(time.Second)
}
