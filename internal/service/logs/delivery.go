package logs

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"cirro/internal/awsapi"
	lambdaapi "cirro/internal/awsapi/lambda"
	"cirro/internal/awsapi/logs"
	"cirro/internal/service/logs/pattern"
	"cirro/internal/store"
)

const (
	// deliveries is the queue of events on their way to subscribers.
	deliveries = "logs/deliveries"
	// deliverers is how many deliveries are made at a time.
	deliverers = 4
	// deliverFor is how long a delivery is tried.
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
	deliverFor = 24 * time.Hour
	// maxPayload bounds what a function is invoked with, in bytes: any asynchronous invocation may
	// have so much. What is more is delivered in parts.
	maxPayload = 240 << 10
)

// filter is a subscription ready to match.
type filter struct {
	subscription
	pattern *pattern.Pattern
}

// delivery is a message of the queue: events that matched a filter.
type delivery struct {
	Account, Region, Group, Stream string
	Filter, Destination            string
	Events                         []deliveredEvent
}

// deliveredEvent is an event as subscribers see it.
type deliveredEvent struct {
	ID        string            `json:"id"`
	Timestamp int64             `json:"timestamp"`
	Message   string            `json:"message"`
	Fields    map[string]string `json:"extractedFields,omitempty"`
}

// deliver enqueues the events of a new chunk that the group's subscriptions match, in the chunk's own
// transaction.
func (c *change) deliver(ch *chunk) error {
	if c.group.Subscriptions == 0 {
		return nil
	}
	if err := c.loadFilters(); err != nil {
		return err
	}
	for i := range c.filters {
		f := &c.filters[i]
		d := delivery{
			Account: c.key.account, Region: c.key.region, Group: c.key.name, Stream: ch.stream,
			Filter: f.Name, Destination: f.Destination, Events: f.matching(ch),
		}
		if len(d.Events) == 0 {
			continue
		}
		body, err := json.Marshal(d)
		if err != nil {
			return err
		}
		m := store.NewMessage{Body: body, Retention: deliverFor}
		if f.Distribution == logs.DistributionByLogStream {
			m.Group = fmt.Sprintf("%x/%x/%s", c.group.ID, ch.streamID, f.Name)
		}
		if _, err := c.tx.Enqueue(deliveries, m); err != nil {
			return err
		}
	}
	return nil
}

func (c *change) loadFilters() error {
	if c.loaded {
		return nil
	}
	c.filters = nil
	for sub, err := range store.Records[subscription](c.tx, keys(kindSubscription, c.group.ID)) {
		if err != nil {
			return err
		}
		p, err := c.service.patterns.compile(sub.Pattern)
		if err != nil {
			return fmt.Errorf("logs: the stored filter %q: %w", sub.Name, err)
		}
		c.filters = append(c.filters, filter{sub, p})
	}
	c.loaded = true
	return nil
}

// matching are the events of a chunk that the filter matches. Only a space-delimited pattern extracts
// fields.
func (f *filter) matching(ch *chunk) (found []deliveredEvent) {
	extracts := strings.HasPrefix(strings.TrimSpace(f.Pattern), "[")
	for i := range ch.events {
		e := deliveredEvent{ID: ch.at(i).id(), Timestamp: ch.events[i].Timestamp, Message: ch.events[i].Message}
		if !extracts {
			if f.pattern.Match(e.Message) {
				found = append(found, e)
			}
			continue
		}
		if values, ok := f.pattern.Extract(e.Message); ok {
			e.Fields = map[string]string{}
			for name, v := range values {
				e.Fields[strings.TrimPrefix(name, "$")] = v
			}
			found = append(found, e)
		}
	}
	return found
}

