package logs

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"cirro/internal/awsapi/logs"
)

var errEnough = errors.New("enough")

// follow starts a live tail. write is called when the session has started; what comes then is passed
// to f until it reports true.
func (fx *fixture) tailUntil(in *logs.StartLiveTailRequest, write func(), f func(*logs.LiveTailSessionUpdate) bool) (start *logs.LiveTailSessionStart) {
	fx.t.Helper()
	out := must[*logs.StartLiveTailResponse](fx.t)(fx.StartLiveTail(fx.ctx, in))
	err := out.ResponseStream(func(event any) error {
		e := event.(*logs.StartLiveTailResponseStream)
		switch {
		case e.SessionStart != nil:
			start = e.SessionStart
			write()
		case e.SessionUpdate != nil:
			if f(e.SessionUpdate) {
				return errEnough
			}
		default:
			fx.t.Errorf("the event is %+v", e)
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		fx.t.Errorf("the session ended with %v", err)
	}
	if len(fx.tails.m) != 0 || len(fx.tails.all) != 0 {
		fx.t.Error("the session is still known after its end")
	}
	return start
}

func TestLiveTail(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.group("h")
	for _, name := range []string{"web/1", "web/2", "job"} {
		f.stream("g", name)
	}
	f.stream("h", "web/1")
	arn := "arn:aws:logs:eu-west-1:111122223333:log-group:g"
	for _, c := range []struct {
		name string
		in   logs.StartLiveTailRequest
		want []string
	}{
		{"all", logs.StartLiveTailRequest{LogGroupIdentifiers: []string{arn}}, []string{"ERROR 1", "ERROR 2", "INFO 3"}},
		{"pattern", logs.StartLiveTailRequest{LogGroupIdentifiers: []string{arn}, LogEventFilterPattern: new("ERROR")}, []string{"ERROR 1", "ERROR 2"}},
		{"names", logs.StartLiveTailRequest{LogGroupIdentifiers: []string{arn}, LogStreamNames: []string{"web/2", "job"}}, []string{"ERROR 2", "INFO 3"}},
		{"prefixes", logs.StartLiveTailRequest{LogGroupIdentifiers: []string{arn}, LogStreamNamePrefixes: []string{"web/"}}, []string{"ERROR 1", "ERROR 2"}},
		{"two groups", logs.StartLiveTailRequest{LogGroupIdentifiers: []string{arn, "h"}}, []string{"ERROR 1", "ERROR 2", "INFO 3", "other"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			start := f.tailUntil(&c.in, func() {
				f.put("g", "web/1", "ERROR 1")
				f.put("g", "web/2", "ERROR 2")
				f.put("g", "job", "INFO 3")
				f.put("h", "web/1", "other")
			}, func(u *logs.LiveTailSessionUpdate) bool {
				if u.SessionResults == nil || *u.SessionMetadata.Sampled {
					t.Errorf("the update is %+v", u)
				}
				for _, e := range u.SessionResults {
					got = append(got, *e.Message)
					if len(got) == 1 && (*e.LogGroupIdentifier != account+":g" || *e.Timestamp != f.millis() || *e.IngestionTime != f.millis()) {
						t.Errorf("the event is %+v", e)
					}
				}
				return len(got) >= len(c.want)
			})
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if *start.RequestId != "request" || *start.SessionId == "" || !reflect.DeepEqual(start.LogGroupIdentifiers, c.in.LogGroupIdentifiers) {
				t.Errorf("the session starts with %+v", start)
			}
		})
	}
}

// TestLiveTailSamples: of many events an update holds 500, and says so.
func TestLiveTailSamples(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.stream("g", "s")
	var many []string
	for i := range 3 * maxUpdate {
		many = append(many, fmt.Sprint(i))
	}
	f.tailUntil(&logs.StartLiveTailRequest{LogGroupIdentifiers: []string{"g"}}, func() {
		var events []Event
		for _, m := range many {
			events = append(events, Event{slotOf(f.millis()), m})
		}
		if err := f.Ingest(f.ctx, account, region, "g", "s", events); err != nil {
			t.Fatal(err)
		}
	}, func(u *logs.LiveTailSessionUpdate) bool {
		if len(u.SessionResults) == 0 {
			return false
		}
		if len(u.SessionResults) != maxUpdate || !*u.SessionMetadata.Sampled {
			t.Errorf("the update holds %d events, sampled %v", len(u.SessionResults), *u.SessionMetadata.Sampled)
		}
		return true
	})
}

// TestSlowTail: what waits for a client that does not read is bounded.
func TestSlowTail(t *testing.T) {
	tl := &tail{}
	c := &chunk{events: make([]Event, 100)}
	for range 1000 {
		tl.push(groupKey{}, []*chunk{c})
	}
	if tl.events > maxBehind || !tl.dropped {
		t.Errorf("%d events wait", tl.events)
	}
}

func TestLiveTailEnds(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	_, err := f.StartLiveTail(f.ctx, &logs.StartLiveTailRequest{LogGroupIdentifiers: []string{"nope"}})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")

	ctx, cancel := context.WithCancel(f.ctx)
	out := must[*logs.StartLiveTailResponse](t)(f.StartLiveTail(ctx, &logs.StartLiveTailRequest{LogGroupIdentifiers: []string{"g"}}))
	cancel()
	if err := out.ResponseStream(func(any) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("with its request the session ends with %v", err)
	}

	out = must[*logs.StartLiveTailResponse](t)(f.StartLiveTail(f.ctx, &logs.StartLiveTailRequest{LogGroupIdentifiers: []string{"g"}}))
	err = out.ResponseStream(func(event any) error {
		if event.(*logs.StartLiveTailResponseStream).SessionStart != nil {
			f.EndTails()
		}
		return nil
	})
	if err != nil {
		t.Errorf("with the service the session ends with %v", err)
	}
	out = must[*logs.StartLiveTailResponse](t)(f.StartLiveTail(f.ctx, &logs.StartLiveTailRequest{LogGroupIdentifiers: []string{"g"}}))
	wantError(t, out.ResponseStream(func(any) error { return nil }), "ServiceUnavailableException", "The service is shutting down.")
}
