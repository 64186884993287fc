package eventbridge

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"cirro/internal/awsapi"
)

// tokens are the access tokens of connections, until shortly before they expire. A restart asks anew.
type tokens struct {
	mu   sync.Mutex
	held map[string]token // by the connection's ARN
}

type token struct {
	access  string
	expires time.Time
}

// Of tokens: how long one is held that does not say when it expires, and how long before that another is
// asked for.
const (
	tokenLife  = 5 * time.Minute
	tokenSlack = 10 * time.Second
	maxToken   = 64 << 10
)

func (t *tokens) forget(arn string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.held, arn)
}

// token is a connection's access token; anew asks for one even if another is at hand.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-target-connection-auth.html
func (s *Service) token(ctx context.Context, c *connection, anew bool) (string, error) {
	s.tokens.mu.Lock()
	held, ok := s.tokens.held[c.arn()]
	s.tokens.mu.Unlock()
	if ok && !anew && time.Now().Before(held.expires.Add(-tokenSlack)) {
		return held.access, nil
	}
	got, err := s.askToken(ctx, c)
	if err != nil {
		return "", err
	}
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	if s.tokens.held == nil {
		s.tokens.held = map[string]token{}
	}
	s.tokens.held[c.arn()] = got
	return got.access, nil
}

// askToken asks the authorization server of a connection, by the client credentials grant.
func (s *Service) askToken(ctx context.Context, c *connection) (token, error) {
	o := c.Auth.OAuth
	if o == nil || o.ClientParameters == nil {
		return token{}, awsapi.AccessDenied.New("Connection %s has no OAuth parameters.", c.Name)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {awsapi.Val(o.ClientParameters.ClientID)}, "client_secret": {awsapi.Val(o.ClientParameters.ClientSecret)}}
	u, err := url.Parse(awsapi.Val(o.AuthorizationEndpoint))
	if err != nil {
		return token{}, awsapi.ValidationException.New("The authorization endpoint is no URL.")
	}
	query, header := u.Query(), http.Header{}
	if p := o.OAuthHttpParameters; p != nil {
		for _, b := range p.BodyParameters {
			form.Set(awsapi.Val(b.Key), awsapi.Val(b.Value))
		}
		for _, q := range p.QueryStringParameters {
			query.Set(awsapi.Val(q.Key), awsapi.Val(q.Value))
		}
		for _, h := range p.HeaderParameters {
			header.Set(awsapi.Val(h.Key), awsapi.Val(h.Value))
		}
	}
	method, body := awsapi.Val(o.HttpMethod), form.Encode()
	if method == http.MethodGet {
		for name, values := range form {
			query[name] = values
		}
		body = ""
	}
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		return token{}, awsapi.ValidationException.New("The authorization endpoint cannot be called: %v", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	for name, values := range header {
		r.Header[name] = values
	}
	answer, err := s.HTTP.Do(r)
	if err != nil {
		return token{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxToken))
	if err != nil {
		return token{}, err
	}
	if answer.StatusCode != http.StatusOK {
		return token{}, &httpError{answer.StatusCode, string(text[:min(len(text), maxErrorMessage)])}
	}
	var got struct {
		Access  string      `json:"access_token"`
		Expires json.Number `json:"expires_in"`
	}
	if err := json.Unmarshal(text, &got); err != nil || got.Access == "" {
		return token{}, awsapi.AccessDenied.New("The authorization endpoint answered no access token.")
	}
	life := tokenLife
	if seconds, err := got.Expires.Int64(); err == nil && seconds > 0 {
		life = time.Duration(seconds) * time.Second
	}
	return token{got.Access, time.Now().Add(life)}, nil
}
