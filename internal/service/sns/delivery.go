package sns

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/courier"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// Queues, and how many of their messages are handled at once.
const (
	publicationQueue = "sns/publications" // of topics that keep no order: one message each
	orderedQueue     = "sns/ordered"      // of FIFO topics: one message for each subscription, in groups
	deliveryQueue    = "sns/deliveries"   // to queues and functions, again, or to dead-letter queues
	httpQueue        = "sns/http"

	publicationsAtOnce = 64
	orderedAtOnce      = 64
	deliveriesAtOnce   = 64
	httpAtOnce         = 256
)

// delivery is one message on its way to one subscription.
type delivery struct {
	Subscription subscriptionRef `json:"subscription"`
	Message      message         `json:"message"`
	Kind         kind            `json:"kind,omitempty"`  // "" for a message
	Token        string          `json:"token,omitempty"` // of other kinds
	Told         *subscription   `json:"told,omitempty"`  // the subscription, where it is gone
	Dead         bool            `json:"dead,omitempty"`  // goes to the dead-letter queue
	Failures     int             `json:"failures,omitempty"`
	Early        int             `json:"early,omitempty"` // how often it came before its endpoint may be called
	TraceID      string          `json:"trace,omitempty"`
}

// queue is where a delivery waits.
func (d *delivery) queue(s *subscription) string {
	if s.http() && !d.Dead {
		return httpQueue
	}
	return deliveryQueue
}

// enqueue puts a delivery into its queue. A subscriber that is slow or gone does not hold up others.
func (d *delivery) enqueue(tx store.Tx, s *subscription, after time.Duration) error {
	_, err := tx.Enqueue(d.queue(s), store.NewMessage{Body: encodeJSON(d), Delay: after, Fair: s.ID})
	return err
}

// enqueueNotice puts a confirmation on its way to an endpoint. Mail is not sent.
func (s *Service) enqueueNotice(tx store.Tx, sub *subscription, k kind, token string) error {
	if sub.Protocol == protocolMail || sub.Protocol == protocolJSON {
		return nil
	}
	d := delivery{Subscription: sub.subscriptionRef, Message: message{ID: uuid.NewString(), Time: s.Clock()}, Kind: k, Token: token}
	if k == kindEnd {
		d.Told = sub
	}
	return d.enqueue(tx, sub, 0)
}

// carry carries the queues' messages until the service stops.
func (s *Service) carry() {
	for _, c := range []courier.Courier{
		{Queue: publicationQueue, AtOnce: publicationsAtOnce, Handle: s.fanOut},
		{Queue: orderedQueue, AtOnce: orderedAtOnce, Handle: s.deliverInOrder},
		{Queue: deliveryQueue, AtOnce: deliveriesAtOnce, Handle: s.deliverOne},
		{Queue: httpQueue, AtOnce: httpAtOnce, Handle: s.deliverOne},
	} {
		c.Store, c.Log = s.Store, s.Log
		s.done.Go(func() { c.Run(s.ctx) })
	}
}

// fanOut delivers what was published to all subscriptions that want it. Those that fail are tried again each
// on its own.
func (s *Service) fanOut(ctx context.Context, m store.Message) courier.Verdict {
	p, err := decodePublication(m.Body)
	if err != nil {
		s.Log.Error("sns: a publication cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	t, to, err := s.roll(ctx, p.Topic)
	if errors.Is(err, errNoTopic) {
		return courier.Verdict{}
	}
	if err != nil {
		return s.later(ctx, m, err)
	}
	follow := s.fan(ctx, t, to, p)
	if ctx.Err() != nil {
		return courier.Again(0) // another process delivers it, some of it twice
	}
	if len(follow) == 0 {
		return courier.Verdict{}
	}
	return courier.Verdict{Then: func(tx store.Tx) error {
		for _, f := range follow {
			if err := f.enqueue(tx, f.to, f.after); err != nil {
				return err
			}
		}
		return nil
	}}
}

// later puts a message back that cannot be handled for now.
func (s *Service) later(ctx context.Context, m store.Message, err error) courier.Verdict {
	if ctx.Err() != nil {
		return courier.Again(0)
	}
	s.Log.Warn("sns: a delivery waits", "error", err)
	return courier.Again(s.scaled(courier.Backoff{Shortest: time.Second, Longest: time.Minute}.After(m.Deliveries)))
}

// scaled is a delay as RetryScale has it.
func (s *Service) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * s.RetryScale)
}