func (s *Service) deliverForever(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.deliverSome(ctx, 20*time.Second); err != nil && ctx.Err() == nil {
			s.log.Error("logs: subscriptions could not be served", "error", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}
}

// deliverSome waits for deliveries and makes them.
func (s *Service) deliverSome(ctx context.Context, wait time.Duration) error {
	messages, err := s.store.Receive(ctx, deliveries, store.ReceiveOptions{Max: 10, Lease: time.Minute, Wait: wait})
	if err != nil {
		return err
	}
	for len(messages) > 0 {
		d, n, err := merge(messages)
		if err != nil {
			return err
		}
		if err := s.settle(ctx, messages[:n], d, s.send(ctx, d)); err != nil {
			return err
		}
		messages = messages[n:]
	}
	return nil
}

// merge makes one delivery of the first messages that belong together, and says how many they are.
func merge(messages []store.Message) (d *delivery, n int, err error) {
	d = &delivery{}
	if err := json.Unmarshal(messages[0].Body, d); err != nil {
		return nil, 0, fmt.Errorf("logs: a delivery is damaged: %w", err)
	}
	for n = 1; n < len(messages) && messages[0].Group != "" && messages[n].Group == messages[0].Group; n++ {
		var more delivery
		if err := json.Unmarshal(messages[n].Body, &more); err != nil {
			return nil, 0, fmt.Errorf("logs: a delivery is damaged: %w", err)
		}
		if more.Destination != d.Destination {
			break
		}
		d.Events = append(d.Events, more.Events...)
	}
	return d, n, nil
}

// send invokes the subscriber, as often as the events need.
func (s *Service) send(ctx context.Context, d *delivery) error {
	payload, err := d.payload()
	if err != nil {
		return err
	}
	if len(payload) > maxPayload && len(d.Events) > 1 {
		first, second := *d, *d
		half := len(d.Events) / 2
		first.Events, second.Events = d.Events[:half], d.Events[half:]
		if err := s.send(ctx, &first); err != nil {
			return err
		}
		return s.send(ctx, &second)
	}
	ctx, p := s.onBehalf(ctx, groupKey{d.Account, d.Region, d.Group})
	_, err = s.caller.Call(ctx, p, "lambda", "Invoke", &lambdaapi.InvocationRequest{
		FunctionName: &d.Destination, InvocationType: new(lambdaapi.InvocationTypeEvent), Payload: payload,
	})
	return err
}

// payload is the event that the function gets: JSON, compressed, in base64.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample
func (d *delivery) payload() ([]byte, error) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	err := json.NewEncoder(z).Encode(struct {
		MessageType         string           `json:"messageType"`
		Owner               string           `json:"owner"`
		LogGroup            string           `json:"logGroup"`
		LogStream           string           `json:"logStream"`
		SubscriptionFilters []string         `json:"subscriptionFilters"`
		LogEvents           []deliveredEvent `json:"logEvents"`
	}{"DATA_MESSAGE", d.Account, d.Group, d.Stream, []string{d.Filter}, d.Events})
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	return []byte(`{"awslogs":{"data":` + strconv.Quote(base64.StdEncoding.EncodeToString(zipped.Bytes())) + `}}`), nil
}

// settle removes delivered messages, and those that can never be; others are tried again.
func (s *Service) settle(ctx context.Context, messages []store.Message, d *delivery, failure error) error {
	if failure != nil && !permanent(failure) {
		return s.postpone(ctx, messages)
	}
	if failure != nil {
		s.log.Warn("logs: events were not delivered to a subscriber",
			"group", d.Group, "filter", d.Filter, "destination", d.Destination, "events", len(d.Events), "error", failure)
	}
	return s.store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		for _, m := range messages {
			if err := tx.Ack(m.Lease); err != nil && !errors.Is(err, store.ErrLeaseLost) {
				return err
			}
		}
		return nil
	})
}

// postpone tries again later, and later each time.
func (s *Service) postpone(ctx context.Context, messages []store.Message) error {
	delay := min(time.Second<<min(messages[0].Deliveries-1, 9), 5*time.Minute)
	return s.store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		for _, m := range messages {
			if err := tx.Extend(m.Lease, delay); err != nil && !errors.Is(err, store.ErrLeaseLost) {
				return err
			}
		}
		return nil
	})
}

// permanent reports whether trying again is of no use: the sender is at fault, and it is not that it
// sends too much.
func permanent(err error) bool {
	var e *awsapi.Error
	if !errors.As(err, &e) {
		return false
	}
	if e.Type == awsapi.NotImplemented {
		return true
	}
	return !e.Type.Server && e.Type.Status != 429 && !strings.Contains(e.Type.Code, "Throttl")
}

func isAPIError(err error) bool { return errors.As(err, new(*awsapi.Error)) }

func newRequestID() string { return uuid.NewString() }
