package logs

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/logs"
	"cirro/internal/service/logs/pattern"
	"cirro/internal/store"
)

// maxScan is how many bytes of events one call of FilterLogEvents reads. It answers with what it
// found by then, perhaps nothing, and a token to go on.
const maxScan = 256 << 20

// tokenFilter is the kind of FilterLogEvents' tokens.
const tokenFilter = "filter"

// FilterLogEvents reads the events of a group, or of some of its streams, that match a pattern, in
// order of time. The streams that were searched are not listed: AWS answers an empty list since 2020.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
func (s *Service) FilterLogEvents(ctx context.Context, in *logs.FilterLogEventsRequest) (*logs.FilterLogEventsResponse, error) {
	k, err := identify(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	if len(in.LogStreamNames) > 0 && in.LogStreamNamePrefix != nil {
		return nil, invalid("LogStream names and LogStream name prefix are mutually exclusive parameters.")
	}
	p, err := s.patterns.compile(awsapi.Val(in.FilterPattern))
	if err != nil {
		return nil, err
	}
	end := endTime(in.EndTime)
	if end < math.MaxInt64 {
		end++ // here the end is included
	}
	from, err := parseFilterToken(in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &logs.FilterLogEventsResponse{Events: []logs.FilteredLogEvent{}, SearchedLogStreams: []logs.SearchedLogStream{}}
	err = s.store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, k)
		if err != nil {
			return err
		}
		over := spanOf(max(awsapi.Val(in.StartTime), g.cutoff(s.millis())), end)
		if from.compare(over.start) > 0 {
			over.start = from
		}
		source, err := searched(r, g.ID, over, in)
		if err != nil {
			return err
		}
		return search(ctx, newMerger(source, over, false), p, eventLimit(in.Limit), out)
	})
	return out, err
}

// search adds the matching events to out, and a token where more may follow.
func search(ctx context.Context, m *merger, p *pattern.Pattern, limit int, out *logs.FilterLogEventsResponse) error {
	size := 0
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		e, ok, err := m.next()
		if err != nil || !ok {
			return err
		}
		full := len(out.Events) == limit || size+len(e.message)+overhead > maxAnswer && len(out.Events) > 0
		if full || m.scanned > maxScan {
			out.NextToken = pageToken(tokenFilter, []byte(e.id()))
			return nil
		}
		if !p.Match(e.message) {
			continue
		}
		size += len(e.message) + overhead
		out.Events = append(out.Events, logs.FilteredLogEvent{
			LogStreamName: &e.stream, Timestamp: &e.time, Message: &e.message, IngestionTime: &e.ingested, EventId: new(e.id()),
		})
	}
}

// searched are the chunks that a call searches.
func searched(r store.Reader, group int64, over span, in *logs.FilterLogEventsRequest) (chunks, error) {
	if len(in.LogStreamNames) == 0 {
		deleted, err := deletedStreams(r, group)
		prefix := awsapi.Val(in.LogStreamNamePrefix)
		return newGroupChunks(r, group, over, func(c *chunk) bool {
			return strings.HasPrefix(c.stream, prefix) && !deleted[c.streamID]
		}), err
	}
	names := slices.Compact(slices.Sorted(slices.Values(in.LogStreamNames)))
	var all anyOf
	for _, name := range names {
		st, err := getStream(r, group, name)
		if err != nil {
			return nil, err
		}
		all.sources = append(all.sources, newStreamChunks(r, group, st.ID, over, false))
	}
	return &all, nil
}

func parseFilterToken(token *string) (from place, err error) {
	if token == nil {
		return from, nil
	}
	id, err := parsePageToken(tokenFilter, *token)
	if err != nil {
		return from, err
	}
	from, ok := parsePlace(string(id))
	if !ok {
		return from, errToken
	}
	return from, nil
}

// patterns remembers compiled patterns. The zero value is ready.
type patterns struct {
	mu sync.Mutex
	m  map[string]*pattern.Pattern
}

// maxPatterns is how many patterns are remembered.
const maxPatterns = 1000

// compile compiles a pattern, or finds it compiled.
func (ps *patterns) compile(source string) (*pattern.Pattern, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p := ps.m[source]; p != nil {
		return p, nil
	}
	p, err := pattern.Compile(source)
	if err != nil {
		return nil, invalid("%s", err)
	}
	if ps.m == nil || len(ps.m) >= maxPatterns {
		ps.m = map[string]*pattern.Pattern{}
	}
	ps.m[source] = p
	return p, nil
}
