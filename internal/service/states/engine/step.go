package engine

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/store"
)

// Tx is what a step needs of a transaction.
type Tx interface {
	Get(key []byte) ([]byte, error)
	Range(store.Range) iter.Seq2[store.KV, error]
	Set(key, value []byte) error
	Delete(key []byte) error
	DeleteRange(start, end []byte) error
	Enqueue(queue string, m store.NewMessage) (string, error)
}

// transitions is how many states one step goes through at most, and stepBytes after how many bytes of events it goes
// through no more: others shall have their turn, what is lost in a crash is done again, and a transaction has bounds.
const (
	transitions = 128
	stepBytes   = 1 << 20
)

// ErrLate is the answer to what comes back after a frame has moved on.
var ErrLate = errors.New("states: the task is no longer waited for")

// step is one step of an execution.
type step struct {
	e       *Engine
	tx      Tx
	memory  *memory // the same, of an execution in memory; or nil
	run     *Run
	root    *asl.Machine
	now     time.Time
	frames  map[int64]*frame // read or made; nil for dropped
	dropped []int64
	events  []Event
	ready   []*frame // that can go on
	begun   []begun  // tasks
	left    int      // transitions
	size    int      // bytes of what events carry
	full    bool     // events were left out, for the history has no room for them

	input   any // of the execution
	decoded bool
}

// step takes a step of an execution.
func (e *Engine) step(tx Tx, id string, h Happening) error {
	var run *Run
	var err error
	if m, ok := tx.(*memory); ok {
		run = m.run
	} else if run, err = Find(tx, id); err != nil {
		return err
	}
	s, err := e.begin(tx, run)
	if err != nil {
		return err
	}
	if err := s.happen(h); err != nil {
		return err
	}
	return s.finish()
}

func (e *Engine) begin(tx Tx, run *Run) (*step, error) {
	root, err := e.Machines(tx, run)
	if err != nil {
		return nil, err
	}
	s := &step{e: e, tx: tx, run: run, root: within(root, run.Part), now: e.Clock(), left: transitions}
	if m, ok := tx.(*memory); ok {
		s.memory, s.frames = m, m.frames
	} else {
		s.frames = map[int64]*frame{}
	}
	return s, nil
}

// finish goes on with all frames that can, and writes what has changed.
func (s *step) finish() error {
	for len(s.ready) > 0 {
		f := s.ready[0]
		s.ready = s.ready[1:]
		if err := s.advance(f); err != nil {
			return err
		}
	}
	s.recordBegun()
	if s.full && s.run.Status == Running {
		if err := s.endFull(); err != nil {
			return err
		}
	}
	return s.flush()
}

// endFull ends an execution whose history is full.
func (s *step) endFull() error {
	return s.end(Failed, "ExecutionFailed", &asl.Failure{Error: asl.Runtime,
		Cause: fmt.Sprintf("The execution reached the maximum number of history events (%d).", MaxEvents)})
}

// flush writes what has changed.
func (s *step) flush() error {
	if s.memory != nil {
		s.memory.keep(s)
		return s.announce()
	}
	for _, id := range s.dropped {
		if err := s.tx.Delete(frameKey(s.run.ID, id)); err != nil {
			return err
		}
	}
	for id, f := range s.frames {
		if f == nil {
			continue
		}
		if s.run.Status == Succeeded {
			if err := s.tx.Delete(frameKey(s.run.ID, id)); err != nil {
				return err
			}
			continue
		}
		if err := s.tx.Set(frameKey(s.run.ID, id), encode(f)); err != nil {
			return err
		}
	}
	if len(s.events) > 0 {
		if err := s.tx.Set(historyKey(s.run.ID, s.events[0].ID), encode(s.events)); err != nil {
			return err
		}
	}
	if err := s.announce(); err != nil {
		return err
	}
	return s.tx.Set(runKey(s.run.ID), encode(s.run))
}

// announce passes on what was recorded to those who want to know.
func (s *step) announce() error {
	if s.e.Recorded != nil && len(s.events) > 0 {
		if err := s.e.Recorded(s.tx, s.run, s.events); err != nil {
			return err
		}
	}
	if s.run.Log != nil && len(s.events) > 0 {
		if _, err := s.tx.Enqueue(LogQueue, store.NewMessage{Body: encode(Logged{s.run.ARN, s.run.Machine, s.run.Log, s.events}), Group: s.run.ID}); err != nil {
			return err
		}
	}
	return nil
}

