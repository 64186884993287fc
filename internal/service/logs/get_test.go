package logs

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi/logs"
)

// get reads one page and returns its messages, joined.
func (f *fixture) get(in logs.GetLogEventsRequest) (messages, forward, backward string) {
	f.t.Helper()
	in.LogGroupName, in.LogStreamName = new("g"), new("s")
	out := must[*logs.GetLogEventsResponse](f.t)(f.GetLogEvents(f.ctx, &in))
	for _, e := range out.Events {
		messages += *e.Message
	}
	return messages, *out.NextForwardToken, *out.NextBackwardToken
}

func TestGetLogEvents(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.stream("g", "s")

	// The end of an empty stream is a place from which a reader goes on.
	page, tail, _ := f.get(logs.GetLogEventsRequest{StartFromHead: new(true)})
	if page != "" {
		t.Errorf("an empty stream holds %q", page)
	}
	if _, again, _ := f.get(logs.GetLogEventsRequest{NextToken: &tail}); again != tail {
		t.Errorf("the token at the end changed from %s to %s", tail, again)
	}
	f.put("g", "s", "a", "b", "c", "d", "e")
	if page, _, _ := f.get(logs.GetLogEventsRequest{NextToken: &tail}); page != "abcde" {
		t.Errorf("after the end came %q", page)
	}

	// From the head, forwards.
	two := new(int32(2))
	page, forward, back := f.get(logs.GetLogEventsRequest{StartFromHead: new(true), Limit: two})
	if page != "ab" {
		t.Errorf("the head is %q", page)
	}
	if page, same, _ := f.get(logs.GetLogEventsRequest{NextToken: &back, Limit: two}); page != "" || !strings.HasPrefix(same, "f/") {
		t.Errorf("before the head is %q", page)
	}
	page, forward, _ = f.get(logs.GetLogEventsRequest{NextToken: &forward, Limit: two})
	if page != "cd" {
		t.Errorf("the second page is %q", page)
	}
	page, forward, back = f.get(logs.GetLogEventsRequest{NextToken: &forward, Limit: two})
	if page != "e" {
		t.Errorf("the last page is %q", page)
	}
	page, again, back2 := f.get(logs.GetLogEventsRequest{NextToken: &forward, Limit: two})
	if page != "" || again != forward {
		t.Errorf("after the last page came %q with the token %s, not %s", page, again, forward)
	}
	// Back from the end comes the last page again, and from there the one before.
	if page, _, _ = f.get(logs.GetLogEventsRequest{NextToken: &back2, Limit: two}); page != "de" {
		t.Errorf("back from the end came %q", page)
	}
	if page, _, _ = f.get(logs.GetLogEventsRequest{NextToken: &back, Limit: two}); page != "cd" {
		t.Errorf("before the last page came %q", page)
	}

	// From the end, backwards: the latest, in order of time.
	page, _, back = f.get(logs.GetLogEventsRequest{Limit: two})
	if page != "de" {
		t.Errorf("the end is %q", page)
	}
	page, _, back = f.get(logs.GetLogEventsRequest{NextToken: &back, Limit: two})
	if page != "bc" {
		t.Errorf("before it is %q", page)
	}
	page, _, back = f.get(logs.GetLogEventsRequest{NextToken: &back, Limit: two})
	if page != "a" {
		t.Errorf("before that is %q", page)
	}
	page, _, again = f.get(logs.GetLogEventsRequest{NextToken: &back, Limit: two})
	if page != "" || again != back {
		t.Errorf("before the first came %q with the token %s, not %s", page, again, back)
	}

	// The start is included, the end is not.
	now := f.millis()
	page, _, _ = f.get(logs.GetLogEventsRequest{StartTime: new(now - 3000), EndTime: new(now - 1000)})
	if page != "bc" {
		t.Errorf("the span holds %q", page)
	}
}

