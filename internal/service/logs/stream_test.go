package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/logs"
)

func TestStreams(t *testing.T) {
	f := newFixture(t)
	_, err := f.CreateLogStream(f.ctx, &logs.CreateLogStreamRequest{LogGroupName: new("g"), LogStreamName: new("s")})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	f.group("g")
	f.stream("g", "s")
	_, err = f.CreateLogStream(f.ctx, &logs.CreateLogStreamRequest{LogGroupName: new("g"), LogStreamName: new("s")})
	wantError(t, err, "ResourceAlreadyExistsException", "The specified log stream already exists")
	created := f.millis()

	f.clock.Add(time.Minute)
	f.put("g", "s", "one", "three")
	out := must[*logs.DescribeLogStreamsResponse](t)(f.DescribeLogStreams(f.ctx, &logs.DescribeLogStreamsRequest{LogGroupName: new("g")}))
	s := out.LogStreams[0]
	if *s.CreationTime != created || *s.FirstEventTimestamp != f.millis()-1000 || *s.LastEventTimestamp != f.millis() ||
		*s.LastIngestionTime != f.millis() || *s.StoredBytes != 0 || *s.Arn != "arn:aws:logs:eu-west-1:111122223333:log-group:g:log-stream:s" {
		t.Errorf("got %+v", s)
	}
	if got := *f.describe("g").StoredBytes; got != 3+5+2*26 {
		t.Errorf("the group holds %d bytes", got)
	}

	must[*logs.DeleteLogStreamOutput](t)(f.DeleteLogStream(f.ctx, &logs.DeleteLogStreamRequest{LogGroupName: new("g"), LogStreamName: new("s")}))
	_, err = f.DeleteLogStream(f.ctx, &logs.DeleteLogStreamRequest{LogGroupName: new("g"), LogStreamName: new("s")})
	wantError(t, err, "ResourceNotFoundException", "The specified log stream does not exist.")
	if got := *f.describe("g").StoredBytes; got != 0 {
		t.Errorf("the group still holds %d bytes", got)
	}
	if left := f.keysIn(); len(left) != 2 { // the group and its counter
		t.Errorf("left behind: %v", left)
	}
}

func TestDescribeStreams(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	// By last event: empty, c, a, b.
	for _, name := range []string{"a", "b", "c", "empty"} {
		f.stream("g", name)
	}
	f.put("g", "b", "x")
	f.put("g", "c", "x")
	f.clock.Add(time.Second)
	f.put("g", "a", "x")
	f.clock.Add(time.Second)
	f.put("g", "b", "x")

	list := func(in logs.DescribeLogStreamsRequest) string {
		in.LogGroupName = new("g")
		var names []string
		for {
			out := must[*logs.DescribeLogStreamsResponse](t)(f.DescribeLogStreams(f.ctx, &in))
			for _, s := range out.LogStreams {
				names = append(names, *s.LogStreamName)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return strings.Join(names, " ")
			}
			names = append(names, "|")
		}
	}
	for _, c := range []struct {
		order      string
		descending bool
		limit      int32
		prefix     *string
		want       string
	}{
		{"LogStreamName", false, 50, nil, "a b c empty"},
		{"LogStreamName", true, 3, nil, "empty c b | a"},
		{"LogStreamName", false, 2, new("e"), "empty"},
		{"LastEventTime", false, 4, nil, "empty c a b"},
		{"LastEventTime", true, 3, nil, "b a c | empty"},
		{"LastEventTime", true, 1, nil, "b | a | c | empty"},
	} {
		got := list(logs.DescribeLogStreamsRequest{OrderBy: &c.order, Descending: &c.descending, Limit: &c.limit, LogStreamNamePrefix: c.prefix})
		if got != c.want {
			t.Errorf("%+v: got %s, want %s", c, got, c.want)
		}
	}

	_, err := f.DescribeLogStreams(f.ctx, &logs.DescribeLogStreamsRequest{LogGroupName: new("g"), OrderBy: new("LastEventTime"), LogStreamNamePrefix: new("a")})
	wantError(t, err, "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.")
	_, err = f.DescribeLogStreams(f.ctx, &logs.DescribeLogStreamsRequest{LogGroupName: new("g"), LogGroupIdentifier: new("g")})
	wantError(t, err, "ValidationException", "LogGroup name and LogGroup ARN are mutually exclusive parameters.")
	_, err = f.DescribeLogStreams(f.ctx, &logs.DescribeLogStreamsRequest{LogGroupName: new("nope")})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	for _, id := range []string{"g", "arn:aws:logs:eu-west-1:111122223333:log-group:g", "arn:aws:logs:eu-west-1:111122223333:log-group:g:*"} {
		out := must[*logs.DescribeLogStreamsResponse](t)(f.DescribeLogStreams(f.ctx, &logs.DescribeLogStreamsRequest{LogGroupIdentifier: &id}))
		if len(out.LogStreams) != 4 {
			t.Errorf("%s has %d streams", id, len(out.LogStreams))
		}
	}
}

// TestDeletedStreamOfManyChunks: a stream whose chunks do not fit one transaction goes whole, and the
// others stay.
func TestDeletedStreamOfManyChunks(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.stream("g", "other")
	f.put("g", "other", "kept")
	var many []Event
	for i := range 2*sweepPage + 7 {
		many = append(many, Event{f.millis() + int64(i)*slot, fmt.Sprint(i)}) // a chunk each
	}
	if err := f.Ingest(f.ctx, account, region, "g", "s", many); err != nil {
		t.Fatal(err)
	}
	must[*logs.DeleteLogStreamOutput](t)(f.DeleteLogStream(f.ctx, &logs.DeleteLogStreamRequest{LogGroupName: new("g"), LogStreamName: new("s")}))
	if got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g")}); len(got) != 1 || got[0] != "kept" {
		t.Errorf("found %d events", len(got))
	}
	if left := f.keysIn(); len(left) != 6 { // the group, its counter; a stream, when it was last written, a chunk, its index
		t.Errorf("%d keys are left", len(left))
	}
	if got := awsapi.Val(f.describe("g").StoredBytes); got != 30 {
		t.Errorf("the group holds %d bytes", got)
	}
}

// TestInterruptedDeletion: what a crash leaves of a deleted stream is neither read nor kept.
func TestInterruptedDeletion(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.stream("g", "s")
	f.put("g", "s", "gone")
	err := f.change(f.ctx, groupKey{account, region, "g"}, 0, func(c *change) error {
		st, err := c.stream("s")
		if err != nil {
			return err
		}
		return c.deleteStream(st)
	})
	if err != nil {
		t.Fatal(err)
	}
	// The stream comes again before the rest is swept.
	f.stream("g", "s")
	f.put("g", "s", "new")
	if got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g")}); len(got) != 1 || got[0] != "new" {
		t.Errorf("found %v", got)
	}
	if err := f.Sweep(f.ctx); err != nil {
		t.Fatal(err)
	}
	if left := f.keysIn(); len(left) != 6 {
		t.Errorf("left behind: %v", left)
	}
	if got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g")}); len(got) != 1 || got[0] != "new" {
		t.Errorf("after the sweep found %v", got)
	}
}
