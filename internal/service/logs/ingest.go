package logs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"cirro/internal/awsapi/logs"
)

// What PutLogEvents takes.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
const (
	maxBatch = 1 << 20 // bytes, each event counted with its overhead
	maxEvent = 1 << 20 // bytes, likewise
	maxAge   = 14 * 24 * time.Hour
	maxAhead = 2 * time.Hour
	maxSpan  = 24 * time.Hour
)

// sequenceToken is the token of every answer: AWS accepts any since 2023.
const sequenceToken = "49039859480743487435384059720634532987124637823617269762"

// PutLogEvents writes a batch of events to a stream. Those too old, expired or too new are left out
// and reported.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
func (s *Service) PutLogEvents(ctx context.Context, in *logs.PutLogEventsRequest) (*logs.PutLogEventsResponse, error) {
	events, size, err := checkBatch(in.LogEvents)
	if err != nil {
		return nil, err
	}
	out := &logs.PutLogEventsResponse{NextSequenceToken: new(sequenceToken)}
	err = s.change(ctx, keyOf(ctx, in.LogGroupName), size, func(c *change) error {
		if c.group == nil {
			return errNoGroup
		}
		st, err := c.stream(*in.LogStreamName)
		if err != nil {
			return err
		}
		accepted, rejected := sift(events, c.now, c.group.cutoff(c.now))
		if n := len(accepted); n > 0 && accepted[n-1].Timestamp-accepted[0].Timestamp > maxSpan.Milliseconds() {
			return invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
		}
		out.RejectedLogEventsInfo = rejected
		if len(accepted) == 0 {
			return nil
		}
		return c.appendEvents(st, accepted)
	})
	return out, err
}

// checkBatch checks what does not depend on the group.
func checkBatch(in []logs.InputLogEvent) (events []Event, size int, err error) {
	events = make([]Event, len(in))
	for i := range in {
		events[i] = Event{*in[i].Timestamp, *in[i].Message}
		n := events[i].size()
		if n > maxEvent {
			return nil, 0, invalid("Log event too large: %d bytes exceeds limit of %d", n, maxEvent)
		}
		size += n
		if i > 0 && events[i].Timestamp < events[i-1].Timestamp {
			return nil, 0, invalid("Log events in a single PutLogEvents request must be in chronological order.")
		}
	}
	if size > maxBatch {
		return nil, 0, invalid("Upload too large: %d bytes exceeds limit of %d", size, maxBatch)
	}
	return events, size, nil
}

// sift divides events, which are in order of time, into those to write and those rejected. cutoff is
// the oldest timestamp that the group's retention keeps.
func sift(events []Event, now, cutoff int64) (accepted []Event, rejected *logs.RejectedLogEventsInfo) {
	before := func(t int64) int {
		i, _ := slices.BinarySearchFunc(events, t, func(e Event, t int64) int { return cmp.Compare(e.Timestamp, t) })
		return i
	}
	tooOld := before(now - maxAge.Milliseconds())
	expired := before(cutoff)
	tooNew := before(now + maxAhead.Milliseconds() + 1)
	if tooOld > 0 || expired > 0 || tooNew < len(events) {
		rejected = &logs.RejectedLogEventsInfo{}
	}
	// The ends are exclusive, the start is inclusive.
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_RejectedLogEventsInfo.html
	if tooOld > 0 {
		rejected.TooOldLogEventEndIndex = new(int32(tooOld))
	}
	if expired > 0 {
		rejected.ExpiredLogEventEndIndex = new(int32(expired))
	}
	if tooNew < len(events) {
		rejected.TooNewLogEventStartIndex = new(int32(tooNew))
	}
	first := min(max(tooOld, expired), tooNew)
	return events[first:tooNew], rejected
}

// Open makes a stream, and its group, where they are missing.
func (s *Service) Open(ctx context.Context, account, region, group, stream string) error {
	return s.change(ctx, groupKey{account, region, group}, 0, func(c *change) error {
		_, err := c.open(stream)
		return err
	})
}

// Ingest writes events of the platform itself, such as those of a function's environment. It makes
// the group and the stream where they are missing, takes events in any order, and returns when they
// are durable. Callers at the same time share a transaction where they write to the same group.
func (s *Service) Ingest(ctx context.Context, account, region, group, stream string, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	byTime := func(a, b Event) int { return cmp.Compare(a.Timestamp, b.Timestamp) }
	if !slices.IsSortedFunc(events, byTime) {
		events = slices.Clone(events)
		slices.SortStableFunc(events, byTime)
	}
	size := 0
	for i := range events {
		size += events[i].size()
	}
	return s.change(ctx, groupKey{account, region, group}, size, func(c *change) error {
		st, err := c.open(stream)
		if err != nil {
			return err
		}
		return c.appendEvents(st, events)
	})
}

// open returns the stream with the given name, and makes it and the group where they are missing.
func (c *change) open(name string) (*openStream, error) {
	if c.group == nil {
		c.createGroup(logs.LogGroupClassStandard)
	}
	st, err := c.stream(name)
	if errors.Is(err, errNoStream) {
		return c.createStream(name)
	}
	return st, err
}
