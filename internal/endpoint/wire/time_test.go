package wire

import (
	"testing"
	"time"
)

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		in                string
		iso, rfc822, unix string // "" for no time
	}{
		{"2015-01-25T08:00:00Z", "2015-01-25T08:00:00Z", "Sun, 25 Jan 2015 08:00:00 GMT", "1422172800"},
		{"2015-01-25T08:00:00.1239Z", "2015-01-25T08:00:00.123Z", "Sun, 25 Jan 2015 08:00:00 GMT", "1422172800.123"},
		{"2015-01-25T10:00:00+02:00", "2015-01-25T08:00:00Z", "Sun, 25 Jan 2015 08:00:00 GMT", "1422172800"},
		{"20150125T080000Z", "2015-01-25T08:00:00Z", "Sun, 25 Jan 2015 08:00:00 GMT", "1422172800"},
		{"2015-01-25T08:00:00", "2015-01-25T08:00:00Z", "Sun, 25 Jan 2015 08:00:00 GMT", "1422172800"},
		{"Sun, 25 Jan 2015 08:00:00 GMT", "2015-01-25T08:00:00Z", "Sun, 25 Jan 2015 08:00:00 GMT", "1422172800"},
		{"1422172800", "2015-01-25T08:00:00Z", "Sun, 25 Jan 2015 08:00:00 GMT", "1422172800"},
		{"1422172800.50", "2015-01-25T08:00:00.500Z", "Sun, 25 Jan 2015 08:00:00 GMT", "1422172800.5"},
		{"-1.5", "1969-12-31T23:59:58.500Z", "Wed, 31 Dec 1969 23:59:58 GMT", "-1.5"},
		{"1422172800000", "", "", ""},
		{"NaN", "", "", ""},
		{"", "", "", ""},
		{"soon", "", "", ""},
	} {
		when, ok := ParseTime(c.in)
		if ok != (c.iso != "") {
			t.Errorf("%q: %v %v", c.in, when, ok)
		}
		if !ok {
			continue
		}
		for f, want := range map[TimeFormat]string{ISO8601: c.iso, RFC822: c.rfc822, Unix: c.unix} {
			if got := string(AppendTime(nil, when, f)); got != want {
				t.Errorf("%q in format %d is %s, not %s", c.in, f, got, want)
			}
		}
	}
}

func FuzzTime(f *testing.F) {
	f.Add("2015-01-25T08:00:00Z")
	f.Add("1422172800.5")
	f.Fuzz(func(t *testing.T, s string) {
		when, ok := ParseTime(s)
		if !ok || when.Year() < 0 || when.Year() > 9999 {
			return
		}
		back, ok := ParseTime(string(AppendTime(nil, when, ISO8601)))
		if !ok || back.Sub(when).Abs() >= time.Millisecond {
			t.Errorf("%q is %v and then %v", s, when, back)
		}
	})
}