// LogQueue has the events that are to be logged, in the order of each execution.
const LogQueue = "states/logs"

// Logged are events on their way to a log group.
type Logged struct {
	Execution string   `cbor:"1,keyasint"`
	Machine   string   `cbor:"2,keyasint"`
	Log       *Logging `cbor:"3,keyasint"`
	Events    []Event  `cbor:"4,keyasint"`
}

// record appends an event to the line of a frame; nil for none. The last event that a history has room for is the
// execution's own.
func (s *step) record(f *frame, e Event) int64 {
	if s.run.LastEvent >= MaxEvents-1 && s.memory == nil && !strings.HasPrefix(e.Type, "Execution") {
		s.full = true
		return s.run.LastEvent
	}
	s.run.LastEvent++
	s.size += len(e.Input) + len(e.Output) + len(e.Cause)
	e.ID, e.Time = s.run.LastEvent, s.now
	if f != nil {
		e.Previous, f.Previous = f.Previous, e.ID
	}
	s.events = append(s.events, e)
	return e.ID
}

// note records an event that follows another, and that no line goes on from.
func (s *step) note(previous int64, e Event) int64 {
	return s.record(&frame{Previous: previous}, e)
}

// advance takes a frame through its states until it waits for something, or has ended.
func (s *step) advance(f *frame) error {
	for s.run.Status == Running && s.frames[f.ID] == f && f.Phase == going {
		switch {
		case s.run.LastEvent >= MaxEvents-1 && s.memory == nil:
			return s.endFull()
		case s.left == 0 || s.size >= stepBytes && s.memory == nil:
			f.Turn++
			return s.later(f)
		}
		s.left--
		if err := s.enter(f); err != nil {
			return err
		}
	}
	return nil
}

// later has a frame go on in another step.
func (s *step) later(f *frame) error {
	return s.enqueue(stepQueue, Happening{Run: s.run.ID, Frame: f.ID, Turn: f.Turn, Kind: goOn}, 0)
}

// enqueue sends a happening to the engine itself.
func (s *step) enqueue(queue string, h Happening, delay time.Duration) error {
	if s.memory != nil {
		s.memory.sent = append(s.memory.sent, sent{queue: queue, happening: &h, NewMessage: store.NewMessage{Delay: delay}})
		return nil
	}
	_, err := s.tx.Enqueue(queue, store.NewMessage{Body: encode(h), Delay: delay})
	return err
}

// timer has a happening come when its time has.
func (s *step) timer(f *frame, kind Kind, after time.Duration) error {
	return s.enqueue(timerQueue, Happening{Run: s.run.ID, Frame: f.ID, Turn: f.Turn, Kind: kind}, s.e.scaled(after))
}

// enter enters a frame's state, or goes on with one that was entered before, and runs it as far as it goes.
func (s *step) enter(f *frame) error {
	state := s.state(f)
	if f.Entered == 0 {
		f.Before = f.Previous
		f.Entered = s.record(f, Event{Type: state.Type + "StateEntered", Name: state.Name, Input: f.Input})
		f.EnteredAt, f.Attempts, f.Retries = s.now, make([]int64, len(state.Retriers)), 0
	}
	sc, err := s.scope(f)
	if err != nil {
		return err
	}
	var out asl.Outcome
	var failure *asl.Failure
	switch state.Type {
	case asl.Task:
		return s.schedule(f, state, sc)
	case asl.Parallel:
		return s.fork(f, state, sc)
	case asl.Map:
		return s.iterate(f, state, sc)
	case asl.Wait:
		return s.wait(f, state, sc)
	case asl.Fail:
		failure := state.Failed(sc)
		if failure.Location != "" {
			s.evaluationFailed(f, state, failure)
		}
		return s.lost(f, failure)
	case asl.Pass:
		if sc.Result, failure = state.Begin(sc); failure == nil {
			if sc.Result, failure = state.Passed(sc, sc.Result); failure == nil {
				out, failure = state.Finish(sc)
			}
		}
	case asl.Choice:
		out, failure = state.Choose(sc)
	case asl.Succeed:
		out, failure = state.Skim(sc)
	}
	if failure != nil {
		return s.failed(f, failure)
	}
	return s.exit(f, sc, out)
}

