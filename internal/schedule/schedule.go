package schedule

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time zones also where the machine has none

	"github.com/hashicorp/cronexpr"
)

// Schedule is a schedule expression in its time zone.
type Schedule struct {
	at    time.Time     // of an at expression
	every time.Duration // of a rate expression
	cron  *cronexpr.Expression
	zone  *time.Location
}

// once has the form of the time in an at expression, which is one of the schedule's zone.
const once = "2006-01-02T15:04:05"

var expression = regexp.MustCompile(`^(at|rate|cron)\((.*)\)$`)

// Parse reads an expression. zone is an IANA name, "" for UTC.
func Parse(text, zone string) (*Schedule, error) {
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return nil, fmt.Errorf("unknown time zone %q", zone)
	}
	s := &Schedule{zone: location}
	parts := expression.FindStringSubmatch(text)
	if parts == nil {
		return nil, fmt.Errorf("%q is no at, rate or cron expression", text)
	}
	switch parts[1] {
	case "at":
		s.at, err = time.ParseInLocation(once, parts[2], location)
	case "rate":
		s.every, err = parseRate(parts[2])
	default:
		s.cron, err = parseCron(parts[2])
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	return s, nil
}

var (
	rate  = regexp.MustCompile(`^([0-9]{1,9}) +(minute|hour|day)s?$`)
	units = map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
)

// longestRate keeps a rate a number of nanoseconds that fits.
const longestRate = 100 * 365 * 24 * time.Hour

func parseRate(text string) (time.Duration, error) {
	parts := rate.FindStringSubmatch(text)
	if parts == nil {
		return 0, fmt.Errorf("a rate is a positive number and minutes, hours or days")
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 1 || n > int(longestRate/units[parts[2]]) {
		return 0, fmt.Errorf("a rate of %s is out of range", text)
	}
	return time.Duration(n) * units[parts[2]], nil
}

// Once says that the schedule is due one time, at what At returns.
func (s *Schedule) Once() bool { return !s.at.IsZero() }

// Next is when the schedule is due after a moment, the zero time for never. A rate is counted from
// start.
func (s *Schedule) Next(start, after time.Time) time.Time {
	switch {
	case s.Once():
		if s.at.After(after) {
			return s.at
		}
		return time.Time{}
	case s.every > 0:
		if after.Before(start) {
			return start
		}
		return start.Add((after.Sub(start)/s.every + 1) * s.every)
	}
	next := s.cron.Next(after.In(s.zone))
	if next.IsZero() || !next.After(after) {
		return time.Time{}
	}
	return next
}

// field is what a field of a cron expression may hold: names stand for the numbers from first on.
type field struct {
	what  string
	form  *regexp.Regexp
	names []string
	first int
}

const (
	number = `([0-9]{1,4}|[A-Z]{3})`
	item   = `(\*|` + number + `(-` + number + `)?)(/[0-9]{1,4})?`
)

var fields = [6]field{
	{what: "minutes", form: listOf(item)},
	{what: "hours", form: listOf(item)},
	{what: "day of month", form: regexp.MustCompile(`^(\?|L|LW|[0-9]{1,2}W|` + item + `(,` + item + `)*)$`)},
	{what: "month", form: listOf(item), first: 1,
		names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{what: "day of week", form: regexp.MustCompile(`^(\?|L|` + number + `L|` + number + `#[1-5]|` + item + `(,` + item + `)*)$`), first: 1,
		names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
	{what: "year", form: listOf(item)},
}

func listOf(item string) *regexp.Regexp { return regexp.MustCompile(`^` + item + `(,` + item + `)*$`) }

// The fields by their place.
const (
	dayOfMonth = 2
	dayOfWeek  = 4
)

func parseCron(text string) (*cronexpr.Expression, error) {
	parts := strings.Fields(strings.ToUpper(text))
	if len(parts) != len(fields) {
		return nil, fmt.Errorf("a cron expression has six fields, not %d", len(parts))
	}
	for i, f := range fields {
		if !f.form.MatchString(parts[i]) {
			return nil, fmt.Errorf("%s: %q", f.what, parts[i])
		}
		var err error
		if parts[i], err = f.numbers(parts[i]); err == nil {
			err = f.forward(parts[i])
		}
		if err != nil {
			return nil, err
		}
	}
	if (parts[dayOfMonth] == "?") == (parts[dayOfWeek] == "?") {
		return nil, fmt.Errorf("one of day of month and day of week is to be ?")
	}
	var err error
	if parts[dayOfWeek], err = fromZero(parts[dayOfWeek]); err != nil {
		return nil, err
	}
	// The library takes five fields, or six with the year, or seven with the seconds first.
	return cronexpr.Parse("0 " + strings.Join(parts, " "))
}

var name = regexp.MustCompile(`[A-Z]{3}`)

// numbers writes a field's names as numbers.
func (f *field) numbers(text string) (_ string, err error) {
	return name.ReplaceAllStringFunc(text, func(s string) string {
		for i, n := range f.names {
			if n == s {
				return strconv.Itoa(f.first + i)
			}
		}
		err = fmt.Errorf("%s: %q", f.what, s)
		return s
	}), err
}

var span = regexp.MustCompile(`([0-9]+)-([0-9]+)`)

// forward refuses ranges that end before they start, which would stand for nothing.
func (f *field) forward(text string) error {
	for _, ends := range span.FindAllStringSubmatch(text, -1) {
		from, _ := strconv.Atoi(ends[1])
		if to, _ := strconv.Atoi(ends[2]); to < from {
			return fmt.Errorf("%s: %q", f.what, ends[0])
		}
	}
	return nil
}

// weekday is a number that stands for a day of the week: not the step behind a slash, nor which of the
// month it is.
var weekday = regexp.MustCompile(`(^|[,-])[0-9]+`)

// fromZero writes the days of the week from 0, as the library counts them, not from 1. L alone is the
// last of the week.
func fromZero(text string) (_ string, err error) {
	if text == "L" {
		return "6", nil
	}
	return weekday.ReplaceAllStringFunc(text, func(s string) string {
		digits := strings.TrimLeft(s, ",-")
		n, parseErr := strconv.Atoi(digits)
		if parseErr != nil || n < 1 || n > 7 {
			err = fmt.Errorf("day of week: %s", digits)
			return s
		}
		return s[:len(s)-len(digits)] + strconv.Itoa(n-1)
	}), err
}
