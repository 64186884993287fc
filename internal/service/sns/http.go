package sns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// httpTimeout is how long an endpoint has to answer.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
const httpTimeout = 15 * time.Second

// maxAnswer is how much of an answer is read, so that its connection can be used again.
const maxAnswer = 64 << 10

func newHTTPClient() *http.Client {
	return &http.Client{Timeout: httpTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// refusal is an answer that takes no message.
type refusal struct{ status int }

func (r *refusal) Error() string { return fmt.Sprintf("the endpoint answered %d", r.status) }

// mayPass reports whether what failed at an endpoint may succeed later: not where the endpoint says that the
// request is wrong.
func mayPass(err error) bool {
	var r *refusal
	return !errors.As(err, &r) || r.status >= 500 || r.status == http.StatusTooManyRequests || r.status < 400
}

// post posts a message to an endpoint.
func (s *Service) post(ctx context.Context, sub *subscription, d *delivery, p *papers) error {
	how := sub.effectiveDelivery(p.topic)
	if how.Throttle != nil {
		if err := s.paces.wait(ctx, sub.subscriptionRef, how.Throttle.PerSecond, s.Clock()); err != nil {
			return err
		}
	}
	contentType := how.Requested.ContentType
	if contentType == "" {
		contentType = plainText
	}
	if sub.raw() {
		return s.postText(ctx, sub, d, contentType, d.Message.textFor(sub.Protocol))
	}
	m, err := p.signed(sub.Protocol)
	if err != nil {
		return err
	}
	return s.postText(ctx, sub, d, contentType, m.envelope(sub))
}

// postText posts a text with the headers that tell what it is.
// https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
func (s *Service) postText(ctx context.Context, sub *subscription, d *delivery, contentType, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, sub.Endpoint, strings.NewReader(body))
	if err != nil {
		return err
	}
	h := req.Header
	h.Set("Content-Type", contentType)
	h.Set("Accept-Encoding", "gzip,deflate")
	h.Set("User-Agent", "Amazon Simple Notification Service Agent")
	h.Set("X-Amz-Sns-Message-Id", d.Message.ID)
	h.Set("X-Amz-Sns-Topic-Arn", sub.Topic.arn())
	kindOf := d.Kind
	if kindOf == "" {
		kindOf = kindMessage
	}
	h.Set("X-Amz-Sns-Message-Type", string(kindOf))
	if kindOf != kindConfirm {
		h.Set("X-Amz-Sns-Subscription-Arn", sub.arn())
	}
	if kindOf == kindMessage && sub.raw() {
		h.Set("X-Amz-Sns-Rawdelivery", "true")
	}
	if d.TraceID != "" {
		h.Set("X-Amzn-Trace-Id", d.TraceID)
	}
	answer, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // the answer is its status
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return &refusal{answer.StatusCode}
	}
	return nil
}
