package logs

import (
	"context"
	"math"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/logs"
	"cirro/internal/store"
)

// maxEvents and maxAnswer bound what one answer holds: events, and their bytes.
const (
	maxEvents = 10_000
	maxAnswer = 1 << 20
)

// GetLogEvents reads events of one stream. Its tokens say between which events the next page lies, so
// a reader at the stream's end gets the token back that it gave, and goes on from there later.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
func (s *Service) GetLogEvents(ctx context.Context, in *logs.GetLogEventsRequest) (*logs.GetLogEventsResponse, error) {
	k, err := identify(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	backwards := !awsapi.Val(in.StartFromHead)
	var from *place
	if in.NextToken != nil {
		if from, backwards, err = parseEventToken(*in.NextToken); err != nil {
			return nil, err
		}
	}
	out := &logs.GetLogEventsResponse{Events: []logs.OutputLogEvent{}}
	err = s.store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, k)
		if err != nil {
			return err
		}
		st, err := getStream(r, g.ID, *in.LogStreamName)
		if err != nil {
			return err
		}
		over := spanOf(max(awsapi.Val(in.StartTime), g.cutoff(s.millis())), endTime(in.EndTime))
		found, err := readStream(r, g.ID, st.ID, over, from, backwards, eventLimit(in.Limit))
		if err != nil {
			return err
		}
		first, last := over.start, over.start
		if from != nil {
			first, last = *from, *from
		}
		for i := range found {
			e := &found[i]
			out.Events = append(out.Events, logs.OutputLogEvent{Timestamp: &e.time, IngestionTime: &e.ingested, Message: &e.message})
		}
		if n := len(found); n > 0 {
			first, last = found[0].place, found[n-1].after()
		}
		out.NextForwardToken = new("f/" + last.id() + "/s")
		out.NextBackwardToken = new("b/" + first.id() + "/s")
		return nil
	})
	return out, err
}

// readStream reads up to limit events of a stream within a span: those from the place from on, or the
// last before it. They come in order of time.
func readStream(r store.Reader, group, stream int64, over span, from *place, backwards bool, limit int) ([]record, error) {
	switch {
	case from == nil:
	case backwards && from.compare(over.end) < 0:
		over.end = *from
	case !backwards && from.compare(over.start) > 0:
		over.start = *from
	}
	m := newMerger(newStreamChunks(r, group, stream, over, backwards), over, backwards)
	var found []record
	size := 0
	for len(found) < limit {
		e, ok, err := m.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		if size += len(e.message) + overhead; size > maxAnswer && len(found) > 0 {
			break
		}
		found = append(found, e)
	}
	if backwards {
		slices.Reverse(found)
	}
	return found, nil
}

// parseEventToken reads a token of GetLogEvents: f/<place>/s or b/<place>/s.
func parseEventToken(token string) (from *place, backwards bool, err error) {
	direction, rest, _ := strings.Cut(token, "/")
	id, tail, _ := strings.Cut(rest, "/")
	p, ok := parsePlace(id)
	if !ok || tail != "s" || direction != "f" && direction != "b" {
		return nil, false, errToken
	}
	return &p, direction == "b", nil
}

// endTime is the end of a span, which it excludes; for ever where none is given.
func endTime(given *int64) int64 {
	if given == nil {
		return math.MaxInt64
	}
	return *given
}

func eventLimit(given *int32) int {
	if given == nil {
		return maxEvents
	}
	return int(*given)
}
