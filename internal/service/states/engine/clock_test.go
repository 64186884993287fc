package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cirro/internal/asl"
)

// timed are executions that wait in all ways there are, how long they take, and how they end.
var timed = []struct {
	name, machine, run string
	takes              time.Duration
	status             string
}{
	{"seconds", `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":100,"End":true}}}`, `{}`, 100 * time.Second, Succeeded},
	{"a timestamp", `{"StartAt":"W","States":{"W":{"Type":"Wait","Timestamp":"2026-01-01T00:02:00Z","End":true}}}`, `{}`, 120 * time.Second, Succeeded},
	{"one after the other", `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":30,"Next":"X"},"X":{"Type":"Wait","Seconds":70,"Next":"Y"},"Y":{"Type":"Wait","Seconds":5,"End":true}}}`,
		`{}`, 105 * time.Second, Succeeded},
	{"retries", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Retry":[{"ErrorEquals":["E"],"IntervalSeconds":40,"BackoffRate":2}],"End":true}}}`,
		"{}\nA! E\nA! E\nA: 1", 120 * time.Second, Succeeded},
	{"a timeout", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","TimeoutSeconds":90,"End":true}}}`,
		"{}\nA?", 90 * time.Second, Failed},
	{"a heartbeat", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","HeartbeatSeconds":80,"End":true}}}`,
		"{}\nA?", 80 * time.Second, Failed},
	{"a timeout of all", `{"StartAt":"W","TimeoutSeconds":70,"States":{"W":{"Type":"Wait","Seconds":1000,"End":true}}}`, `{}`, 70 * time.Second, TimedOut},
	{"branches", `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"End":true}}},
		{"StartAt":"X","States":{"X":{"Type":"Wait","Seconds":110,"End":true}}}]}}}`, `{}`, 110 * time.Second, Succeeded},
}

// TestTheClockIsSet sets the clock forward and back while executions wait: no time to come is lost, none comes early or
// late by more than the clock was set, and the history is what it would have been. Where timers go on by what has
// passed, and where they go by the clock.
func TestTheClockIsSet(t *testing.T) {
	const at = 50 * time.Second
	for _, c := range timed {
		m, diagnostics := asl.Parse([]byte(c.machine))
		if m == nil {
			t.Fatal(diagnostics)
		}
		undisturbed := newWorld(t, m, c.run)
		undisturbed.run()
		for _, jump := range []time.Duration{0, time.Second, time.Hour, -time.Second, -time.Hour} {
			for _, byClock := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%t", c.name, jump, byClock), func(t *testing.T) {
					w := newWorld(t, m, c.run)
					set := time.Duration(0)
					w.before = func(next time.Time) {
						if set != 0 || next.Sub(w.began) < at {
							return
						}
						if set = jump; byClock {
							w.now = w.began.Add(at + jump)
						}
					}
					if !byClock {
						w.engine.Clock = func() time.Time { return w.now.Add(set) }
					}
					w.run()
					took := w.now.Sub(w.began)
					if byClock {
						took -= set
					}
					if off := (took - c.takes).Abs(); off > jump.Abs() {
						t.Errorf("it takes %s, not %s", took, c.takes)
					}
					if got := w.find().Status; got != c.status {
						t.Errorf("it is %s, not %s", got, c.status)
					}
					if got, want := types(w), types(undisturbed); got != want {
						t.Errorf("the history is\n%s\nnot\n%s", got, want)
					}
				})
			}
		}
	}
}

// types are the types of an execution's events.
func types(w *world) string {
	var list []string
	err := History(w.tx, caseID, 0, false, func(e Event) bool {
		list = append(list, e.Type)
		return true
	})
	if err != nil {
		w.Fatal(err)
	}
	return strings.Join(list, " ")
}
