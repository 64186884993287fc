package engine

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"cirro/internal/asl"

	"github.com/cockroachdb/datadriven"
	"github.com/fxamacker/cbor/v2"
)

// TestCases runs executions as testdata says, in a time that passes only when nothing else is to be done:
//
//	machine     a definition
//	run         an input, and lines of what the tasks of a state do in turn:
//	            "A: result", "A! error cause", "A~ 5" answers after so many seconds, "A?" never answers;
//	            and "@5 stop error cause" or "@5 redrive" happens after so many seconds
//
// What comes out is the history: number, number of the one before, seconds since the start, type, details.
func TestCases(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, file string) {
		var m *asl.Machine
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "machine":
				var diagnostics []asl.Diagnostic
				if m, diagnostics = asl.Parse([]byte(d.Input)); m == nil {
					return fmt.Sprint(diagnostics)
				}
				return ""
			case "run":
				durable, express := newWorld(t, m, d.Input), newWorld(t, m, d.Input)
				durable.run()
				express.unkept()
				express.run()
				if kept, unkept := durable.history(), express.history(); kept != unkept {
					t.Errorf("%s: in memory the history is\n%s", d.Pos, unkept)
				}
				return durable.history()
			}
			return "unknown command " + d.Cmd
		})
	})
}

// world runs one execution in its own time: as a durable one whose store is a map, or as one in memory.
type world struct {
	*testing.T
	engine *Engine
	memory *memory
	tx     Tx // ledger{memory}, or memory
	input  string
	mocks  map[string][]string
	now    time.Time
	due    dueList
	began  time.Time

	redrives int // to come
	steps    int // at most
	events   []Event
	before   func(time.Time) // sees the time of what comes next
}

// ledger is what a memory keeps, without its knowing that it is one.
type ledger struct{ *memory }

// due is a happening that comes at its time.
type due struct {
	at    time.Time
	order int
	Happening
}

type dueList []due

func (l dueList) Len() int { return len(l) }
func (l dueList) Less(i, j int) bool {
	return l[i].at.Before(l[j].at) || l[i].at.Equal(l[j].at) && l[i].order < l[j].order
}
func (l dueList) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l *dueList) Push(v any)   { *l = append(*l, v.(due)) }
func (l *dueList) Pop() any     { v := (*l)[len(*l)-1]; *l = (*l)[:len(*l)-1]; return v }

