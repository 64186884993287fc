package logs

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"cirro/internal/awsapi/logs"
)

func inputs(events ...Event) (in []logs.InputLogEvent) {
	for _, e := range events {
		in = append(in, logs.InputLogEvent{Timestamp: &e.Timestamp, Message: &e.Message})
	}
	return in
}

func TestPutLogEventsErrors(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.stream("g", "s")
	now := f.millis()
	hour := time.Hour.Milliseconds()
	big := strings.Repeat("x", maxBatch/2)
	for _, c := range []struct {
		name, group, stream string
		events              []Event
		code, message       string
	}{
		{"no group", "nope", "s", []Event{{now, "x"}}, "ResourceNotFoundException", "The specified log group does not exist."},
		{"no stream", "g", "nope", []Event{{now, "x"}}, "ResourceNotFoundException", "The specified log stream does not exist."},
		{"order", "g", "s", []Event{{now, "x"}, {now - 1, "y"}}, "InvalidParameterException", "Log events in a single PutLogEvents request must be in chronological order."},
		{"span", "g", "s", []Event{{now - 24*hour - 1, "x"}, {now, "y"}}, "InvalidParameterException", "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."},
		{"batch", "g", "s", []Event{{now, big}, {now, big}}, "InvalidParameterException", "Upload too large: 1048628 bytes exceeds limit of 1048576"},
		{"event", "g", "s", []Event{{now, big + big}}, "InvalidParameterException", "Log event too large: 1048602 bytes exceeds limit of 1048576"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := f.PutLogEvents(f.ctx, &logs.PutLogEventsRequest{LogGroupName: &c.group, LogStreamName: &c.stream, LogEvents: inputs(c.events...)})
			wantError(t, err, c.code, c.message)
		})
	}
	if got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g")}); got != nil {
		t.Errorf("refused batches left %d events", len(got))
	}
	// The largest there may be.
	f.put("g", "s", strings.Repeat("x", maxBatch-overhead))
	if got := *f.describe("g").StoredBytes; got != maxBatch {
		t.Errorf("the group holds %d bytes", got)
	}
}

func TestRejectedEvents(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.stream("g", "s")
	now := f.millis()
	day := 24 * time.Hour.Milliseconds()
	hour := time.Hour.Milliseconds()
	put := func(events ...Event) *logs.RejectedLogEventsInfo {
		t.Helper()
		out := must[*logs.PutLogEventsResponse](t)(f.PutLogEvents(f.ctx, &logs.PutLogEventsRequest{
			LogGroupName: new("g"), LogStreamName: new("s"), LogEvents: inputs(events...), SequenceToken: new("any"),
		}))
		if out.NextSequenceToken == nil {
			t.Error("there is no sequence token")
		}
		return out.RejectedLogEventsInfo
	}
	check := func(got *logs.RejectedLogEventsInfo, want logs.RejectedLogEventsInfo) {
		t.Helper()
		if got == nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("rejected %+v, want %+v", got, want)
		}
	}
	if got := put(Event{now - 14*day, "oldest"}); got != nil {
		t.Errorf("rejected %+v", got)
	}
	if got := put(Event{now + 2*hour, "newest"}); got != nil {
		t.Errorf("rejected %+v", got)
	}
	check(put(Event{now - 14*day - 2, "a"}, Event{now - 14*day - 1, "b"}, Event{now - 14*day, "kept 1"}),
		logs.RejectedLogEventsInfo{TooOldLogEventEndIndex: new(int32(2))})
	check(put(Event{now, "kept 2"}, Event{now + 2*hour + 1, "c"}),
		logs.RejectedLogEventsInfo{TooNewLogEventStartIndex: new(int32(1))})
	check(put(Event{now + 3*hour, "d"}), logs.RejectedLogEventsInfo{TooNewLogEventStartIndex: new(int32(0))})

	must[*logs.PutRetentionPolicyOutput](t)(f.PutRetentionPolicy(f.ctx, &logs.PutRetentionPolicyRequest{LogGroupName: new("g"), RetentionInDays: new(int32(3))}))
	check(put(Event{now - 3*day - 1, "e"}, Event{now - 3*day, "kept 3"}), logs.RejectedLogEventsInfo{ExpiredLogEventEndIndex: new(int32(1))})

	must[*logs.DeleteRetentionPolicyOutput](t)(f.DeleteRetentionPolicy(f.ctx, &logs.DeleteRetentionPolicyRequest{LogGroupName: new("g")}))
	got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g")})
	if want := []string{"oldest", "kept 1", "kept 3", "kept 2", "newest"}; !reflect.DeepEqual(got, want) {
		t.Errorf("the group holds %v, want %v", got, want)
	}
}

// TestIngest: the group and the stream are made, and events come in any order.
func TestIngest(t *testing.T) {
	f := newFixture(t)
	now := f.millis()
	events := []Event{{now, "b"}, {now - 5, "a"}, {now, "c"}}
	if err := f.Ingest(f.ctx, account, region, "/aws/lambda/f", "2024/01/31/[$LATEST]x", events); err != nil {
		t.Fatal(err)
	}
	if got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("/aws/lambda/f")}); strings.Join(got, "") != "abc" {
		t.Errorf("found %v", got)
	}
	if events[0].Message != "b" {
		t.Error("the caller's events were sorted")
	}
	if err := f.Ingest(f.ctx, account, region, "/none", "s", nil); err != nil {
		t.Fatal(err)
	}
	f.describe("/aws/lambda/f")
}

