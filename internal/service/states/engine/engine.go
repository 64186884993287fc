package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"cirro/internal/asl"
	"cirro/internal/courier"
	"cirro/internal/store"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
)

// The queues.
const (
	taskQueue  = "states/tasks"
	stepQueue  = "states/steps"
	timerQueue = "states/timers"

	expressQueue = "states/express"
)

// ActivityQueue is where an activity's tasks wait for workers.
func ActivityQueue(arn string) string { return "states/activity/" + arn }

// EndedQueue is where the ends of executions are told whose end somebody waits for: of all children of one
// distributed Map, or of those that a task began.
func EndedQueue(r *Run) string {
	if r.MapRun != "" {
		return "states/children/" + r.MapRun
	}
	return "states/ended"
}

// How much goes on at once.
const (
	tasksAtOnce  = 1000
	stepsAtOnce  = 64
	timersAtOnce = 64

	expressAtOnce = 1000
)

// Engine runs executions.
type Engine struct {
	Store store.Store
	Clock func() time.Time
	Log   *slog.Logger
	// Scale scales waits, retries and timeouts, for tests; 0 for 1.
	Scale float64
	// Machines finds the machine of an execution, parsed.
	Machines func(r Tx, run *Run) (*asl.Machine, error)
	// HasActivity says whether there is an activity; nil for all that are named.
	HasActivity func(r Tx, arn string) (bool, error)
	// Perform performs a task and says what happens to it: Done, Failed, Submitted, or nothing yet.
	Perform func(ctx context.Context, t *Task) Reply
	// Mocked says whether a mock answers for the task of a state, in an execution with a test case; nil for none.
	Mocked func(run *Run, state string) bool
	// Recorded, where it is set, is told of what was recorded in the transaction that does.
	Recorded func(tx Tx, run *Run, events []Event) error
	// OpenItems opens the items of a map run, and WriteResults writes its results where its writer says: it answers
	// with what the state gets, and how many children's it wrote.
	OpenItems    func(ctx context.Context, m *MapRun, state *asl.State) (Items, error)
	WriteResults func(ctx context.Context, m *MapRun, state *asl.State) (output string, written int64, err error)
	// Random is a number from 0 to 1, for jitter; nil for any.
	Random func() float64

	key   []byte
	locks sync.Map // by execution, *sync.Mutex: siblings of one execution shall not run into each other
}

// Reply is what came of a task. The zero value says that it is answered later, with a token.
type Reply struct {
	Output  string // JSON
	Failure *asl.Failure
	Done    bool // Output is the result
	// Submitted is what began that the task waits for; JSON, "" for nothing to tell. With a result it is told before.
	Submitted string
	// Again has the task performed again after a while: the platform, not the task, is to blame.
	Again bool
}

// Open readies an engine over a store.
func (e *Engine) Open(ctx context.Context) error {
	if e.Scale == 0 {
		e.Scale = 1
	}
	if e.Random == nil {
		e.Random = rand.Float64
	}
	if e.Clock == nil {
		e.Clock = time.Now
	}
	at := store.Key("states", "token-key")
	return e.Store.Update(ctx, func(tx store.Tx) (err error) {
		e.key, err = tx.Get(at)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		e.key = []byte(uuid.NewString() + uuid.NewString())
		return tx.Set(at, e.key)
	})
}

func (e *Engine) scaled(d time.Duration) time.Duration { return time.Duration(float64(d) * e.Scale) }

// Run carries what is in the queues until ctx ends.
func (e *Engine) Run(ctx context.Context) {
	var done sync.WaitGroup
	defer done.Wait()
	for queue, c := range map[string]struct {
		atOnce int
		handle func(context.Context, store.Message) courier.Verdict
	}{taskQueue: {tasksAtOnce, e.perform}, stepQueue: {stepsAtOnce, e.happen}, timerQueue: {timersAtOnce, e.happen},
		mapQueue: {mapRunsAtOnce, e.drive}, expressQueue: {expressAtOnce, e.runBegun}} {
		done.Go(func() {
			carrier := courier.Courier{Store: e.Store, Queue: queue, AtOnce: c.atOnce, Handle: c.handle, Log: e.Log}
			carrier.Run(ctx)
		})
	}
}

