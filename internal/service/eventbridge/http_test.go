package eventbridge

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
)

// endpoint is an API with an authorization server: each token is good for one call.
type endpoint struct {
	*httptest.Server
	mu     sync.Mutex
	tokens int
	used   map[string]bool
	forms  []string
	called chan string // authorization and body
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{used: map[string]bool{}, called: make(chan string, 100)}
	mux := http.NewServeMux()
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		e.forms = append(e.forms, r.Method+" "+r.URL.RawQuery+" "+string(body)+" "+r.Header.Get("X-Extra"))
		e.tokens++
		fmt.Fprintf(w, `{"access_token": "t%d", "expires_in": %s, "token_type": "bearer"}`, e.tokens, r.URL.Query().Get("life"))
	})
	mux.HandleFunc("/denied", func(w http.ResponseWriter, r *http.Request) { http.Error(w, "who are you", http.StatusForbidden) })
	mux.HandleFunc("/api", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		authorization := r.Header.Get("Authorization")
		stale := e.used[authorization]
		e.used[authorization] = true
		e.mu.Unlock()
		if stale {
			http.Error(w, "expired", http.StatusUnauthorized)
			return
		}
		e.called <- authorization + " " + detailOf(t, string(body))
	})
	e.Server = httptest.NewServer(mux)
	t.Cleanup(e.Close)
	return e
}

func (s *stage) connection(name string, auth *api.CreateConnectionAuthRequestParameters, kind string) string {
	s.t.Helper()
	return *must[*api.CreateConnectionResponse](s.t)(s.CreateConnection(s.ctx(), &api.CreateConnectionRequest{Name: &name, AuthorizationType: &kind, AuthParameters: auth})).ConnectionArn
}

func oauth(url string) *api.CreateConnectionAuthRequestParameters {
	return &api.CreateConnectionAuthRequestParameters{OAuthParameters: &api.CreateConnectionOAuthRequestParameters{AuthorizationEndpoint: &url, HttpMethod: new("POST"),
		ClientParameters: &api.CreateConnectionOAuthClientRequestParameters{ClientID: new("me"), ClientSecret: new("s&t")},
		OAuthHttpParameters: &api.ConnectionHttpParameters{BodyParameters: []api.ConnectionBodyParameter{{Key: new("scope"), Value: new("all")}},
			HeaderParameters: []api.ConnectionHeaderParameter{{Key: new("X-Extra"), Value: new("x")}}}}}
}

// awaitState waits until a connection is in a state.
func (s *stage) awaitState(name, want string) *api.DescribeConnectionResponse {
	s.t.Helper()
	for {
		c := must[*api.DescribeConnectionResponse](s.t)(s.DescribeConnection(s.ctx(), &api.DescribeConnectionRequest{Name: &name}))
		if *c.ConnectionState == want {
			return c
		}
		if *c.ConnectionState != api.ConnectionStateAuthorizing {
			s.t.Fatalf("%s is %s", name, *c.ConnectionState)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestOAuth asks for a token, uses it, and asks for another when it is refused.
func TestOAuth(t *testing.T) {
	s, e := newStage(t).run(), newEndpoint(t)
	arn := s.connection("c", oauth(e.URL+"/token?life=3600"), api.ConnectionAuthorizationTypeOauthClientCredentials)
	s.awaitState("c", api.ConnectionStateAuthorized)
	destination := *must[*api.CreateApiDestinationResponse](t)(s.CreateApiDestination(s.ctx(), &api.CreateApiDestinationRequest{Name: new("d"), ConnectionArn: &arn,
		InvocationEndpoint: new(e.URL + "/api"), HttpMethod: new("POST")})).ApiDestinationArn
	s.rule(s.ctx(), "default", "r", `{"source": ["app"]}`, api.Target{Arn: &destination, RoleArn: new("arn:aws:iam::000000000000:role/r")})
	for i := 1; i <= 3; i++ {
		s.put(s.ctx(), "default", fmt.Sprintf(`{"n":%d}`, i))
		if got, want := <-e.called, fmt.Sprintf(`Bearer t%d {"n":%d}`, i, i); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
	e.mu.Lock()
	if want := "POST life=3600 client_id=me&client_secret=s%26t&grant_type=client_credentials&scope=all x"; e.forms[0] != want {
		t.Errorf("asked for by %s, not %s", e.forms[0], want)
	}
	e.mu.Unlock()
	s.connection("denied", oauth(e.URL+"/denied"), api.ConnectionAuthorizationTypeOauthClientCredentials)
	if c := s.awaitState("denied", api.ConnectionStateDeauthorized); awsapi.Val(c.StateReason) != "The endpoint answered 403: who are you\n" {
		t.Error(awsapi.Val(c.StateReason))
	}
	must[*api.DeauthorizeConnectionResponse](t)(s.DeauthorizeConnection(s.ctx(), &api.DeauthorizeConnectionRequest{Name: new("c")}))
	if d := must[*api.DescribeApiDestinationResponse](t)(s.DescribeApiDestination(s.ctx(), &api.DescribeApiDestinationRequest{Name: new("d")})); *d.ApiDestinationState != api.ApiDestinationStateInactive {
		t.Error(*d.ApiDestinationState)
	}
}

func TestRates(t *testing.T) {
	var r rates
	d := destination{Name: "d", Rate: 3}
	for range 3 {
		if wait := r.delay(&d); wait != 0 {
			t.Errorf("one of three waits %v", wait)
		}
	}
	if wait := r.delay(&d); wait <= 0 || wait > time.Second {
		t.Errorf("the fourth waits %v", wait)
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{"": 0, "x": 0, "7": 7 * time.Second, "-7": 0, strconv.Itoa(1 << 30): longestRetryAfter, "Mon, 02 Jan 2006 15:04:05 GMT": 0} {
		if got := retryAfter(http.Header{"Retry-After": {value}}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}
