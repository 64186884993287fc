package sns

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// retryPolicy says how often and when a delivery that failed is tried again: at once, then after the shortest
// delay, then after delays that grow from the shortest to the longest, then after the longest. Delays are in
// seconds.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
type retryPolicy struct {
	MinDelay        int    `json:"minDelayTarget"`
	MaxDelay        int    `json:"maxDelayTarget"`
	Retries         int    `json:"numRetries"`
	MaxDelayRetries int    `json:"numMaxDelayRetries"`
	NoDelayRetries  int    `json:"numNoDelayRetries"`
	MinDelayRetries int    `json:"numMinDelayRetries"`
	Backoff         string `json:"backoffFunction"`
}

// requestPolicy says how an HTTP request is made.
type requestPolicy struct {
	ContentType string `json:"headerContentType,omitempty"`
}

// throttlePolicy bounds how often a subscriber is called.
type throttlePolicy struct {
	PerSecond int `json:"maxReceivesPerSecond"`
}

// topicDelivery is a topic's delivery policy, for its HTTP subscriptions.
type topicDelivery struct {
	HTTP httpDelivery `json:"http"`
}

type httpDelivery struct {
	Retry     *retryPolicy    `json:"defaultHealthyRetryPolicy,omitempty"`
	NoOwn     bool            `json:"disableSubscriptionOverrides"`
	Throttle  *throttlePolicy `json:"defaultThrottlePolicy,omitempty"`
	Requested *requestPolicy  `json:"defaultRequestPolicy,omitempty"`
}

// subscriptionDelivery is a subscription's own delivery policy.
type subscriptionDelivery struct {
	Retry      *retryPolicy    `json:"healthyRetryPolicy"`
	Sickly     *retryPolicy    `json:"sicklyRetryPolicy"` // AWS knows it and nobody reads it
	Throttle   *throttlePolicy `json:"throttlePolicy"`
	Requested  *requestPolicy  `json:"requestPolicy"`
	Guaranteed bool            `json:"guaranteed"`
}

const plainText = "text/plain; charset=UTF-8"

// Defaults of HTTP, and what holds for queues and functions whatever the policies say.
var (
	httpRetries = retryPolicy{MinDelay: 20, MaxDelay: 20, Retries: 3, Backoff: "linear"}
	ownRetries  = retryPolicy{MinDelay: 1, MaxDelay: 20, Retries: 100_015, NoDelayRetries: 3, MinDelayRetries: 2,
		MaxDelayRetries: 100_000, Backoff: "exponential"}
)

// UnmarshalJSON reads a policy whose members default to those of HTTP.
func (p *retryPolicy) UnmarshalJSON(b []byte) error {
	type plain retryPolicy
	*p = httpRetries
	if err := json.Unmarshal(b, (*plain)(p)); err != nil {
		return err
	}
	return p.check()
}

// check refuses what is out of the documented bounds.
func (p *retryPolicy) check() error {
	switch {
	case p.Retries < 0 || p.Retries > 100:
		return errors.New("numRetries must be between 0 and 100")
	case p.MaxDelay < 1 || p.MaxDelay > 3600:
		return errors.New("maxDelayTarget must be between 1 and 3600")
	case p.MinDelay < 1 || p.MinDelay > p.MaxDelay:
		return errors.New("minDelayTarget must be between 1 and maxDelayTarget")
	case p.NoDelayRetries < 0 || p.MinDelayRetries < 0 || p.MaxDelayRetries < 0:
		return errors.New("numNoDelayRetries, numMinDelayRetries and numMaxDelayRetries must not be negative")
	case p.NoDelayRetries+p.MinDelayRetries+p.MaxDelayRetries > p.Retries:
		return errors.New("numRetries must be at least the sum of numNoDelayRetries, numMinDelayRetries and numMaxDelayRetries")
	}
	switch p.Backoff {
	case "linear", "arithmetic", "geometric", "exponential":
		return nil
	}
	return fmt.Errorf("backoffFunction %s is none of linear, arithmetic, geometric and exponential", p.Backoff)
}

