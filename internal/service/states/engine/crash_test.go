package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// crashes are machines, and what they give.
var crashes = []struct{ name, machine, want string }{
	{"a task", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Retry":[{"ErrorEquals":["Once"],"IntervalSeconds":1}],"Next":"B"},
		"B":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Catch":[{"ErrorEquals":["Always"],"Next":"W","ResultPath":"$.caught"}],"End":true},
		"W":{"Type":"Wait","Seconds":2,"Next":"P"},"P":{"Type":"Pass","Result":"done","End":true}}}`, `"done"`},
	{"branches", `{"StartAt":"P","States":{"P":{"Type":"Parallel","Next":"S","Branches":[
		{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Retry":[{"ErrorEquals":["Once"],"IntervalSeconds":1}],"End":true}}},
		{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3,"OutputPath":"$.n","End":true}}},
		{"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":2,"End":true,"ItemProcessor":{"StartAt":"I","States":{
			"I":{"Type":"Wait","Seconds":1,"Next":"J"},"J":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true}}}}}}]},
		"S":{"Type":"Succeed"}}}`, `[{"did":"A"},1,[{"did":"J"},{"did":"J"},{"did":"J"}]]`},
	{"a token", `{"StartAt":"K","States":{"K":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","Retry":[{"ErrorEquals":["No"],"IntervalSeconds":1}],"End":true}}}`,
		`"answered"`},
	{"a map run", `{"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","ToleratedFailureCount":1,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
		"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[{"Variable":"$","NumericEquals":2,"Next":"F"}],"Default":"W"},"F":{"Type":"Fail"},
		"W":{"Type":"Wait","Seconds":1,"End":true}}},"End":true}}}`, `[1,3]`},
	{"a map run of express children", `{"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":2,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},
		"StartAt":"J","States":{"J":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true}}},"End":true}}}`, `[{"did":"J"},{"did":"J"},{"did":"J"}]`},
	{"a map run that fails", `{"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":1,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
		"StartAt":"F","States":{"F":{"Type":"Fail"}}},"Catch":[{"ErrorEquals":["States.ExceedToleratedFailureThreshold"],"Next":"P"}],"End":true},"P":{"Type":"Pass","Result":"caught","End":true}}}`, `"caught"`},
}

// TestCrashes has the process die after each commit, and another one go on: every execution ends as its machine says,
// with a history that is well formed.
func TestCrashes(t *testing.T) {
	for _, c := range crashes {
		t.Run(c.name, func(t *testing.T) {
			m, diagnostics := asl.Parse([]byte(c.machine))
			if m == nil {
				t.Fatal(diagnostics)
			}
			for commits := int64(1); ; commits++ {
				if !crash(t, m, c.want, commits) {
					t.Logf("%d commits", commits)
					return
				}
			}
		})
	}
}

