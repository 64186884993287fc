package eventbridge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	"cirro/internal/courier"
	"cirro/internal/store"
	"cirro/internal/target"
	"cirro/internal/target/jsonpath"

	"golang.org/x/time/rate"
)

// callTime is how long a call of an API destination may take.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
const callTime = 5 * time.Second

// newClient calls API destinations. A redirection is an answer like any other.
func newClient() *http.Client {
	return &http.Client{Timeout: callTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: callTime}).DialContext,
			MaxIdleConnsPerHost: otherAtOnce, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: callTime}}
}

// httpError is an answer that is no success.
type httpError struct {
	status int
	body   string
}

func (e *httpError) Error() string {
	return fmt.Sprintf("The endpoint answered %d: %s", e.status, e.body)
}

// passing reports whether the answer may be another later.
func (e *httpError) passing() bool {
	switch e.status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return e.status >= http.StatusInternalServerError
}

// rates hold API destinations to their rates.
type rates struct {
	mu       sync.Mutex
	limiters map[string]*rate.Limiter // by ARN
}

// delay is how long a destination has to be left alone before it may be called; 0 where the call may be made
// now, which is counted.
func (r *rates) delay(d *destination) time.Duration {
	r.mu.Lock()
	l := r.limiters[d.arn()]
	if l == nil {
		if r.limiters == nil {
			r.limiters = map[string]*rate.Limiter{}
		}
		l = rate.NewLimiter(rate.Limit(d.Rate), int(d.Rate))
		r.limiters[d.arn()] = l
	}
	r.mu.Unlock()
	if l.Limit() != rate.Limit(d.Rate) {
		l.SetLimit(rate.Limit(d.Rate))
		l.SetBurst(int(d.Rate))
	}
	reserved := l.Reserve()
	wait := reserved.Delay()
	if wait > 0 {
		reserved.Cancel()
	}
	return wait
}

// deliverHTTP calls an API destination.
func (s *Service) deliverHTTP(ctx context.Context, m store.Message) courier.Verdict {
	a, err := s.find(ctx, m)
	if err != nil {
		return s.readLater(err)
	}
	if a == nil {
		return courier.Verdict{}
	}
	var d destination
	var c connection
	err = s.Store.View(ctx, func(r store.Reader) (err error) {
		if d, err = findDestination(r, a.Bus.place, *a.target.Arn); err == nil {
			c, err = d.connected(r)
		}
		return err
	})
	var answer *awsapi.Error
	if err != nil && !errors.As(err, &answer) {
		return s.readLater(err)
	}
	if err == nil {
		if wait := s.rates.delay(&d); wait > 0 {
			return s.deferred(m, a, max(wait, httpWait))
		}
		err = s.call(ctx, a, &d, &c)
	}
	a.err = err
	return s.settle(ctx, m, a)
}

// deferred puts a call off that would exceed the destination's rate: it counts as no attempt.
func (s *Service) deferred(m store.Message, a *attempt, wait time.Duration) courier.Verdict {
	return courier.Verdict{Then: func(tx store.Tx) error {
		next := *a.parcel
		next.Tried = a.Tried + m.Deliveries - 1
		if next.Since.IsZero() {
			next.Since = m.Enqueued
		}
		_, err := tx.Enqueue(httpQueue, store.NewMessage{Body: next.encode(), Delay: wait})
		return err
	}}
}

// findDestination finds an API destination by its ARN, where the rule is.
func findDestination(r store.Reader, at place, arn string) (destination, error) {
	a, _ := target.ParseARN(arn)
	name, _, _ := strings.Cut(strings.TrimPrefix(a.Resource, "api-destination/"), "/")
	d, err := getDestination(r, at, name, "find")
	if err == nil && d.arn() != arn {
		err = api.ResourceNotFoundException.New("An api-destination '%s' does not exist.", arn)
	}
	return d, err
}

// call calls an API destination once.
func (s *Service) call(ctx context.Context, a *attempt, d *destination, c *connection) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	request, err := a.request(ctx, d)
	if err != nil {
		return err
	}
	if err := s.present(ctx, c, request); err != nil {
		return err
	}
	answer, err := s.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxErrorMessage))
	if err != nil {
		return err
	}
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return nil
	}
	if answer.StatusCode == http.StatusUnauthorized {
		s.tokens.forget(c.arn())
	}
	a.later = retryAfter(answer.Header)
	return &httpError{answer.StatusCode, string(body)}
}

// longestRetryAfter bounds how long a destination may have itself left alone.
const longestRetryAfter = time.Hour

// retryAfter is how long a destination wants to be left alone.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 {
		return min(time.Duration(seconds)*time.Second, longestRetryAfter)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, time.Until(at)), longestRetryAfter)
	}
	return 0
}

// request is the call of an API destination: the input as its body, and what the target adds.
func (a *attempt) request(ctx context.Context, d *destination) (*http.Request, error) {
	body, err := a.input()
	if err != nil {
		return nil, err
	}
	p := a.target.HttpParameters
	if p == nil {
		p = &api.HttpParameters{}
	}
	endpoint := d.Endpoint
	for _, value := range p.PathParameterValues {
		endpoint = strings.Replace(endpoint, "*", url.PathEscape(a.dynamic(value)), 1)
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, awsapi.ValidationException.New("The endpoint %s is no URL.", endpoint)
	}
	query := u.Query()
	for name, value := range p.QueryStringParameters {
		query.Set(name, a.dynamic(value))
	}
	u.RawQuery = query.Encode()
	if d.Method == http.MethodGet || d.Method == http.MethodHead {
		body = nil
	}
	r, err := http.NewRequestWithContext(ctx, d.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, awsapi.ValidationException.New("The call of %s cannot be made: %v", endpoint, err)
	}
	r.Header.Set("User-Agent", "Amazon/EventBridge/ApiDestinations")
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("Range", "bytes=0-1048575")
	for name, value := range p.HeaderParameters {
		r.Header.Set(name, a.dynamic(value))
	}
	return r, nil
}

// dynamic is a parameter's value: what a path finds in the event, or the value itself.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html#dynamic-path-parameters
func (a *attempt) dynamic(value string) string {
	if !strings.HasPrefix(value, "$.") {
		return value
	}
	path, err := jsonpath.Parse(value)
	if err != nil {
		return value
	}
	if v, ok := path.Find(a.event); ok {
		return plain(v)
	}
	return ""
}

// withMembers adds a connection's members to a body that is an object.
func withMembers(body []byte, members []api.ConnectionBodyParameter) ([]byte, error) {
	if len(members) == 0 {
		return body, nil
	}
	object := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &object); err != nil {
		return nil, awsapi.ValidationException.New("The connection adds members to a body that is no JSON object.")
	}
	for _, m := range members {
		object[awsapi.Val(m.Key)] = raw(awsapi.Val(m.Value))
	}
	return raw(object), nil
}
