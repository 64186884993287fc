package logs

import (
	"fmt"
	"reflect"
	"testing"

	"cirro/internal/awsapi/logs"
)

func TestFilterLogEvents(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.stream("g", "web")
	f.stream("g", "job")
	f.put("g", "web", "ERROR one", `{"level":"ERROR","code":500}`, "INFO fine")
	f.put("g", "job", `{"level":"INFO","code":200}`, "ERROR two")
	for pattern, want := range map[string][]string{
		"ERROR -two":                         {"ERROR one", `{"level":"ERROR","code":500}`},
		`{ $.level = "*" && $.code >= 300 }`: {`{"level":"ERROR","code":500}`},
		"[level = INFO, rest]":               {"INFO fine"},
		"?one ?two":                          {"ERROR one", "ERROR two"},
		"nothing":                            nil,
		"":                                   {"ERROR one", `{"level":"ERROR","code":500}`, `{"level":"INFO","code":200}`, "INFO fine", "ERROR two"},
	} {
		if got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g"), FilterPattern: &pattern}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s finds %q, want %q", pattern, got, want)
		}
	}

	out := must[*logs.FilterLogEventsResponse](t)(f.FilterLogEvents(f.ctx, &logs.FilterLogEventsRequest{LogGroupIdentifier: new("g"), FilterPattern: new("two")}))
	e := out.Events[0]
	if *e.LogStreamName != "job" || *e.Timestamp != f.millis() || *e.IngestionTime != f.millis() || len(*e.EventId) != 56 {
		t.Errorf("got %+v", e)
	}
	if out.SearchedLogStreams == nil || len(out.SearchedLogStreams) != 0 {
		t.Errorf("the streams searched are %v", out.SearchedLogStreams)
	}
	// A full last page promises no other.
	out = must[*logs.FilterLogEventsResponse](t)(f.FilterLogEvents(f.ctx, &logs.FilterLogEventsRequest{LogGroupName: new("g"), Limit: new(int32(5))}))
	if len(out.Events) != 5 || out.NextToken != nil {
		t.Errorf("%d events with the token %v", len(out.Events), out.NextToken)
	}
}

func TestFilterLogEventsErrors(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	for _, c := range []struct {
		name          string
		in            logs.FilterLogEventsRequest
		code, message string
	}{
		{"no group", logs.FilterLogEventsRequest{LogGroupName: new("nope")}, "ResourceNotFoundException", "The specified log group does not exist."},
		{"no stream", logs.FilterLogEventsRequest{LogGroupName: new("g"), LogStreamNames: []string{"nope"}}, "ResourceNotFoundException", "The specified log stream does not exist."},
		{"token", logs.FilterLogEventsRequest{LogGroupName: new("g"), NextToken: new("nope")}, "InvalidParameterException", "The specified nextToken is invalid."},
		{"pattern", logs.FilterLogEventsRequest{LogGroupName: new("g"), FilterPattern: new("f(x)")}, "InvalidParameterException", "Invalid character(s) in term '('"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := f.FilterLogEvents(f.ctx, &c.in)
			wantError(t, err, c.code, c.message)
		})
	}
}

func TestTestMetricFilter(t *testing.T) {
	f := newFixture(t)
	out := must[*logs.TestMetricFilterResponse](t)(f.TestMetricFilter(f.ctx, &logs.TestMetricFilterRequest{
		FilterPattern: new("[ip, ..., size > 1000]"),
		LogEventMessages: []string{
			"no match",
			`127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET / HTTP/1.0" 200 1534`,
		},
	}))
	if len(out.Matches) != 1 {
		t.Fatalf("%d match", len(out.Matches))
	}
	m := out.Matches[0]
	want := map[string]string{"$ip": "127.0.0.1", "$2": "-", "$3": "frank", "$4": "10/Oct/2000:13:25:15 -0700", "$5": "GET / HTTP/1.0", "$6": "200", "$size": "1534"}
	if *m.EventNumber != 2 || !reflect.DeepEqual(m.ExtractedValues, want) {
		t.Errorf("event %d with %v", *m.EventNumber, m.ExtractedValues)
	}

	_, err := f.PutMetricFilter(f.ctx, &logs.PutMetricFilterRequest{})
	if err == nil || !isAPIError(err) {
		t.Errorf("a metric filter that records nothing: %v", err)
	}
}

// TestPatternCache: the memory of compiled patterns is bounded.
func TestPatternCache(t *testing.T) {
	var ps patterns
	for i := range 2*maxPatterns + 1 {
		if _, err := ps.compile(fmt.Sprint("p", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(ps.m) > maxPatterns {
		t.Errorf("%d patterns are remembered", len(ps.m))
	}
}