// wait waits for the time of a Wait state.
func (s *step) wait(f *frame, state *asl.State, sc *asl.Scope) error {
	until, failure := state.Until(sc, s.now)
	if failure != nil {
		return s.failed(f, failure)
	}
	if d := until.Sub(s.now); d > 0 {
		f.Phase, f.Turn = waiting, f.Turn+1
		return s.timer(f, waitOver, d)
	}
	return s.waited(f, state, sc)
}

func (s *step) waited(f *frame, state *asl.State, sc *asl.Scope) error {
	out, failure := state.Skim(sc)
	if failure != nil {
		return s.failed(f, failure)
	}
	return s.exit(f, sc, out)
}

// exit leaves a state: the frame goes on with the next, or has ended.
func (s *step) exit(f *frame, sc *asl.Scope, out asl.Outcome) error {
	state := s.state(f)
	text := f.Input
	if !same(out.Output, sc.Input) {
		text = string(document.Encode(out.Output))
	}
	if len(text) > document.MaxSize {
		return s.failed(f, asl.TooLarge(state.Name))
	}
	exited, size := Event{Type: state.Type + "StateExited", Name: state.Name, Output: text}, 0
	for name, v := range out.Variables {
		if f.Variables == nil {
			f.Variables = map[string]string{}
		}
		if exited.Assigned == nil {
			exited.Assigned = map[string]string{}
		}
		exited.Assigned[name] = string(document.Encode(v))
		size += len(exited.Assigned[name])
	}
	if size > document.MaxSize { // https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html#limits-and-considerations
		return s.failed(f, asl.TooLarge(state.Name))
	}
	for name, v := range exited.Assigned {
		f.Variables[name] = v
	}
	s.record(f, exited)
	f.Phase, f.Entered, f.Turn = going, 0, f.Turn+1
	f.Effective, f.Children, f.Next, f.Done, f.Kids, f.MapRun = "", 0, 0, 0, nil, ""
	if out.Next == "" {
		return s.ended(f, text)
	}
	f.State, f.Input = out.Next, text
	f.value, f.decoded = out.Output, true
	return nil
}

// same reports whether a state passed its input on as it was.
func same(a, b any) bool {
	x, ok := a.(*document.Object)
	y, also := b.(*document.Object)
	return ok && also && x == y
}

// ended ends a frame whose machine has ended with an output.
func (s *step) ended(f *frame, output string) error {
	if f.Parent != 0 {
		return s.join(f, output)
	}
	if s.full {
		return s.endFull()
	}
	if err := s.tx.Set(outputKey(s.run.ID), []byte(output)); err != nil {
		return err
	}
	s.run.Status, s.run.Stopped = Succeeded, s.now
	s.record(f, Event{Type: "ExecutionSucceeded", Output: output})
	return s.tell()
}

// failed is for a failure of a frame's state: it is tried again, or caught, or lost.
func (s *step) failed(f *frame, failure *asl.Failure) error {
	state := s.state(f)
	misread := failure.Error == asl.QueryEvaluationError && failure.Location != ""
	if misread {
		s.evaluationFailed(f, state, failure)
	}
	if delay, retrier, again := state.RetryAfter(failure, f.Attempts, s.e.Random); again {
		f.Attempts[retrier]++
		f.Retries++
		f.Phase, f.Turn = retrying, f.Turn+1
		return s.timer(f, retryDue, delay)
	}
	if misread && nests(state) {
		s.record(f, Event{Type: state.Type + "StateFailed"})
	}
	sc, err := s.scope(f)
	if err != nil {
		return err
	}
	out, caught, again := state.Catch(sc, failure)
	switch {
	case again != nil:
		if again.Location != "" {
			s.evaluationFailed(f, state, again)
		}
		return s.lost(f, again)
	case caught:
		return s.exit(f, sc, out)
	}
	return s.lost(f, failure)
}

// nests reports whether a state has machines within it.
func nests(state *asl.State) bool { return state.Type == asl.Map || state.Type == asl.Parallel }

