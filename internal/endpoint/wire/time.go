package wire

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// TimeFormat is how a timestamp is written.
type TimeFormat uint8

// The formats. DefaultTime stands for what the place in the message calls for.
const (
	DefaultTime TimeFormat = iota
	ISO8601
	RFC822
	Unix
)

func timeFormat(name string) TimeFormat {
	switch name {
	case "iso8601", "date-time":
		return ISO8601
	case "rfc822", "http-date":
		return RFC822
	case "unixTimestamp", "epoch-seconds":
		return Unix
	}
	return DefaultTime
}

// Or returns f, or the given format where f is the place's default.
func (f TimeFormat) Or(def TimeFormat) TimeFormat {
	if f == DefaultTime {
		return def
	}
	return f
}

// AppendTime appends t in the format, with milliseconds where t has any.
func AppendTime(dst []byte, t time.Time, f TimeFormat) []byte {
	t = t.UTC()
	switch f {
	case RFC822:
		return t.AppendFormat(dst, "Mon, 02 Jan 2006 15:04:05 GMT")
	case Unix:
		return appendUnix(dst, t)
	}
	if t.Nanosecond()/1e6 == 0 {
		return t.AppendFormat(dst, "2006-01-02T15:04:05Z")
	}
	return t.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
}

func appendUnix(dst []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	if ms < 0 {
		dst = append(dst, '-')
		ms = -ms
	}
	dst = strconv.AppendInt(dst, ms/1000, 10)
	if ms %= 1000; ms != 0 {
		dst = append(dst, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
		for dst[len(dst)-1] == '0' {
			dst = dst[:len(dst)-1]
		}
	}
	return dst
}

var timeLayouts = [...]string{
	time.RFC3339Nano,
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02T15:04:05.999999999",
	"20060102T150405Z",
	"2006-01-02",
	"Mon, 02 Jan 2006 15:04:05.999 GMT",
	time.RFC1123,
	time.RFC1123Z,
	"Mon, _2 Jan 2006 15:04:05 MST",
	"Mon, _2 Jan 2006 15:04:05 -0700",
}

// ParseTime reads a timestamp in whichever format it is: services take all of them everywhere.
func ParseTime(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return time.Time{}, false
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return TimeOfSeconds(f)
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// maxSeconds is the last second of the year 9999: later times have no ISO 8601 form.
const maxSeconds = 253402300799

// TimeOfSeconds is the time that many seconds after 1970. Clients that send milliseconds by mistake
// are refused as AWS refuses them: the year has more than four digits.
func TimeOfSeconds(f float64) (time.Time, bool) {
	if math.IsNaN(f) || math.Abs(f) > maxSeconds {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(f)
	return time.Unix(int64(whole), int64(math.Round(fraction*1e6))*1e3).UTC(), true
}
