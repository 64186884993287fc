package schedule

import (
	"testing"
	"time"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

func TestNext(t *testing.T) {
	const now = "2026-03-04T10:20:30Z" // a Wednesday
	for _, c := range []struct{ expression, zone, want string }{
		{"at(2026-03-04T10:20:31)", "", "2026-03-04T10:20:31Z"},
		{"at(2026-03-04T10:20:30)", "", ""},
		{"at(2026-03-04T12:00:00)", "Europe/Berlin", "2026-03-04T11:00:00Z"},
		{"rate(1 minute)", "", "2026-03-04T10:21:00Z"},
		{"rate(5 minutes)", "", "2026-03-04T10:25:00Z"},
		{"rate(2 hours)", "", "2026-03-04T12:00:00Z"},
		{"rate(1 day)", "", "2026-03-05T10:00:00Z"},
		{"cron(0 18 * * ? *)", "", "2026-03-04T18:00:00Z"},
		{"cron(0 0 ? * MON *)", "", "2026-03-09T00:00:00Z"},
		{"cron(0 0 ? * 2 *)", "", "2026-03-09T00:00:00Z"}, // 1 is Sunday
		{"cron(0 9 ? * MON-FRI *)", "", "2026-03-05T09:00:00Z"},
		{"cron(0 9 ? * 2-6 *)", "Asia/Tokyo", "2026-03-05T00:00:00Z"},
		{"cron(0/15 * * * ? *)", "", "2026-03-04T10:30:00Z"},
		{"cron(15 12 L * ? *)", "", "2026-03-31T12:15:00Z"},
		{"cron(0 0 ? * 6L *)", "", "2026-03-27T00:00:00Z"},  // the last Friday
		{"cron(0 0 ? * L *)", "", "2026-03-07T00:00:00Z"},   // Saturday
		{"cron(0 0 ? * 2#3 *)", "", "2026-03-16T00:00:00Z"}, // the third Monday
		{"cron(0 0 15W 8 ? *)", "", "2026-08-14T00:00:00Z"}, // the 15th is a Saturday
		{"cron(0 0 1 jan ? 2030-2032)", "", "2030-01-01T00:00:00Z"},
		{"cron(0 0 1 1 ? 2020)", "", ""},
		{"cron(30 2 * * ? *)", "America/New_York", "2026-03-05T07:30:00Z"},
	} {
		s, err := Parse(c.expression, c.zone)
		if err != nil {
			t.Errorf("%s: %v", c.expression, err)
			continue
		}
		got := ""
		if next := s.Next(at("2026-03-04T10:00:00Z"), at(now)); !next.IsZero() {
			got = next.UTC().Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%s in %q is next due at %q, want %q", c.expression, c.zone, got, c.want)
		}
	}
}

// A rate that starts later is due at its start.
func TestRateStarts(t *testing.T) {
	s, err := Parse("rate(1 hour)", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Next(at("2026-01-02T00:00:00Z"), at("2026-01-01T00:00:00Z")); got != at("2026-01-02T00:00:00Z") {
		t.Error(got)
	}
}

// Where the clock is put forward over the time, the schedule is due all the same, later in the day or the
// next day, and never twice.
func TestDaylightSaving(t *testing.T) {
	s, err := Parse("cron(30 2 * * ? *)", "America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	now := at("2026-03-07T00:00:00Z")
	for range 400 {
		next := s.Next(now, now)
		if gap := next.Sub(now); next.IsZero() || gap < time.Hour || gap > 49*time.Hour {
			t.Fatalf("after %v comes %v", now, next)
		}
		now = next
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ expression, zone string }{
		{"", ""}, {"cron", ""}, {"every day", ""}, {"at(2026-03-04)", ""}, {"at(2026-13-04T00:00:00)", ""},
		{"rate(0 minutes)", ""}, {"rate(1 second)", ""}, {"rate(-1 day)", ""}, {"rate(999999999 days)", ""},
		{"cron(0 18 * * ?)", ""}, {"cron(0 18 * * * *)", ""}, {"cron(0 18 ? * ? *)", ""}, {"cron(60 18 * * ? *)", ""},
		{"cron(0 24 * * ? *)", ""}, {"cron(0 0 ? * 8 *)", ""}, {"cron(0 0 ? * 0 *)", ""}, {"cron(0 0 ? * FOO *)", ""},
		{"cron(0 0 32 * ? *)", ""}, {"cron(0 0 1 13 ? *)", ""}, {"cron(@daily)", ""}, {"cron(0 0 ? 12-1 2 *)", ""}, {"cron(50-10 0 ? * FRI-MON *)", ""},
		{"rate(1 day)", "Mars/Olympus"}, {"rate(1 day)", "Local"}, {"rate(1 day)", "../../etc/passwd"},
	} {
		if s, err := Parse(c.expression, c.zone); err == nil {
			t.Errorf("%s in %q is taken: %+v", c.expression, c.zone, s)
		}
	}
}

// Whatever is parsed is due later than asked for, or never, and the answer comes.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"at(2026-03-04T10:20:31)", "rate(5 minutes)", "cron(0 18 * * ? *)", "cron(0/15 8-17 ? * 2#1 *)",
		"cron(0 0 LW 2 ? 2096)", "cron(0 0 31W 2 ? *)", "cron(0 0 29 FEB ? 2099)", "cron(1-59/0 * ? * 7L *)", "cron(0 0 ? 12-1 2 *)"} {
		f.Add(s, "Europe/London", int64(1772619630))
	}
	f.Fuzz(func(t *testing.T, text, zone string, now int64) {
		s, err := Parse(text, zone)
		if err != nil {
			return
		}
		after := time.Unix(now%(1<<33), 0)
		start := after.Add(-time.Hour)
		if next := s.Next(start, after); !next.IsZero() && !next.After(after) {
			t.Fatalf("%s in %s: %v is not after %v", text, zone, next, after)
		}
	})
}
