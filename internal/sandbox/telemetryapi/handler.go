package telemetryapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The paths of the two APIs.
const (
	Path     = "/2022-07-01/telemetry"
	LogsPath = "/2020-08-15/logs"
)

// ServeHTTP answers one request of an extension: a subscription.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut {
		w.Header().Set("Allow", http.MethodPut)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	id := r.Header.Get("Lambda-Extension-Identifier")
	if id == "" {
		refuse(w, http.StatusForbidden, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
		return
	}
	name, ok := h.name(id)
	if !ok {
		refuse(w, http.StatusForbidden, "Extension.UnknownExtensionIdentifier", "Unknown extension "+id)
		return
	}
	legacy := r.URL.Path == LogsPath
	s, err := h.parse(io.LimitReader(r.Body, 64*1024), legacy)
	if err != nil {
		refuse(w, http.StatusBadRequest, "ValidationError", err.Error())
		return
	}
	kind, prefix := TelemetrySubscription, "Telemetry"
	if legacy {
		kind, prefix = LogsSubscription, "Logs"
	}
	if !h.add(prefix+"/"+id, s) {
		refuse(w, http.StatusForbidden, prefix+".SubscriptionClosed", prefix+" API subscription is closed already")
		return
	}
	if h.onSubscribe != nil {
		h.onSubscribe(kind, name, s.types)
	}
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `"OK"`)
}

// parse reads a subscription and checks it against the API's limits:
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api-reference.html
func (h *Hub) parse(body io.Reader, legacy bool) (*subscription, error) {
	var q request
	if err := json.NewDecoder(body).Decode(&q); err != nil {
		return nil, fmt.Errorf("invalid request: %w", err)
	}
	if len(q.Types) == 0 {
		return nil, errors.New("types is required")
	}
	for _, t := range q.Types {
		if !slices.Contains([]string{"platform", "function", "extension"}, t) {
			return nil, fmt.Errorf("invalid type: %s", t)
		}
	}
	s := &subscription{
		types: q.Types, legacy: legacy, dial: h.dial,
		full: make(chan struct{}, 1), some: make(chan struct{}, 1),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	var wait int
	for _, limit := range []struct {
		name                string
		value               *int
		to                  *int
		least, most, normal int
	}{
		{"maxItems", q.Buffering.MaxItems, &s.maxItems, 1000, 10000, 10000},
		{"maxBytes", q.Buffering.MaxBytes, &s.maxBytes, 262144, 1048576, 262144},
		{"timeoutMs", q.Buffering.TimeoutMs, &wait, 25, 30000, 1000},
	} {
		*limit.to = limit.normal
		if v := limit.value; v != nil {
			if *v < limit.least || *v > limit.most {
				return nil, fmt.Errorf("%s must be between %d and %d", limit.name, limit.least, limit.most)
			}
			*limit.to = *v
		}
	}
	s.wait = time.Duration(wait) * time.Millisecond
	return s, s.target(&q)
}

// target sets where a subscription delivers to: always inside the environment.
func (s *subscription) target(q *request) error {
	switch d := q.Destination; d.Protocol {
	case "TCP":
		if d.Port < 1 || d.Port > 65535 {
			return errors.New("destination port is required")
		}
		s.tcp, s.port = true, strconv.Itoa(d.Port)
		return nil
	case "HTTP":
		return s.targetHTTP(d.URI)
	default:
		return fmt.Errorf("invalid destination protocol: %q", d.Protocol)
	}
}

func (s *subscription) targetHTTP(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("invalid destination URI: %q", uri)
	}
	switch strings.ToLower(u.Hostname()) {
	case "sandbox.localdomain", "sandbox", "localhost", "127.0.0.1":
	default:
		return fmt.Errorf("the destination must be at sandbox.localdomain, not at %q", u.Hostname())
	}
	if s.port = u.Port(); s.port == "" {
		s.port = "80"
	}
	if s.port == "9001" {
		return errors.New("the port 9001 is taken by the Runtime API")
	}
	s.url = u.String()
	s.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return s.dial(ctx, s.port) },
	}}
	return nil
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}{message, kind})
}