// TestOpen: the stream and its group are there before any event, and opening them again changes nothing.
func TestOpen(t *testing.T) {
	f := newFixture(t)
	for range 2 {
		if err := f.Open(f.ctx, account, region, "g", "s"); err != nil {
			t.Fatal(err)
		}
		f.clock.Add(time.Second)
	}
	out := must[*logs.DescribeLogStreamsResponse](t)(f.DescribeLogStreams(f.ctx, &logs.DescribeLogStreamsRequest{LogGroupName: new("g")}))
	if len(out.LogStreams) != 1 || *out.LogStreams[0].CreationTime != f.millis()-2000 {
		t.Errorf("got %+v", out.LogStreams)
	}
}

// TestConcurrentIngest: of many writers at once nothing is lost, counted twice or put out of order.
func TestConcurrentIngest(t *testing.T) {
	f := newFixture(t)
	const writers, rounds = 32, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for r := range rounds {
				e := Event{f.millis(), fmt.Sprintf("%02d %02d", w, r)}
				if err := f.Ingest(f.ctx, account, region, "g", fmt.Sprint("s", w%8), []Event{e, e}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g")})
	if len(got) != 2*writers*rounds {
		t.Fatalf("found %d events, want %d", len(got), 2*writers*rounds)
	}
	next := map[string]int{}
	for i := 0; i < len(got); i += 2 {
		var w string
		var r int
		if _, err := fmt.Sscanf(got[i], "%s %d", &w, &r); err != nil {
			t.Fatal(err)
		}
		if got[i] != got[i+1] || r != next[w] {
			t.Fatalf("%s comes after %d", got[i], next[w])
		}
		next[w]++
	}
	if n := *f.describe("g").StoredBytes; n != 2*writers*rounds*31 {
		t.Errorf("the group holds %d bytes", n)
	}
	// The last writer may still be on its way out.
	for deadline := time.Now().Add(2 * time.Minute); ; {
		f.lanes.mu.Lock()
		left := len(f.lanes.m)
		f.lanes.mu.Unlock()
		if left == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d lanes are left", left)
		}
	}
}

// TestOneWriteFails: a refused write leaves those that share its transaction alone.
func TestOneWriteFails(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	k := groupKey{account, region, "g"}
	refused := &write{done: make(chan struct{}), apply: func(c *change) error { return errNoStream }}
	fine := &write{done: make(chan struct{}), apply: func(c *change) error {
		_, err := c.createStream("s")
		return err
	}}
	f.commit(f.ctx, k, []*write{refused, fine})
	if refused.err == nil || fine.err != nil {
		t.Errorf("the errors are %v and %v", refused.err, fine.err)
	}
	broken := &write{done: make(chan struct{}), apply: func(c *change) error { return fmt.Errorf("broken") }}
	f.commit(f.ctx, k, []*write{fine, broken})
	if fine.err == nil || broken.err == nil {
		t.Error("a transaction that broke was reported as written")
	}
	f.describe("g")
}

func TestChunk(t *testing.T) {
	c := &chunk{number: 7, streamID: -3, stream: "a/[$LATEST]ü", ingested: 1_700_000_000_000, events: []Event{{1000, "x"}, {1000, ""}, {1001, strings.Repeat("y", 300)}}}
	got, err := decodeChunk(key(kindChunk, int64(1), c.first(), c.number), c.encode())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, c) {
		t.Errorf("got %+v\nwant %+v", got, c)
	}
}

func TestDivide(t *testing.T) {
	big := strings.Repeat("x", maxChunk/2)
	for _, c := range []struct {
		events []Event
		want   []int
	}{
		{[]Event{{0, "a"}, {slot - 1, "b"}, {slot, "c"}}, []int{2, 1}},
		{[]Event{{1, big}, {2, big}, {3, "c"}}, []int{1, 2}},
		{[]Event{{1, big + big + big}, {2, "b"}}, []int{1, 1}},
	} {
		var got []int
		for _, p := range divide(c.events) {
			got = append(got, len(p))
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("got %v, want %v", got, c.want)
		}
	}
}

func FuzzDecodeChunk(f *testing.F) {
	c := &chunk{streamID: 1, stream: "s", ingested: 1, events: []Event{{1000, "x"}, {1001, "y"}}}
	f.Add(c.encode())
	f.Add([]byte{chunkFormat})
	f.Fuzz(func(t *testing.T, value []byte) {
		c, err := decodeChunk(key(kindChunk, int64(1), int64(1000), int64(1)), value)
		if err == nil && len(c.events) == 0 {
			t.Fatal("a chunk without events was read")
		}
	})
}

func TestPlace(t *testing.T) {
	p := place{1_700_000_000_123, 42, 7}
	if len(p.id()) != 56 {
		t.Errorf("the id %s has %d digits", p.id(), len(p.id()))
	}
	got, ok := parsePlace(p.id())
	if !ok || got != p {
		t.Errorf("got %v", got)
	}
	for _, bad := range []string{"", "1", strings.Repeat("x", 56), strings.Repeat("9", 56), "-" + strings.Repeat("1", 55)} {
		if _, ok := parsePlace(bad); ok {
			t.Errorf("%s is taken for a place", bad)
		}
	}
	for range 100 {
		p := place{rand.Int64N(1 << 45), rand.Int64N(1 << 40), rand.IntN(10_000)}
		if got, ok := parsePlace(p.id()); !ok || got != p {
			t.Errorf("%v comes back as %v", p, got)
		}
	}
}