// after is the delay before a retry, the first being 1; ok says whether there is such a retry.
func (p *retryPolicy) after(retry int) (delay time.Duration, ok bool) {
	if retry > p.Retries {
		return 0, false
	}
	shortest, longest := float64(p.MinDelay), float64(p.MaxDelay)
	growing := p.Retries - p.NoDelayRetries - p.MinDelayRetries - p.MaxDelayRetries
	seconds := longest
	switch at := retry - p.NoDelayRetries; {
	case at <= 0:
		return 0, true
	case at <= p.MinDelayRetries:
		seconds = shortest
	case at <= p.MinDelayRetries+growing:
		seconds = p.grown(at-p.MinDelayRetries, growing)
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// grown is the delay in seconds of the n-th of so many steps from the shortest to the longest.
func (p *retryPolicy) grown(n, of int) float64 {
	shortest, longest := float64(p.MinDelay), float64(p.MaxDelay)
	if of == 1 {
		return shortest
	}
	part := float64(n-1) / float64(of-1)
	switch p.Backoff {
	case "arithmetic": // grows by more at each step
		part = part * (float64(n) / float64(of))
	case "geometric":
		return shortest * math.Pow(longest/shortest, part)
	case "exponential":
		return min(longest, shortest*math.Pow(2, float64(n-1)))
	}
	return shortest + (longest-shortest)*part
}

func decodeStrictly(text string, to any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

func parseTopicDelivery(text string) (*topicDelivery, error) {
	if text == "" {
		return &topicDelivery{}, nil
	}
	var d topicDelivery
	if err := decodeStrictly(text, &d); err != nil {
		return nil, err
	}
	return &d, d.HTTP.Throttle.check()
}

func parseSubscriptionDelivery(text string) (*subscriptionDelivery, error) {
	if text == "" {
		return &subscriptionDelivery{}, nil
	}
	var d subscriptionDelivery
	if err := decodeStrictly(text, &d); err != nil {
		return nil, err
	}
	return &d, d.Throttle.check()
}

func (p *throttlePolicy) check() error {
	if p != nil && p.PerSecond < 1 {
		return errors.New("maxReceivesPerSecond must be at least 1")
	}
	return nil
}

// shownTopicDelivery is a topic's own policy as AWS shows it: the members that were set, and whether
// subscriptions may have others. "" is none.
func shownTopicDelivery(text string) string {
	var set struct {
		HTTP *struct {
			Retry     json.RawMessage `json:"defaultHealthyRetryPolicy,omitempty"`
			NoOwn     bool            `json:"disableSubscriptionOverrides"`
			Throttle  json.RawMessage `json:"defaultThrottlePolicy,omitempty"`
			Requested json.RawMessage `json:"defaultRequestPolicy,omitempty"`
		} `json:"http"`
	}
	if json.Unmarshal([]byte(text), &set) != nil || set.HTTP == nil {
		return ""
	}
	for _, member := range []*json.RawMessage{&set.HTTP.Retry, &set.HTTP.Throttle, &set.HTTP.Requested} {
		if string(*member) == "null" {
			*member = nil
		}
	}
	return string(encodeJSON(set))
}

// text is the policy as a client sees it.
func (d *topicDelivery) text() string { return string(encodeJSON(d)) }

// effectiveDelivery is a topic's delivery policy with the defaults filled in.
func (t *topic) effectiveDelivery() *topicDelivery {
	d, err := parseTopicDelivery(t.Attributes["DeliveryPolicy"])
	if err != nil {
		d = &topicDelivery{}
	}
	if d.HTTP.Retry == nil {
		d.HTTP.Retry = new(httpRetries)
	}
	if d.HTTP.Requested == nil {
		d.HTTP.Requested = &requestPolicy{ContentType: plainText}
	}
	return d
}

// effectiveDelivery is the delivery policy of an HTTP subscription: its own, unless its topic forbids that,
// and the topic's where it has none.
func (s *subscription) effectiveDelivery(t *topic) *subscriptionDelivery {
	of := t.effectiveDelivery().HTTP
	d, err := parseSubscriptionDelivery(s.Attributes["DeliveryPolicy"])
	if err != nil || of.NoOwn {
		d = &subscriptionDelivery{}
	}
	if d.Retry == nil {
		d.Retry = of.Retry
	}
	if d.Throttle == nil {
		d.Throttle = of.Throttle
	}
	if d.Requested == nil {
		d.Requested = of.Requested
	}
	return d
}