func TestGetLogEventsErrors(t *testing.T) {
	f := newFixture(t)
	_, err := f.GetLogEvents(f.ctx, &logs.GetLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s")})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	f.group("g")
	_, err = f.GetLogEvents(f.ctx, &logs.GetLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s")})
	wantError(t, err, "ResourceNotFoundException", "The specified log stream does not exist.")
	for _, token := range []string{"x", "f/", "f/1/s", "g/" + place{}.id() + "/s", "f/" + place{}.id(), "f/" + place{}.id() + "/s/"} {
		_, err = f.GetLogEvents(f.ctx, &logs.GetLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s"), NextToken: &token})
		wantError(t, err, "InvalidParameterException", "The specified nextToken is invalid.")
	}
}

// TestAnswerSize: an answer holds a mebibyte of events at most, but one event at least.
func TestAnswerSize(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.stream("g", "s")
	for range 5 {
		f.clock.Add(time.Second)
		f.put("g", "s", strings.Repeat("x", 400<<10))
	}
	out := must[*logs.GetLogEventsResponse](t)(f.GetLogEvents(f.ctx, &logs.GetLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s")}))
	if len(out.Events) != 2 {
		t.Errorf("one answer holds %d events", len(out.Events))
	}
	if got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g")}); len(got) != 5 {
		t.Errorf("all pages hold %d events", len(got))
	}
}

// TestAgainstModel writes random events, whose chunks overlap and end and begin with slots, and
// reads them in every way; a sorted list says what must come.
func TestAgainstModel(t *testing.T) {
	type event struct {
		time   int64
		stream string
		text   string
	}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		f := newFixture(t)
		var all []event // in order of arrival
		base := slotOf(f.millis()) - 10*slot
		width := 1 + r.Int64N(5*slot)
		for range 30 {
			st := fmt.Sprint("s", r.IntN(3))
			start := base + r.Int64N(width)
			var batch []Event
			for range 1 + r.IntN(8) {
				start += r.Int64N(slot / 2)
				text := fmt.Sprint(len(all))
				batch = append(batch, Event{start, text})
				all = append(all, event{start, st, text})
			}
			if err := f.Ingest(f.ctx, account, region, "g", st, batch); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortStableFunc(all, func(a, b event) int { return cmp.Compare(a.time, b.time) })
		texts := func(want func(event) bool) (texts []string) {
			for _, e := range all {
				if want(e) {
					texts = append(texts, e.text)
				}
			}
			return texts
		}
		same := func(what string, got, want []string) {
			t.Helper()
			if !reflect.DeepEqual(got, want) {
				t.Errorf("seed %d, %s:\ngot  %v\nwant %v", seed, what, got, want)
			}
		}

		limit := new(int32(1 + r.IntN(20)))
		from, to := base+r.Int64N(width), base+r.Int64N(2*width)
		same("group", f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g"), Limit: limit}), texts(func(event) bool { return true }))
		same("span", f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g"), Limit: limit, StartTime: &from, EndTime: &to}),
			texts(func(e event) bool { return from <= e.time && e.time <= to }))
		same("two streams", f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g"), Limit: limit, LogStreamNames: []string{"s2", "s0", "s2"}}),
			texts(func(e event) bool { return e.stream != "s1" }))
		same("prefix", f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g"), Limit: limit, LogStreamNamePrefix: new("s1")}),
			texts(func(e event) bool { return e.stream == "s1" }))
		same("pattern", f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g"), Limit: limit, FilterPattern: new("%^1%")}),
			texts(func(e event) bool { return e.text[0] == '1' }))

		want := texts(func(e event) bool { return e.stream == "s0" && from <= e.time && e.time < to })
		for _, head := range []bool{true, false} {
			var got []string
			in := &logs.GetLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s0"), Limit: limit, StartFromHead: &head, StartTime: &from, EndTime: &to}
			for {
				out := must[*logs.GetLogEventsResponse](t)(f.GetLogEvents(f.ctx, in))
				var page []string
				for _, e := range out.Events {
					page = append(page, *e.Message)
				}
				next := out.NextForwardToken
				if head {
					got = append(got, page...)
				} else {
					got = append(page, got...)
					next = out.NextBackwardToken
				}
				if in.NextToken != nil && *next == *in.NextToken || in.NextToken == nil && page == nil {
					break
				}
				in.NextToken = next
			}
			same(fmt.Sprint("stream, from the head: ", head), got, want)
		}
	}
}
