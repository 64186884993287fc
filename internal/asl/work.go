package asl

import (
	"fmt"
	"slices"
	"time"

	"cirro/internal/asl/document"
)

// DefaultTimeout is how long a task may take where nothing else is said, in seconds.
// https://docs.aws.amazon.com/step-functions/latest/dg/state-task.html#task-state-fields
const DefaultTimeout = 99_999_999

// Timeouts are how long a task may take, and how long it may be silent; 0 where there is no bound.
func (s *State) Timeouts(sc *Scope) (timeout, heartbeat time.Duration, failure *Failure) {
	if timeout, failure = s.duration(sc, s.timeout, "TimeoutSeconds"); failure != nil {
		return 0, 0, failure
	}
	heartbeat, failure = s.duration(sc, s.heartbeat, "HeartbeatSeconds")
	return timeout, heartbeat, failure
}

func (s *State) duration(sc *Scope, e expression, field string) (time.Duration, *Failure) {
	if e == nil {
		return 0, nil
	}
	n, failure := s.whole(sc, e, field, 1, DefaultTimeout)
	return time.Duration(n) * time.Second, failure
}

// whole evaluates a field that wants a whole number.
func (s *State) whole(sc *Scope, e expression, field string, least, most int64) (int64, *Failure) {
	v := s.view(sc, sc.Input)
	value, failure := e.eval(v, named(e, field))
	if failure != nil {
		return 0, failure
	}
	n, ok := document.Whole(value)
	switch {
	case !ok:
		return 0, v.unfit(e, field, "integer", value)
	case n < least || n > most:
		return 0, v.outside(e, field, n, least, most)
	}
	return n, nil
}

// named is the name of a field as it stands in the definition: that of a path ends so.
func named(e expression, field string) string {
	if _, ok := e.(path); ok {
		return field + "Path"
	}
	return field
}

// unfit is the failure of a field whose path or query finds no number of the kind that it wants.
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/scenarios/test_base_scenarios.snapshot.json
func (v *view) unfit(e expression, field, kind string, value any) *Failure {
	p, ok := e.(path)
	if !ok {
		return v.mistyped(e, field, "number", value)
	}
	if field == "Seconds" {
		return v.runtime("The SecondsPath parameter cannot be parsed as a long value: %s == %s", p.Text, plain(value))
	}
	return v.runtime("The %sPath field refers to value \"%s\" which is not a valid %s: %s", field, plain(value), kind, p.Text)
}

// outside is the failure of a field whose number is too small or too large.
func (v *view) outside(e expression, field string, n, least, most int64) *Failure {
	switch p, byPath := e.(path); {
	case field == "Seconds" && n < 0 && byPath:
		return v.runtime("The SecondsPath parameter references a negative value: %s == %d", p.Text, n)
	case field == "MaxConcurrency" && n < 0:
		return v.misused(field, "Expected non-negative integer for MaxConcurrency, got '%d' instead.", n)
	case field == "ToleratedFailureCount" && n < 0:
		return v.misused(field, "ToleratedFailureCount cannot be negative.")
	}
	return v.misused(field, "The value %d for the field '%s' must be between %d and %d", n, field, least, most)
}

// misused is the failure of a field that has a value which it must not have.
func (v *view) misused(field, reason string, args ...any) *Failure {
	if v.state.Language != JSONata {
		return v.runtime(reason, args...)
	}
	failure := v.failure(QueryEvaluationError, reason, args...)
	failure.Location = field
	return failure
}

// plain is a value within a message: a text as it is.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(document.Encode(v))
}

// Credentials are the role that a task assumes, or nil.
func (s *State) Credentials(sc *Scope) (any, *Failure) {
	if s.credentials == nil {
		return nil, nil
	}
	return s.credentials.eval(s.view(sc, sc.Input), "Credentials")
}

// longestWait bounds a Wait state.
const longestWait = 99_999_999