// roll reads a topic and who is subscribed to it.
func (s *Service) roll(ctx context.Context, ref topicRef) (t *topic, to []*subscriber, err error) {
	if err := s.authority.ready(ctx, s.Clock()); err != nil {
		return nil, nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) (err error) {
		if t, err = getTopic(r, ref); err != nil {
			return err
		}
		to, err = s.subscribers(r, t)
		return err
	})
	return t, to, err
}

// follower is a delivery that follows from another.
type follower struct {
	delivery
	to    *subscription
	after time.Duration
}

// fan delivers to all subscriptions at once, and returns what is left to do.
func (s *Service) fan(ctx context.Context, t *topic, to []*subscriber, p *publication) (follow []follower) {
	var mu sync.Mutex
	var done sync.WaitGroup
	for i := range p.Messages {
		events := wanted{message: &p.Messages[i]}
		papers := papers{authority: &s.authority, topic: t, message: events.message}
		for _, sub := range to {
			if !sub.wants(&events) {
				continue
			}
			d := delivery{Subscription: sub.subscriptionRef, Message: p.Messages[i], TraceID: p.TraceID}
			if sub.http() {
				mu.Lock()
				follow = append(follow, follower{d, sub.subscription, 0})
				mu.Unlock()
				continue
			}
			done.Go(func() {
				if f := s.attempt(ctx, sub.subscription, &d, &papers); f != nil {
					mu.Lock()
					defer mu.Unlock()
					follow = append(follow, *f)
				}
			})
		}
	}
	done.Wait()
	return follow
}

// papers are a message's signatures, made once for each protocol that wants one.
type papers struct {
	authority *authority
	topic     *topic
	*message
	mu   sync.Mutex
	made map[string]*signed // by text
}

func (p *papers) signed(protocol string) (*signed, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := p.textFor(protocol)
	if s, ok := p.made[text]; ok {
		return s, nil
	}
	s, err := p.authority.withSignature(p.topic, p.message, protocol)
	if err != nil {
		return nil, err
	}
	if p.made == nil {
		p.made = map[string]*signed{}
	}
	p.made[text] = s
	return s, nil
}

// deliverOne makes one attempt at one delivery.
func (s *Service) deliverOne(ctx context.Context, m store.Message) courier.Verdict {
	d, sub, p, err := s.open(ctx, m)
	if err != nil {
		return s.later(ctx, m, err)
	}
	if sub == nil {
		return courier.Verdict{}
	}
	f := s.attempt(ctx, sub, d, p)
	if ctx.Err() != nil {
		return courier.Again(0)
	}
	if f == nil {
		return courier.Verdict{}
	}
	return courier.Verdict{Then: func(tx store.Tx) error { return f.enqueue(tx, f.to, f.after) }}
}

// deliverInOrder is deliverOne for what must not be overtaken: what failed stays at the head of its group.
func (s *Service) deliverInOrder(ctx context.Context, m store.Message) courier.Verdict {
	d, sub, p, err := s.open(ctx, m)
	if err != nil {
		return s.later(ctx, m, err)
	}
	if sub == nil {
		return courier.Verdict{}
	}
	d.Failures = m.Deliveries - 1
	d.Dead = false
	f := s.attempt(ctx, sub, d, p)
	switch {
	case ctx.Err() != nil:
		return courier.Again(0)
	case f == nil:
		return courier.Verdict{}
	case !f.Dead:
		return courier.Again(f.after)
	}
	// The dead-letter queue is sent it before the group goes on, so that it keeps the order too.
	if f = s.attempt(ctx, sub, &f.delivery, p); f != nil {
		return courier.Again(f.after)
	}
	return courier.Verdict{}
}

