package logs

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/logs"
	"cirro/internal/service/logs/pattern"
	"cirro/internal/store"
)

// What a live tail sends and keeps.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartLiveTail.html
const (
	maxUpdate  = 500  // events in one update; of more it is a sample
	maxBehind  = 5000 // events that wait for a slow client
	maxSession = 3 * time.Hour
)

// StartLiveTail answers with a stream of the events that this process ingests from now on, once a
// second.
func (s *Service) StartLiveTail(ctx context.Context, in *logs.StartLiveTailRequest) (*logs.StartLiveTailResponse, error) {
	if len(in.LogGroupIdentifiers) > 1 && (len(in.LogStreamNames) > 0 || len(in.LogStreamNamePrefixes) > 0) {
		return nil, invalid("LogStreamNames and LogStreamNamePrefixes can only be specified with a single LogGroupIdentifier.")
	}
	if len(in.LogStreamNames) > 0 && len(in.LogStreamNamePrefixes) > 0 {
		return nil, invalid("LogStreamNames and LogStreamNamePrefixes are mutually exclusive parameters.")
	}
	p, err := s.patterns.compile(awsapi.Val(in.LogEventFilterPattern))
	if err != nil {
		return nil, err
	}
	t := &tail{pattern: p, names: in.LogStreamNames, prefixes: in.LogStreamNamePrefixes, closed: make(chan struct{})}
	for _, id := range in.LogGroupIdentifiers {
		k, err := s.follows(ctx, id)
		if err != nil {
			return nil, err
		}
		t.groups = append(t.groups, k)
	}
	requestID := awsapi.RequestOf(ctx).ID
	return &logs.StartLiveTailResponse{ResponseStream: func(send func(any) error) error {
		// Before the client learns that the session has started: from then on it misses nothing.
		if err := s.tails.add(t); err != nil {
			return err
		}
		defer s.tails.remove(t)
		return s.follow(ctx, t, requestID, in, send)
	}}, nil
}

// follows names a group to follow, which must exist.
func (s *Service) follows(ctx context.Context, identifier string) (groupKey, error) {
	k, err := resolve(ctx, identifier)
	if err != nil {
		return k, err
	}
	return k, s.store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, k)
		if err == nil && g.Class != logs.LogGroupClassStandard {
			err = logs.InvalidOperationException.New("Live Tail is not supported for log groups of the class %s.", g.Class)
		}
		return err
	})
}

// follow sends the session's start and its updates until the client or the service ends.
func (s *Service) follow(ctx context.Context, t *tail, requestID string, in *logs.StartLiveTailRequest, send func(any) error) error {
	start := &logs.LiveTailSessionStart{
		RequestId: &requestID, SessionId: new(uuid.NewString()),
		LogGroupIdentifiers: in.LogGroupIdentifiers, LogStreamNames: in.LogStreamNames,
		LogStreamNamePrefixes: in.LogStreamNamePrefixes, LogEventFilterPattern: in.LogEventFilterPattern,
	}
	if err := send(&logs.StartLiveTailResponseStream{SessionStart: start}); err != nil {
		return err
	}
	tick := time.NewTicker(s.tailEvery)
	defer tick.Stop()
	end := time.NewTimer(maxSession)
	defer end.Stop()
	for {
		select {
		case <-tick.C:
			if err := send(&logs.StartLiveTailResponseStream{SessionUpdate: t.update()}); err != nil {
				return err
			}
		case <-end.C:
			return send(&logs.StartLiveTailResponseStream{
				SessionTimeoutException: logs.SessionTimeoutException.New("The session has timed out after it was open for three hours."),
			})
		case <-t.closed:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// tail is one live tail.
type tail struct {
	groups   []groupKey
	names    []string
	prefixes []string
	pattern  *pattern.Pattern
	closed   chan struct{} // by the service's end

	mu      sync.Mutex
	waiting []tailed
	events  int  // in waiting
	dropped bool // whether some were dropped since the last update
}

// tailed is a chunk with its group.
type tailed struct {
	group groupKey
	*chunk
}

// push takes chunks, without waiting. Where too much waits, the oldest is dropped.
func (t *tail) push(k groupKey, chunks []*chunk) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range chunks {
		if !t.wants(c.stream) {
			continue
		}
		t.waiting = append(t.waiting, tailed{k, c})
		t.events += len(c.events)
	}
	for t.events > maxBehind && len(t.waiting) > 1 {
		t.events -= len(t.waiting[0].events)
		t.waiting = t.waiting[1:]
		t.dropped = true
	}
}

func (t *tail) wants(stream string) bool {
	if len(t.names) == 0 && len(t.prefixes) == 0 {
		return true
	}
	for _, n := range t.names {
		if n == stream {
			return true
		}
	}
	for _, p := range t.prefixes {
		if strings.HasPrefix(stream, p) {
			return true
		}
	}
	return false
}

// update makes the update of the events that came since the last.
func (t *tail) update() *logs.LiveTailSessionUpdate {
	t.mu.Lock()
	waiting, sampled := t.waiting, t.dropped
	t.waiting, t.events, t.dropped = nil, 0, false
	t.mu.Unlock()
	results := []logs.LiveTailSessionLogEvent{}
	for _, w := range waiting {
		for i := range w.events {
			e := &w.events[i]
			if t.pattern.Match(e.Message) {
				results = append(results, logs.LiveTailSessionLogEvent{
					LogStreamName: &w.stream, LogGroupIdentifier: new(w.group.account + ":" + w.group.name),
					Message: &e.Message, Timestamp: &e.Timestamp, IngestionTime: &w.ingested,
				})
			}
		}
	}
	if n := len(results); n > maxUpdate {
		for i := range maxUpdate {
			results[i] = results[i*n/maxUpdate]
		}
		results, sampled = results[:maxUpdate], true
	}
	return &logs.LiveTailSessionUpdate{
		SessionMetadata: &logs.LiveTailSessionMetadata{Sampled: &sampled},
		SessionResults:  results,
	}
}

// tails are the live tails of all groups. The zero value is ready.
type tails struct {
	mu     sync.RWMutex
	m      map[groupKey]map[*tail]bool
	all    map[*tail]bool
	closed bool
}

func (ts *tails) add(t *tail) error {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.closed {
		return logs.ServiceUnavailableException.New("The service is shutting down.")
	}
	if ts.m == nil {
		ts.m, ts.all = map[groupKey]map[*tail]bool{}, map[*tail]bool{}
	}
	ts.all[t] = true
	for _, k := range t.groups {
		if ts.m[k] == nil {
			ts.m[k] = map[*tail]bool{}
		}
		ts.m[k][t] = true
	}
	return nil
}

func (ts *tails) remove(t *tail) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.all, t)
	for _, k := range t.groups {
		delete(ts.m[k], t)
		if len(ts.m[k]) == 0 {
			delete(ts.m, k)
		}
	}
}

func (ts *tails) publish(k groupKey, chunks []*chunk) {
	if len(chunks) == 0 {
		return
	}
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	for t := range ts.m[k] {
		t.push(k, chunks)
	}
}

func (ts *tails) close() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.closed {
		return
	}
	ts.closed = true
	for t := range ts.all {
		close(t.closed)
	}
}