// evaluationFailed records that a query failed. Of a Pass state, and of a state with machines within that has not begun
// with them, the event follows the one before the state was entered.
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/scenarios/test_base_scenarios.snapshot.json
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/states_variables/test_error_output.snapshot.json
func (s *step) evaluationFailed(f *frame, state *asl.State, failure *asl.Failure) {
	if (nests(state) || state.Type == asl.Pass) && f.Previous == f.Entered {
		f.Previous = f.Before
	}
	s.record(f, Event{Type: "EvaluationFailed", Error: failure.Error, Cause: failure.Cause, HasError: true, Location: failure.Location, Name: state.Name})
}

// lost is for a failure that a frame's state does not handle. It goes up to the first state around it that
// does; where none does the execution has failed. Then the frames stay, for a redrive.
func (s *step) lost(f *frame, failure *asl.Failure) error {
	f.Phase = halted
	last := f.Previous
	for f.Parent != 0 {
		p, err := s.load(f.Parent)
		if err != nil {
			return err
		}
		state := s.state(p)
		if err := s.abortSiblings(p, f, last); err != nil {
			return err
		}
		p.Previous = last
		_, _, again := state.RetryAfter(failure, p.Attempts, s.e.Random)
		if !again {
			last = s.record(p, Event{Type: state.Type + "StateFailed"})
		}
		if again || state.Catches(failure) {
			if err := s.scatter(p); err != nil {
				return err
			}
			s.ready = append(s.ready, p)
			return s.failed(p, failure)
		}
		p.Phase = halted
		f = p
	}
	return s.end(Failed, "ExecutionFailed", failure)
}

// abortSiblings records that a child of a frame failed, and that what else was under way below the frame is
// aborted. All these events follow the child's last, and the frame's line goes on from there.
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/timeouts/test_timeouts.snapshot.json
func (s *step) abortSiblings(p, failed *frame, last int64) error {
	if failed.IsItem {
		s.note(last, Event{Type: "MapIterationFailed", Name: s.state(p).Name, Index: int64(failed.Place)})
	}
	if s.state(failed).Type == asl.Task {
		s.note(last, Event{Type: "TaskStateAborted"})
	}
	for _, id := range p.Kids {
		if id == failed.ID {
			continue
		}
		if err := s.abort(id, p, last); err != nil {
			return err
		}
	}
	return nil
}

// abort records that a frame is aborted, and all below it.
func (s *step) abort(id int64, p *frame, last int64) error {
	f, err := s.load(id)
	if err != nil || f == nil {
		return err
	}
	if f.IsItem {
		s.note(last, Event{Type: "MapIterationAborted", Name: s.state(p).Name, Index: int64(f.Place)})
	}
	if state := s.state(f); f.Entered != 0 && (nests(state) || state.Type == asl.Task || state.Type == asl.Wait) {
		s.note(last, Event{Type: state.Type + "StateAborted"})
	}
	for _, kid := range f.Kids {
		if err := s.abort(kid, f, last); err != nil {
			return err
		}
	}
	return nil
}

// scatter drops all children of a frame.
func (s *step) scatter(f *frame) error {
	kids := f.Kids
	f.Kids = nil
	for _, id := range kids {
		kid, err := s.load(id)
		if err != nil {
			return err
		}
		if kid == nil {
			continue
		}
		if err := s.drop(kid); err != nil {
			return err
		}
	}
	if err := s.dropResults(f); err != nil {
		return err
	}
	f.Children, f.Next, f.Done = 0, 0, 0
	return nil
}

// end ends the execution otherwise than well.
func (s *step) end(status, event string, failure *asl.Failure) error {
	s.run.Status, s.run.Stopped = status, s.now
	s.run.Error, s.run.Cause, s.run.HasError = failure.Error, failure.Cause, true
	previous := s.run.LastEvent
	if status == Aborted {
		previous = 0
	}
	s.note(previous, Event{Type: event, Error: failure.Error, Cause: failure.Cause, HasError: true})
	return s.tell()
}

// tell stops what the execution had begun, and tells whoever waits for the execution's end.
func (s *step) tell() error {
	if s.run.Status != Succeeded {
		if err := s.stopMapRuns(); err != nil {
			return err
		}
	}
	if s.memory != nil || s.run.Parent == nil && s.run.MapRun == "" {
		return nil // whoever runs an execution in memory sees its end
	}
	_, err := s.tx.Enqueue(EndedQueue(s.run), store.NewMessage{Body: []byte(s.run.ID)})
	return err
}
