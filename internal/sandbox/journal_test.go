package sandbox

import (
	"strings"
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	var b budget
	at := time.Now()
	if _, ok := b.take(at, burst); !ok {
		t.Fatal("the burst was refused")
	}
	for range 3 {
		if _, ok := b.take(at, 10); ok {
			t.Fatal("more than the burst was taken")
		}
	}
	lost, ok := b.take(at.Add(time.Second), rate)
	if !ok || lost == nil || lost.DroppedRecords != 3 || lost.DroppedBytes != 30 {
		t.Fatalf("a second later: %v, %+v", ok, lost)
	}
	if lost, ok := b.take(at.Add(2*time.Second), 1); !ok || lost != nil {
		t.Errorf("told twice: %+v", lost)
	}
	if _, ok := b.take(at.Add(time.Hour), burst); !ok {
		t.Error("an hour later the burst was refused")
	}
}

func TestLostRecordsAreTold(t *testing.T) {
	j := &journal{spec: &Spec{}}
	j.follow(true)
	j.budget.take(time.Now(), burst)
	j.printed("function", strings.Repeat("x", rate))
	j.budget.at = time.Now().Add(-10 * time.Second)
	j.printed("function", "after")
	if got := string(j.tailed()); got != "LOGS DROPPED\tRecords: 1\tBytes: 4194304\tReason: The environment logs faster than 4 MiB a second.\nafter\n" {
		t.Errorf("got %q", got)
	}
}

// The levels of the JSON format hide records: of the platform by what they are, of the function by
// what they name.
func TestLevels(t *testing.T) {
	for _, c := range []struct {
		system, application string
		want                string
	}{
		{"DEBUG", "TRACE", "report done {\"level\":\"trace\"} {\"level\":\"error\"} {\"no\":1} text"},
		{"INFO", "DEBUG", "report {\"level\":\"error\"} {\"no\":1} text"},
		{"WARN", "WARN", "{\"level\":\"error\"} text"},
		{"", "", "report {\"level\":\"error\"} {\"no\":1} text"},
	} {
		j := &journal{spec: &Spec{SystemLogLevel: c.system, ApplicationLogLevel: c.application}, json: true}
		j.follow(true)
		j.event("report", "INFO", func() any { return 1 }, nil)
		j.event("done", "DEBUG", func() any { return 1 }, nil)
		for _, r := range []string{`{"level":"trace"}`, `{"level":"error"}`, `{"no":1}`, "text"} {
			j.printed("function", r)
		}
		got := strings.Fields(string(j.tailed()))
		for i, g := range got {
			for _, kind := range []string{"report", "done"} {
				if strings.Contains(g, `"type":"`+kind+`"`) {
					got[i] = kind
				}
			}
		}
		if g := strings.Join(got, " "); g != c.want {
			t.Errorf("%s, %s: got %s, want %s", c.system, c.application, g, c.want)
		}
	}
}
