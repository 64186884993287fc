package schedule

import (
	"testing"
	"time"
)

// TestByClock has the nights in which New York's clocks change, and one in Lord Howe, where they change by
// half an hour.
func TestByClock(t *testing.T) {
	for _, c := range []struct {
		expression, zone, after string
		want                    []string
	}{
		// On 8 March 2026 half past two does not come.
		{"cron(30 2 * * ? *)", "America/New_York", "2026-03-07T00:00:00Z", []string{"2026-03-07T07:30:00Z", "2026-03-09T06:30:00Z", "2026-03-10T06:30:00Z"}},
		{"cron(0/30 1-3 8 3 ? 2026)", "America/New_York", "2026-03-07T00:00:00Z", []string{"2026-03-08T06:00:00Z", "2026-03-08T06:30:00Z", "2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z", ""}},
		// On 1 November 2026 half past one comes twice.
		{"cron(30 1 * * ? *)", "America/New_York", "2026-10-31T12:00:00Z", []string{"2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"}},
		{"cron(30 1 * * ? *)", "America/New_York", "2026-11-01T05:30:00Z", []string{"2026-11-02T06:30:00Z"}},
		{"cron(0/30 1 1 11 ? 2026)", "America/New_York", "2026-11-01T06:10:00Z", []string{""}},
		{"cron(0/20 0-2 1 11 ? 2026)", "America/New_York", "2026-11-01T05:10:00Z", []string{"2026-11-01T05:20:00Z", "2026-11-01T05:40:00Z", "2026-11-01T07:00:00Z"}},
		{"cron(45 1 5 4 ? 2026)", "Australia/Lord_Howe", "2026-04-01T00:00:00Z", []string{"2026-04-04T14:45:00Z", ""}},
		{"cron(15 2 4 10 ? 2026)", "Australia/Lord_Howe", "2026-04-01T00:00:00Z", []string{""}},
		// Rates count real time.
		{"rate(1 hour)", "America/New_York", "2026-11-01T05:30:00Z", []string{"2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"}},
		{"at(2026-11-01T01:30:00)", "America/New_York", "2026-01-01T00:00:00Z", []string{"2026-11-01T05:30:00Z", ""}},
	} {
		s, err := Parse(c.expression, c.zone)
		if err != nil {
			t.Fatal(err)
		}
		now := at(c.after)
		for _, want := range c.want {
			next, got := s.NextByClock(at("2026-01-01T00:00:00Z"), now), ""
			if !next.IsZero() {
				got = next.UTC().Format(time.RFC3339)
			}
			if got != want {
				t.Errorf("%s in %s after %v is due at %q, not %q", c.expression, c.zone, now, got, want)
				break
			}
			now = next
		}
	}
}

// FuzzByClock checks against a clock that is looked at every minute.
func FuzzByClock(f *testing.F) {
	f.Add("cron(30 2 * * ? *)", "America/New_York", int64(1772841600))
	f.Add("cron(0/7 1-3 ? * SUN *)", "Europe/Berlin", int64(1792800000))
	f.Add("cron(45 1 * * ? *)", "Australia/Lord_Howe", int64(1775230000))
	f.Fuzz(func(t *testing.T, text, zone string, now int64) {
		s, err := Parse(text, zone)
		if err != nil || s.cron == nil {
			return
		}
		after := time.Unix(now%(1<<32), 0).Truncate(time.Minute)
		next := s.NextByClock(after, after)
		if next.IsZero() {
			return
		}
		if !next.After(after) {
			t.Fatalf("%v is not after %v", next, after)
		}
		wall := onWall(next.In(s.zone))
		if got := s.cron.Next(wall.Add(-time.Second)); !got.Equal(wall) {
			t.Fatalf("%s is not due at %v", text, wall)
		}
		for before := next.Add(-3 * time.Hour); before.Before(next); before = before.Add(time.Minute) {
			if onWall(before.In(s.zone)).Equal(wall) {
				t.Fatalf("the clock showed %v before", wall)
			}
		}
	})
}
