package engine

import (
	"context"
	"fmt"
	"time"

	"cirro/internal/asl"
	"cirro/internal/courier"
	"cirro/internal/store"

	"github.com/fxamacker/cbor/v2"
)

// ExpressTimeout is how long an express execution may take.
// https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html#service-limits-state-machine-executions
const ExpressTimeout = 5 * time.Minute

// Ended is an express execution that has ended.
type Ended struct {
	Run    *Run
	Output string
}

// Express runs an execution in memory, to its end. Only ctx's end is an error; the execution is aborted then.
func (e *Engine) Express(ctx context.Context, run *Run, input string) (*Ended, error) {
	x := &express{Engine: e, memory: newMemory(), happenings: make(chan Happening)}
	limited, cancel := context.WithTimeout(ctx, e.scaled(ExpressTimeout))
	defer cancel()
	if err := e.Begin(x.memory, run, input); err != nil {
		return nil, err
	}
	defer x.keepLogs()
	defer x.stopTimers()
	for {
		if err := x.carry(limited); err != nil {
			return nil, err
		}
		if x.run.Status != Running && len(x.sent) == 0 {
			return x.ended()
		}
		h, ok := x.next(limited)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if err := e.settled(e.step(x.memory, run.ID, h), run.ID); err != nil {
			return nil, err
		}
	}
}

// express is an execution that runs in memory.
type express struct {
	*Engine
	*memory
	happenings chan Happening
	tasks      []*Task // to be performed
	under      int     // tasks under way
}

// carry carries what was sent: steps at once, times and tasks meanwhile.
func (x *express) carry(limited context.Context) error {
	for _, s := range x.take() {
		switch s.queue {
		case LogQueue:
			if x.logs = append(x.logs, s.NewMessage); len(x.logs) == logsAtATime {
				x.keepLogs()
			}
		case taskQueue:
			x.tasks = append(x.tasks, s.task)
		case timerQueue:
			x.timers = append(x.timers, time.AfterFunc(s.Delay, func() { x.send(limited, *s.happening) }))
		case stepQueue:
			h := *s.happening
			if err := x.settled(x.step(x.memory, h.Run, h), h.Run); err != nil {
				return err
			}
		default:
			return fmt.Errorf("states: an express execution cannot wait for %s", s.queue)
		}
	}
	return nil
}

// next waits for what happens next; it answers false where there is more to carry. A task that nothing else can
// come before is performed here.
func (x *express) next(limited context.Context) (Happening, bool) {
	tasks := x.tasks
	x.tasks = nil
	if len(tasks) == 1 && x.under == 0 && len(x.timers) == 0 && len(x.sent) == 0 {
		if h, ok := x.performed(limited, tasks[0]); ok {
			return h, true
		}
		tasks = nil
	}
	for _, t := range tasks {
		x.under++
		go func() {
			if h, ok := x.performed(limited, t); ok {
				x.send(limited, h)
			}
		}()
	}
	if len(x.sent) > 0 && limited.Err() == nil {
		return Happening{}, false
	}
	select {
	case h := <-x.happenings:
		if h.Kind == result {
			x.under--
		}
		return h, true
	case <-limited.Done():
		return Happening{Kind: executionDue, Turn: x.run.Redrives}, true
	}
}

func (x *express) send(limited context.Context, h Happening) {
	select {
	case x.happenings <- h:
	case <-limited.Done():
	}
}

// performed is what comes of a task; it answers false where the execution is over before.
func (x *express) performed(limited context.Context, t *Task) (Happening, bool) {
	for wait := 50 * time.Millisecond; limited.Err() == nil; wait *= 2 {
		reply := x.Perform(limited, t)
		if reply.Again {
			select {
			case <-time.After(wait):
			case <-limited.Done():
			}
			continue
		}
		if !reply.Done && reply.Failure == nil {
			reply.Failure = &asl.Failure{Error: asl.Runtime, Cause: "An express execution cannot wait for an answer"}
		}
		return Happening{Run: t.Run, Frame: t.Frame, Turn: t.Turn, Kind: result, Output: reply.Output, Failure: reply.Failure, Submitted: reply.Submitted}, true
	}
	return Happening{}, false
}

func (x *express) ended() (*Ended, error) {
	output, err := Output(x.memory, x.run.ID)
	return &Ended{x.run, output}, err
}

// logsAtATime is how many messages with events of an execution in memory are sent on in one transaction.
const logsAtATime = 64

// keepLogs sends on what an execution in memory has to log.
func (x *express) keepLogs() {
	if len(x.logs) == 0 {
		return
	}
	logs := x.logs
	x.logs = nil
	err := x.Store.Update(context.Background(), func(tx store.Tx) error {
		for _, n := range logs {
			if _, err := tx.Enqueue(LogQueue, n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		x.Log.Error("states: an express execution's events are not logged", "error", err)
	}
}

// Begun is an express execution that nobody waits for: it is run by whoever takes its message.
type Begun struct {
	Run   *Run   `cbor:"1,keyasint"`
	Input string `cbor:"2,keyasint"`
}

// Later has an express execution run at least once, whatever happens.
func (e *Engine) Later(ctx context.Context, run *Run, input string) error {
	if !valid(input) {
		return fmt.Errorf("states: the input is no JSON")
	}
	return e.Store.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Enqueue(expressQueue, store.NewMessage{Body: encode(Begun{run, input})})
		return err
	})
}

// runBegun runs an express execution that nobody waits for.
func (e *Engine) runBegun(ctx context.Context, m store.Message) courier.Verdict {
	var b Begun
	if err := cbor.Unmarshal(m.Body, &b); err != nil {
		e.Log.Error("states: an express execution cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	if _, err := e.Express(ctx, b.Run, b.Input); err != nil {
		if ctx.Err() == nil {
			e.Log.Error("states: an express execution could not be run", "execution", b.Run.ARN, "error", err)
		}
		return courier.Again(0)
	}
	return courier.Verdict{}
}