func newWorld(t *testing.T, m *asl.Machine, text string) *world {
	w := &world{T: t, steps: 20_000, memory: newMemory(), mocks: map[string][]string{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	w.began, w.tx = w.now, ledger{w.memory}
	var lines string
	w.input, lines, _ = strings.Cut(text, "\n")
	for line := range strings.SplitSeq(lines, "\n") {
		if rest, ok := strings.CutPrefix(line, "@"); ok {
			w.order(rest)
			continue
		}
		if i := strings.IndexAny(line, ":!~?"); i > 0 {
			w.mocks[line[:i]] = append(w.mocks[line[:i]], line[i:])
		}
	}
	w.engine = &Engine{Log: slog.Default(), Scale: 1, key: []byte("key"), Random: func() float64 { return 0.5 },
		Clock:    func() time.Time { return w.now },
		Machines: func(Tx, *Run) (*asl.Machine, error) { return m, nil }}
	return w
}

// unkept has the execution be one in memory.
func (w *world) unkept() {
	w.tx = w.memory
	w.engine.Recorded = func(_ Tx, _ *Run, events []Event) error {
		w.events = append(w.events, events...)
		return nil
	}
}

// order has an execution stopped or redriven at a time.
func (w *world) order(text string) {
	after, what, _ := strings.Cut(text, " ")
	delay, err := time.ParseDuration(after + "s")
	if err != nil {
		w.Fatal(err)
	}
	h := Happening{Run: caseID, Kind: redriven}
	if reason, ok := strings.CutPrefix(what, "stop"); ok {
		name, cause, _ := strings.Cut(strings.TrimSpace(reason), " ")
		h.Kind, h.Failure = stopped, &asl.Failure{Error: name, Cause: cause}
	} else {
		w.redrives++
	}
	heap.Push(&w.due, due{at: w.now.Add(delay), Happening: h})
}

const caseID = "case"

func (w *world) run() {
	run := &Run{ID: caseID, ARN: "arn:aws:states:us-east-1:000000000000:execution:m:x", Name: "x", Role: "arn:aws:iam::000000000000:role/r",
		Machine: "arn:aws:states:us-east-1:000000000000:stateMachine:m", Account: "000000000000", Region: "us-east-1"}
	if err := w.engine.Begin(w.tx, run, w.input); err != nil {
		w.Fatal(err)
	}
	for steps := 0; ; steps++ {
		if steps > w.steps {
			w.Fatal("the execution does not end")
		}
		w.collect()
		if w.find().Status != Running && w.redrives == 0 || len(w.due) == 0 {
			return
		}
		next := heap.Pop(&w.due).(due)
		if next.Kind == redriven {
			w.redrives--
		}
		if w.before != nil {
			w.before(next.at)
		}
		if next.at.After(w.now) {
			w.now = next.at
		}
		if err := w.engine.settled(w.engine.step(w.tx, caseID, next.Happening), caseID); err != nil {
			w.Fatal(err)
		}
	}
}

// find is how the execution stands.
func (w *world) find() *Run {
	if w.memory.run != nil {
		return w.memory.run
	}
	run, err := Find(w.tx, caseID)
	if err != nil {
		w.Fatal(err)
	}
	return run
}

// collect takes what the engine has sent.
func (w *world) collect() {
	for i, s := range w.memory.take() {
		d := due{at: w.now.Add(s.Delay), order: len(w.due)*1000 + i}
		switch {
		case s.task != nil:
			w.perform(s.task, d)
			continue
		case s.happening != nil:
			d.Happening = *s.happening
			heap.Push(&w.due, d)
			continue
		}
		if s.queue != taskQueue && !strings.HasPrefix(s.queue, "states/activity/") {
			if err := cbor.Unmarshal(s.Body, &d.Happening); err != nil {
				w.Fatal(err)
			}
			heap.Push(&w.due, d)
			continue
		}
		t := &Task{}
		if err := cbor.Unmarshal(s.Body, t); err != nil {
			w.Fatal(err)
		}
		w.perform(t, d)
	}
}

func (w *world) perform(t *Task, d due) {
	d.Happening = Happening{Run: t.Run, Frame: t.Frame, Turn: t.Turn, Kind: result, Output: t.Parameters}
	mocks := w.mocks[t.State]
	if len(mocks) > 1 {
		w.mocks[t.State] = mocks[1:]
	}
	if len(mocks) > 0 {
		rest := strings.TrimSpace(mocks[0][1:])
		switch mocks[0][0] {
		case ':':
			d.Output = rest
		case '!':
			name, cause, _ := strings.Cut(rest, " ")
			d.Failure = &asl.Failure{Error: name, Cause: cause}
		case '~':
			delay, err := time.ParseDuration(rest + "s")
			if err != nil {
				w.Fatal(err)
			}
			d.at = d.at.Add(delay)
		case '?':
			return
		}
	}
	heap.Push(&w.due, d)
}

func (w *world) history() string {
	var b strings.Builder
	tell := func(e Event) bool {
		fmt.Fprintf(&b, "%d %d %g %s", e.ID, e.Previous, e.Time.Sub(w.began).Seconds(), e.Type)
		for _, field := range []struct{ name, value string }{{"", e.Name}, {"", e.Input}, {"", e.Output}, {"error ", e.Error}, {"cause ", e.Cause}, {"", e.Resource}, {"", e.ResourceType}} {
			if field.value != "" {
				fmt.Fprintf(&b, " %s%s", field.name, field.value)
			}
		}
		if strings.HasPrefix(e.Type, "MapIteration") {
			fmt.Fprintf(&b, " #%d", e.Index)
		}
		if e.Length > 0 {
			fmt.Fprintf(&b, " of %d", e.Length)
		}
		for _, name := range slices.Sorted(mapKeys(e.Assigned)) {
			fmt.Fprintf(&b, " %s=%s", name, e.Assigned[name])
		}
		b.WriteString("\n")
		return true
	}
	for _, e := range w.events {
		tell(e)
	}
	if err := History(w.tx, caseID, 0, false, tell); err != nil {
		w.Fatal(err)
	}
	run := w.find()
	frames := 0
	for k := range w.memory.values {
		if strings.Contains(k, "frame") || strings.Contains(k, "result") && !strings.Contains(k, "history") || strings.Contains(k, "items") {
			frames++
		}
	}
	if run.Status == Succeeded && frames > 0 {
		fmt.Fprintf(&b, "%d frames, results or items are left\n", frames)
	}
	return b.String() + run.Status + "\n"
}

func mapKeys(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestExpress runs an express execution with a task, a wait and branches.
func TestExpress(t *testing.T) {
	m, diagnostics := asl.Parse([]byte(`{"StartAt":"P","States":{"P":{"Type":"Parallel","Branches":[
		{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Retry":[{"ErrorEquals":["Again"]}],"End":true}}},
		{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"End":true}}}],"End":true}}}`))
	if m == nil {
		t.Fatal(diagnostics)
	}
	tries := 0
	e := &Engine{Log: slog.Default(), Scale: 0.01, key: []byte("key"), Clock: time.Now, Random: func() float64 { return 0 },
		Machines: func(Tx, *Run) (*asl.Machine, error) { return m, nil },
		Perform: func(context.Context, *Task) Reply {
			if tries++; tries == 1 {
				return Reply{Failure: &asl.Failure{Error: "Again"}}
			}
			return Reply{Output: `"done"`, Done: true}
		}}
	ended, err := e.Express(t.Context(), &Run{ID: "r", Machine: "m"}, `{"n":1}`)
	if err != nil || ended.Run.Status != Succeeded || ended.Output != `["done",{"n":1}]` {
		t.Fatal(ended, err)
	}
}

// TestLongExpress runs an express execution of more transitions than one step has, and of more events than a history has.
func TestLongExpress(t *testing.T) {
	m, diagnostics := asl.Parse(fmt.Appendf(nil, loop, 10_000))
	if m == nil {
		t.Fatal(diagnostics)
	}
	e := &Engine{Log: slog.Default(), Scale: 1, key: []byte("key"), Clock: time.Now, Machines: func(Tx, *Run) (*asl.Machine, error) { return m, nil }}
	ended, err := e.Express(t.Context(), &Run{ID: "r", Machine: "m"}, `{"n":0}`)
	if err != nil || ended.Run.Status != Succeeded || ended.Output != `{"n":10000}` {
		t.Fatal(ended, err)
	}
}

// TestExpressIsLimited ends an express execution whose only task does not end in time, and one whose caller gives up.
func TestExpressIsLimited(t *testing.T) {
	m, diagnostics := asl.Parse([]byte(`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","End":true}}}`))
	if m == nil {
		t.Fatal(diagnostics)
	}
	ctx, giveUp := context.WithCancel(t.Context())
	e := &Engine{Log: slog.Default(), Scale: 0.0001, key: []byte("key"), Clock: time.Now, Machines: func(Tx, *Run) (*asl.Machine, error) { return m, nil },
		Perform: func(limited context.Context, _ *Task) Reply {
			<-limited.Done()
			return Reply{Again: true}
		}}
	ended, err := e.Express(ctx, &Run{ID: "r", Machine: "m"}, `{}`)
	if err != nil || ended.Run.Status != TimedOut {
		t.Fatal(ended, err)
	}
	e.Scale, e.Perform = 1, func(limited context.Context, _ *Task) Reply {
		giveUp()
		<-limited.Done()
		return Reply{Again: true}
	}
	if ended, err := e.Express(ctx, &Run{ID: "r", Machine: "m"}, `{}`); !errors.Is(err, context.Canceled) {
		t.Fatal(ended, err)
	}
}