// open reads a delivery and what it needs. The subscription is nil where it is gone.
func (s *Service) open(ctx context.Context, m store.Message) (d *delivery, sub *subscription, p *papers, err error) {
	if err := s.authority.ready(ctx, s.Clock()); err != nil {
		return nil, nil, nil, err
	}
	d = &delivery{}
	if err := json.Unmarshal(m.Body, d); err != nil {
		s.Log.Error("sns: a delivery cannot be read and is dropped", "error", err)
		return nil, nil, nil, nil
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		t, err := getTopic(r, d.Subscription.Topic)
		if err != nil {
			return err
		}
		p = &papers{authority: &s.authority, topic: t, message: &d.Message}
		if sub = d.Told; sub != nil {
			return nil
		}
		sub, err = getSubscription(r, d.Subscription)
		return err
	})
	if errors.Is(err, errNoTopic) || errors.Is(err, errNoSubscription) {
		return d, nil, nil, nil
	}
	return d, sub, p, err
}

// attempt delivers once. It returns what follows from a failure: another attempt, or a dead letter.
func (s *Service) attempt(ctx context.Context, sub *subscription, d *delivery, p *papers) *follower {
	err := s.send(ctx, sub, d, p)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	if e := (*early)(nil); errors.As(err, &e) {
		d.Early++
		return &follower{delivery: *d, to: sub, after: max(e.after, s.scaled(pacing.After(d.Early)))}
	}
	d.Failures++
	next := &follower{delivery: *d, to: sub}
	retries, passing := &ownRetries, courier.Passing(err)
	if sub.http() && !d.Dead {
		retries, passing = sub.effectiveDelivery(p.topic).Retry, mayPass(err)
	}
	if after, ok := retries.after(d.Failures); ok && passing {
		next.after = s.scaled(after)
		return next
	}
	if d.Dead || d.Kind != "" || sub.deadLetters() == "" {
		s.Log.Warn("sns: a message could not be delivered", "subscription", sub.arn(), "message", d.Message.ID, "error", err)
		return nil
	}
	next.Dead, next.Failures, next.after = true, 0, 0
	return next
}

// send calls the subscriber, or the queue for its dead letters.
func (s *Service) send(ctx context.Context, sub *subscription, d *delivery, p *papers) error {
	if d.Kind != "" {
		body, err := s.authority.notice(sub, d.Kind, d.Message.ID, d.Token, p.topic.signatureVersion(), d.Message.Time)
		if err != nil {
			return err
		}
		return s.sendNotice(ctx, sub, d, body)
	}
	switch {
	case d.Dead:
		return s.sendToQueue(ctx, sub, sub.deadLetters(), d, p)
	case sub.Protocol == protocolSQS:
		return s.sendToQueue(ctx, sub, sub.Endpoint, d, p)
	case sub.Protocol == protocolLambda:
		return s.invoke(ctx, sub, d, p)
	case sub.http():
		return s.post(ctx, sub, d, p)
	}
	return unsupported("the protocol " + sub.Protocol)
}

// sendNotice sends an endpoint a confirmation.
func (s *Service) sendNotice(ctx context.Context, sub *subscription, d *delivery, body string) error {
	switch {
	case sub.http():
		return s.postText(ctx, sub, d, plainText, body)
	case sub.Protocol == protocolSQS:
		return s.sendEntry(ctx, sub, sub.Endpoint, entryOf(sub.Endpoint, d, body))
	}
	return unsupported("the confirmation of a subscription of the protocol " + sub.Protocol)
}

// asService is a context for calling another service on behalf of a topic.
func (s *Service) asService(ctx context.Context, t topicRef, region, trace string) (context.Context, awsapi.Principal) {
	who := awsapi.Principal{Account: t.Account, Service: "sns.amazonaws.com", SourceARN: t.arn()}
	return awsapi.WithRequest(ctx, &awsapi.Request{ID: uuid.NewString(), Region: region, Principal: who, Time: s.Clock(), TraceID: trace}), who
}