// Until is when a Wait state ends that was entered at now.
func (s *State) Until(sc *Scope, now time.Time) (time.Time, *Failure) {
	effective := sc.Input
	if s.Language == JSONPath {
		var failure *Failure
		if effective, failure = s.InputPath.filtered(s.view(sc, sc.Input)); failure != nil {
			return time.Time{}, failure
		}
	}
	inner := *sc
	inner.Input = effective
	if s.seconds != nil {
		if failure := s.view(&inner, effective).noInput(s.seconds, "Seconds"); failure != nil {
			return time.Time{}, failure
		}
		n, failure := s.whole(&inner, s.seconds, "Seconds", 0, longestWait)
		return now.Add(time.Duration(n) * time.Second), failure
	}
	v := s.view(&inner, effective)
	if failure := v.noInput(s.timestamp, "Timestamp"); failure != nil {
		return time.Time{}, failure
	}
	value, failure := s.timestamp.eval(v, "Timestamp")
	if failure != nil {
		return time.Time{}, failure
	}
	text, ok := value.(string)
	if !ok && s.Language == JSONata {
		return time.Time{}, v.mistyped(s.timestamp, "Timestamp", "string", value)
	}
	at, ok := Timestamp(text)
	if !ok {
		return time.Time{}, v.noTime(s.timestamp, value)
	}
	return at, nil
}

// noTime is the failure of a Wait state whose path or query finds no time.
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/base/test_wait.snapshot.json
func (v *view) noTime(e expression, value any) *Failure {
	if p, ok := e.(path); ok {
		return v.runtime("The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: %s == %s", p.Text, plain(value))
	}
	return v.misused("Timestamp", "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: %s", plain(value))
}

// noInput is the failure of a Wait state whose path leads nowhere; nil for none.
func (v *view) noInput(e expression, field string) *Failure {
	p, ok := e.(path)
	if !ok {
		return nil
	}
	if _, found := v.find(p.Path); found {
		return nil
	}
	return v.runtime("The %sPath parameter does not reference an input value: %s", field, p.Text)
}

// Timestamp reads a time of RFC 3339's profile: with a capital T, and a capital Z where there is no offset.
// https://states-language.net/spec.html#timestamps
func Timestamp(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil
}

// RetryAfter says whether, and after how long, a state is tried again that failed. attempts counts the tries
// of each retrier, in the order of the definition; random gives a number from 0 to 1 for jitter.
func (s *State) RetryAfter(f *Failure, attempts []int64, random func() float64) (delay time.Duration, retrier int, again bool) {
	for i, r := range s.Retriers {
		if !f.caught(r.ErrorEquals) {
			continue
		}
		if attempts[i] >= r.MaxAttempts {
			return 0, i, false
		}
		seconds := r.IntervalSeconds
		for range attempts[i] {
			seconds *= r.BackoffRate
			if seconds > longestWait {
				break
			}
		}
		if r.MaxDelaySeconds > 0 {
			seconds = min(seconds, r.MaxDelaySeconds)
		}
		if r.FullJitter {
			seconds *= random()
		}
		return time.Duration(min(seconds, longestWait) * float64(time.Second)), i, true
	}
	return 0, -1, false
}

// Catch makes the outcome of a failure that one of the state's catchers names; caught is false where none does.
func (s *State) Catch(sc *Scope, f *Failure) (out Outcome, caught bool, failure *Failure) {
	for i, c := range s.Catchers {
		if !f.caught(c.ErrorEquals) {
			continue
		}
		of := fmt.Sprintf("Catch[%d]/", i)
		errorOutput := ErrorOutput(f)
		inner := *sc
		inner.Error, inner.Done = errorOutput, false
		out.Next = c.Next
		if out.Variables, failure = s.assigned(&inner, c.assign, of, errorOutput); failure != nil {
			return out, true, failure
		}
		if s.Language == JSONata {
			out.Output = errorOutput
			if c.output != nil {
				out.Output, failure = c.output.eval(s.view(&inner, nil), of+"Output")
			}
			return out, true, failure
		}
		out.Output, failure = s.placed(&inner, errorOutput, c.ResultPath, c.DiscardResult)
		return out, true, failure
	}
	return out, false, nil
}

// Catches reports whether one of the state's catchers names a failure.
func (s *State) Catches(f *Failure) bool { return s.CaughtBy(f) >= 0 }

// CaughtBy is the place of the catcher that a failure is for; -1 for none.
func (s *State) CaughtBy(f *Failure) int {
	return slices.IndexFunc(s.Catchers, func(c Catcher) bool { return f.caught(c.ErrorEquals) })
}

// ErrorOutput is a failure as a catcher's state gets it.
func ErrorOutput(f *Failure) *document.Object {
	return document.NewObject("Error", f.Error, "Cause", f.Cause)
}