// crash runs an execution whose process dies after so many commits, if it does not end before.
func crash(t *testing.T, m *asl.Machine, want string, commits int64) (died bool) {
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	first := &process{Store: st, machine: m, left: commits, dead: make(chan struct{}), ended: make(chan struct{})}
	first.run(t, true)
	if first.killed() {
		first.release(t)
		second := &process{Store: st, machine: m, left: 1 << 40, dead: make(chan struct{}), ended: make(chan struct{})}
		second.run(t, false)
	}
	var events []Event
	err = st.View(t.Context(), func(r store.Reader) error {
		run, err := Find(r, caseID)
		if err != nil {
			return err
		}
		output, err := Output(r, caseID)
		if err != nil {
			return err
		}
		if run.Status != Succeeded || output != want {
			t.Errorf("killed after %d commits: %s %s, not %s", commits, run.Status, output, want)
		}
		return History(r, caseID, 0, false, func(e Event) bool {
			events = append(events, e)
			return true
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := wellFormed(events); err != nil {
		t.Errorf("killed after %d commits: %v", commits, err)
	}
	return first.killed()
}

// process is an engine whose store is gone after some commits.
type process struct {
	store.Store
	machine *asl.Machine
	engine  *Engine
	input   string // of the execution; "" for what is usual
	begun   func() // is called when the execution has begun

	mu     sync.Mutex
	left   int64 // commits
	over   bool
	leases []store.Lease
	dead   chan struct{} // closed when no commit is left
	ended  chan struct{}
}

var errDead = errors.New("the process is dead")

func (p *process) Update(ctx context.Context, f func(store.Tx) error) error {
	p.mu.Lock() // one after the other: which commit is the last one is certain
	defer p.mu.Unlock()
	if p.left <= 0 {
		return errDead
	}
	if err := p.Store.Update(ctx, f); err != nil {
		return err
	}
	if p.over {
		select {
		case <-p.ended:
		default:
			close(p.ended)
		}
	}
	if p.left--; p.left == 0 {
		close(p.dead)
	}
	return nil
}

func (p *process) Receive(ctx context.Context, queue string, o store.ReceiveOptions) ([]store.Message, error) {
	messages, err := p.Store.Receive(ctx, queue, o)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range messages {
		p.leases = append(p.leases, m.Lease)
	}
	return messages, err
}

// release ends the leases that a dead process leaves behind.
func (p *process) release(t *testing.T) {
	for _, l := range p.leases {
		err := p.Store.Update(t.Context(), func(tx store.Tx) error { return tx.Extend(l, 0) })
		if err != nil && !errors.Is(err, store.ErrLeaseLost) {
			t.Fatal(err)
		}
	}
}

func (p *process) killed() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// run runs the engine until the execution has ended, or the process has.
func (p *process) run(t *testing.T, begin bool) {
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	defer done.Wait()
	defer stop()
	p.engine = &Engine{Store: p.Store, Log: slog.New(slog.DiscardHandler), Scale: 0.001, Machines: func(Tx, *Run) (*asl.Machine, error) { return p.machine, nil },
		Perform: p.perform, OpenItems: openInput, Random: func() float64 { return 0.5 },
		Recorded: func(_ Tx, run *Run, _ []Event) error {
			if run.ID == caseID {
				p.over = run.Status != Running
			}
			return nil
		}}
	if err := p.engine.Open(ctx); err != nil {
		t.Fatal(err)
	}
	if begin {
		err := p.Store.Update(ctx, func(tx store.Tx) error {
			return p.engine.Begin(tx, &Run{ID: caseID, Name: "x", ARN: "arn:aws:states:us-east-1:000000000000:execution:m:x", Machine: "arn:aws:states:us-east-1:000000000000:stateMachine:m"},
				cmp.Or(p.input, `{"n":1,"items":[1,2,3]}`))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	p.engine.Store = p
	done.Go(func() { p.engine.Run(ctx) })
	if p.begun != nil {
		p.begun()
	}
	select {
	case <-p.ended:
	case <-p.dead:
	case <-time.After(time.Minute):
		t.Error("the execution does not end")
	}
}

// perform does what the names of states say.
func (p *process) perform(ctx context.Context, task *Task) Reply {
	switch task.State {
	case "A":
		if task.Retries == 0 {
			return Reply{Failure: &asl.Failure{Error: "Once"}}
		}
	case "B":
		return Reply{Failure: &asl.Failure{Error: "Always"}}
	case "K":
		answer := func() error { return p.engine.Answer(ctx, p.engine.Token(task), `"answered"`, nil) }
		if task.Retries == 0 {
			answer = func() error { return p.engine.Answer(ctx, p.engine.Token(task), "", &asl.Failure{Error: "No"}) }
		}
		if err := answer(); err != nil && !errors.Is(err, errDead) && !errors.Is(err, ErrLate) && ctx.Err() == nil {
			p.engine.Log.Error("answer", "error", err)
		}
		return Reply{Submitted: `"sent"`}
	}
	return Reply{Done: true, Output: fmt.Sprintf(`{"did":%q}`, task.State)}
}

// TestTwoDrivers has a map run driven by two at once, as when a lease is lost while its holder goes on: each item is one
// child's.
func TestTwoDrivers(t *testing.T) {
	const items = 1000
	m, diagnostics := asl.Parse([]byte(`{"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","ResultPath":null,"ItemProcessor":{
		"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"S","States":{"S":{"Type":"Succeed"}}},"End":true}}}`))
	if m == nil {
		t.Fatal(diagnostics)
	}
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	input := make([]string, items)
	for i := range input {
		input[i] = fmt.Sprint(i)
	}
	p := &process{Store: st, machine: m, left: 1 << 40, dead: make(chan struct{}), ended: make(chan struct{})}
	var second sync.WaitGroup
	p.input, p.begun = `{"items":[`+strings.Join(input, ",")+`]}`, func() {
		second.Go(func() {
			var ids []string
			err := st.View(t.Context(), func(r store.Reader) (err error) {
				ids, err = MapRuns(r, caseID)
				return err
			})
			if err != nil || len(ids) != 1 {
				t.Error(ids, err)
				return
			}
			p.engine.drive(t.Context(), store.Message{Body: []byte(ids[0])})
		})
	}
	p.run(t, true)
	second.Wait()
	err = st.View(t.Context(), func(r store.Reader) error {
		ids, err := MapRuns(r, caseID)
		if err != nil {
			return err
		}
		run, err := FindMapRun(r, ids[0])
		if err != nil {
			return err
		}
		if run.Begun != items || run.Executed != (Counts{Succeeded: items}) {
			t.Errorf("%d children are begun, and end as %+v", run.Begun, run.Executed)
		}
		return Children(r, run.ID, 0, func(c *Child) (bool, error) {
			if c.Input != fmt.Sprint(c.Index) {
				t.Errorf("child %d has item %s", c.Index, c.Input)
			}
			return true, nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// given are the items of a map run's input.
type given struct{ items []any }

func openInput(_ context.Context, m *MapRun, _ *asl.State) (Items, error) {
	var input struct{ Items []json.RawMessage }
	if err := json.Unmarshal([]byte(m.Input), &input); err != nil {
		return nil, err
	}
	g := &given{}
	for _, raw := range input.Items {
		v, err := document.Decode(raw)
		if err != nil {
			return nil, err
		}
		g.items = append(g.items, v)
	}
	return g, nil
}

func (g *given) Next(context.Context) (Item, bool, error) {
	if len(g.items) == 0 {
		return Item{}, false, nil
	}
	v := g.items[0]
	g.items = g.items[1:]
	return Item{Value: v}, true, nil
}

func (g *given) Close() error { return nil }

// beside are the events that no line goes on from.
var beside = map[string]bool{"ParallelStateSucceeded": true, "MapStateSucceeded": true, "MapRunSucceeded": true,
	"MapIterationSucceeded": true, "MapIterationFailed": true, "MapIterationAborted": true}

// wellFormed says what is wrong with a history: its numbers, its lines, its ends, states that are left without having
// been entered, tasks with two outcomes, and iterations that come twice.
func wellFormed(events []Event) error {
	after, left, outcomes, iterations := map[int64]int{}, map[int64]bool{}, map[int64]bool{}, map[string]bool{}
	for i, e := range events {
		if e.ID != int64(i+1) {
			return fmt.Errorf("event %d is numbered %d", i+1, e.ID)
		}
		if (i == 0) != (e.Type == "ExecutionStarted") || e.Previous >= e.ID || e.Previous == 0 && i > 1 {
			return fmt.Errorf("event %d is %s after %d", e.ID, e.Type, e.Previous)
		}
		if !beside[e.Type] && !strings.HasSuffix(e.Type, "Aborted") && e.Previous > 0 {
			at := events[e.Previous-1].Type
			if after[e.Previous]++; after[e.Previous] > 1 && at != "ParallelStateStarted" && at != "MapStateStarted" && at != "ExecutionRedriven" {
				return fmt.Errorf("event %d, %s, is not the only one after %d, %s", e.ID, e.Type, e.Previous, at)
			}
		}
		switch {
		case strings.HasSuffix(e.Type, "StateExited"):
			at := back(events, e, func(b Event) bool { return strings.HasSuffix(b.Type, "StateEntered") && b.Name == e.Name })
			if at == 0 || left[at] {
				return fmt.Errorf("event %d leaves %s, which was not entered, or left before", e.ID, e.Name)
			}
			left[at] = true
		case e.Type == "TaskSucceeded" || e.Type == "TaskFailed" || e.Type == "TaskTimedOut":
			at := back(events, e, func(b Event) bool { return b.Type == "TaskScheduled" })
			if at == 0 || outcomes[at] {
				return fmt.Errorf("event %d, %s, is of no task, or its second outcome", e.ID, e.Type)
			}
			outcomes[at] = true
		case strings.HasPrefix(e.Type, "MapIteration"):
			what := fmt.Sprint(e.Type, e.Name, e.Index)
			if iterations[what] {
				return fmt.Errorf("event %d, %s of %s, item %d, comes twice", e.ID, e.Type, e.Name, e.Index)
			}
			iterations[what] = true
		}
	}
	if n := len(events); n < 2 || !strings.HasPrefix(events[n-1].Type, "Execution") {
		return errors.New("the history has no end")
	}
	return nil
}

// back is the number of the event on the way back from one that meets a condition; 0 for none.
func back(events []Event, e Event, is func(Event) bool) int64 {
	for e.Previous > 0 {
		if e = events[e.Previous-1]; is(e) {
			return e.ID
		}
	}
	return 0
}

// TestATaskThatIsNotWanted delivers a task again, as after a crash, whose answer was taken before: it is not performed.
func TestATaskThatIsNotWanted(t *testing.T) {
	m, diagnostics := asl.Parse([]byte(crashes[0].machine))
	if m == nil {
		t.Fatal(diagnostics)
	}
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	e := &Engine{Store: st, Log: slog.Default(), Machines: func(Tx, *Run) (*asl.Machine, error) { return m, nil }}
	performed := 0
	e.Perform = func(context.Context, *Task) Reply {
		performed++
		return Reply{Done: true, Output: `1`}
	}
	if err := e.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := st.Update(t.Context(), func(tx store.Tx) error { return e.Begin(tx, &Run{ID: caseID}, `{}`) }); err != nil {
		t.Fatal(err)
	}
	messages, err := st.Receive(t.Context(), taskQueue, store.ReceiveOptions{Max: 1, Lease: time.Minute})
	if err != nil || len(messages) != 1 {
		t.Fatal(messages, err)
	}
	again := messages[0]
	again.Deliveries = 2
	for want := 1; want < 3; want++ { // wanted; and then not
		v := e.perform(t.Context(), again)
		if v.Then != nil {
			if err := st.Update(t.Context(), v.Then); err != nil {
				t.Fatal(err)
			}
			v.Finally()
		}
		if performed != 1 {
			t.Errorf("time %d: performed %d times", want, performed)
		}
	}
}