// happen takes the step that a message of the engine's own asks for.
func (e *Engine) happen(_ context.Context, m store.Message) courier.Verdict {
	var h Happening
	if err := cbor.Unmarshal(m.Body, &h); err != nil {
		e.Log.Error("states: a message cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	unlock := e.lock(h.Run)
	return courier.Verdict{Then: func(tx store.Tx) error { return e.settled(e.step(tx, h.Run, h), h.Run) }, Finally: unlock}
}

// perform performs a task; what comes of it is on record in the transaction that removes the message.
func (e *Engine) perform(ctx context.Context, m store.Message) courier.Verdict {
	t := &Task{}
	if err := cbor.Unmarshal(m.Body, t); err != nil {
		e.Log.Error("states: a task cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	if m.Deliveries > 1 {
		switch wanted, err := e.wanted(ctx, t); {
		case err != nil:
			return courier.Again(time.Second)
		case !wanted: // it was answered, or timed out, before the process died
			return courier.Verdict{}
		}
	}
	reply := e.Perform(ctx, t)
	if ctx.Err() != nil && !reply.Done && reply.Failure == nil {
		return courier.Again(0)
	}
	if reply.Again {
		return courier.Again(courier.Backoff{Shortest: 100 * time.Millisecond, Longest: time.Minute}.After(m.Deliveries))
	}
	h := Happening{Run: t.Run, Frame: t.Frame, Turn: t.Turn, Kind: result, Output: reply.Output, Failure: reply.Failure, Submitted: reply.Submitted}
	switch {
	case reply.Done || reply.Failure != nil:
	case reply.Submitted != "":
		h.Kind, h.Output, h.Submitted = submitted, reply.Submitted, ""
	default:
		return courier.Verdict{}
	}
	unlock := e.lock(t.Run)
	return courier.Verdict{Then: func(tx store.Tx) error { return e.settled(e.step(tx, t.Run, h), t.Run) }, Finally: unlock}
}

// settled leaves alone what came too late.
func (e *Engine) settled(err error, run string) error {
	if errors.Is(err, ErrLate) || errors.Is(err, ErrNoRun) {
		e.Log.Debug("states: what came was late", "execution", run)
		return nil
	}
	return err
}

// lock keeps others from taking a step of an execution meanwhile.
func (e *Engine) lock(run string) (unlock func()) {
	m, _ := e.locks.LoadOrStore(run, &sync.Mutex{})
	l := m.(*sync.Mutex)
	l.Lock()
	return func() {
		e.locks.CompareAndDelete(run, m)
		l.Unlock()
	}
}

// Begin begins an execution within a transaction: run has all that is known of it, but for its state.
func (e *Engine) Begin(tx Tx, run *Run, input string) error {
	if !valid(input) {
		return fmt.Errorf("states: the input is no JSON")
	}
	run.Started, run.Status = e.Clock(), Running
	if err := tx.Set(inputKey(run.ID), []byte(input)); err != nil {
		return err
	}
	s, err := e.begin(tx, run)
	if err != nil {
		return err
	}
	if err := s.happen(Happening{Kind: began, Output: input}); err != nil {
		return err
	}
	return s.finish()
}

// change takes a step in a transaction of its own.
func (e *Engine) change(ctx context.Context, id string, h Happening) error {
	defer e.lock(id)()
	return e.Store.Update(ctx, func(tx store.Tx) error { return e.step(tx, id, h) })
}

// Stop aborts an execution.
func (e *Engine) Stop(ctx context.Context, id, failure, cause string) error {
	return e.change(ctx, id, Happening{Kind: stopped, Failure: &asl.Failure{Error: failure, Cause: cause}})
}

// Answer gives the result of the task that a token names.
func (e *Engine) Answer(ctx context.Context, token, output string, failure *asl.Failure) error {
	return e.answer(ctx, token, Happening{Kind: result, Output: output, Failure: failure})
}

// Beat says that the task that a token names is still under way.
func (e *Engine) Beat(ctx context.Context, token string) error {
	return e.answer(ctx, token, Happening{Kind: beaten})
}

func (e *Engine) answer(ctx context.Context, token string, h Happening) error {
	run, frame, turn, err := e.untoken(token)
	if err != nil {
		return err
	}
	h.Run, h.Frame, h.Turn = run, frame, turn
	return e.change(ctx, run, h)
}

// Tell gives the result of a task in a transaction of the caller's.
func (e *Engine) Tell(tx Tx, p *Parent, output string, failure *asl.Failure) error {
	return e.settled(e.step(tx, p.Run, Happening{Frame: p.Frame, Turn: p.Turn, Kind: result, Output: output, Failure: failure}), p.Run)
}

// Submitted says that what a task waits for has begun, in a transaction of the caller's.
func (e *Engine) Submitted(tx Tx, p *Parent, output string) error {
	return e.settled(e.step(tx, p.Run, Happening{Frame: p.Frame, Turn: p.Turn, Kind: submitted, Output: output}), p.Run)
}

// WaitsForDocument reports whether the task that waits for an execution wants its output as JSON, not as text.
func (e *Engine) WaitsForDocument(tx Tx, p *Parent) (bool, error) {
	run, err := Find(tx, p.Run)
	if errors.Is(err, ErrNoRun) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s, err := e.begin(tx, run)
	if err != nil {
		return false, err
	}
	f, err := s.load(p.Frame)
	if err != nil || f == nil || f.Turn != p.Turn {
		return false, err
	}
	r, err := ParseResource(s.state(f).Resource)
	return err == nil && r.Wait == "sync:2", nil
}

// Pick leases the next task of an activity to a worker and records that; nil where there is none in time.
func (e *Engine) Pick(ctx context.Context, activity, worker string, wait time.Duration) (*Task, error) {
	end := time.Now().Add(wait)
	for {
		messages, err := e.Store.Receive(ctx, ActivityQueue(activity), store.ReceiveOptions{Max: 1, Lease: time.Minute, Wait: max(0, time.Until(end))})
		if err != nil || len(messages) == 0 {
			return nil, err
		}
		t := &Task{}
		if err := cbor.Unmarshal(messages[0].Body, t); err != nil {
			return nil, err
		}
		unlock := e.lock(t.Run)
		err = e.Store.Update(ctx, func(tx store.Tx) error {
			if err := tx.Ack(messages[0].Lease); err != nil {
				return err
			}
			return e.step(tx, t.Run, Happening{Frame: t.Frame, Turn: t.Turn, Kind: picked, Worker: worker})
		})
		unlock()
		if errors.Is(err, ErrLate) || errors.Is(err, ErrNoRun) {
			err = e.Store.Update(ctx, func(tx store.Tx) error { return tx.Ack(messages[0].Lease) })
			if err == nil || errors.Is(err, store.ErrLeaseLost) {
				continue
			}
		}
		return t, err
	}
}
