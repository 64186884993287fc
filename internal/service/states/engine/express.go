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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := newMemory()
	if err := e.Begin(m, run, input); err != nil {
		return nil, err
	}
	happenings := make(chan Happening)
	defer func() { e.keepLogs(m) }()
	limit := time.NewTimer(e.scaled(ExpressTimeout))
	defer limit.Stop()
	defer m.stopTimers()
	for {
		if err := e.carry(ctx, m, happenings); err != nil {
			return nil, err
		}
		if m.run.Status != Running && len(m.sent) == 0 {
			return ended(m)
		}
		var goes <-chan struct{} // more is to be carried
		if len(m.sent) > 0 {
			goes = always
		}
		h := Happening{Kind: executionDue, Turn: run.Redrives}
		select {
		case <-goes:
			continue
		case h = <-happenings:
		case <-limit.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := e.settled(e.step(m, run.ID, h), run.ID); err != nil {
			return nil, err
		}
	}
}

var always = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// carry carries what was sent: steps at once, times and tasks meanwhile.
func (e *Engine) carry(ctx context.Context, m *memory, happenings chan<- Happening) error {
	for _, s := range m.take() {
		switch s.queue {
		case LogQueue:
			if m.logs = append(m.logs, s.NewMessage); len(m.logs) == logsAtATime {
				e.keepLogs(m)
			}
		case taskQueue:
			go e.performed(ctx, s.task, happenings)
		case timerQueue:
			m.timers = append(m.timers, time.AfterFunc(s.Delay, func() { send(ctx, happenings, *s.happening) }))
		case stepQueue:
			h := *s.happening
			if err := e.settled(e.step(m, h.Run, h), h.Run); err != nil {
				return err
			}
		default:
			return fmt.Errorf("states: an express execution cannot wait for %s", s.queue)
		}
	}
	return nil
}

// logsAtATime is how many messages with events of an execution in memory are sent on in one transaction.
const logsAtATime = 64

// keepLogs sends on what an execution in memory has to log.
func (e *Engine) keepLogs(m *memory) {
	if len(m.logs) == 0 {
		return
	}
	logs := m.logs
	m.logs = nil
	err := e.Store.Update(context.Background(), func(tx store.Tx) error {
		for _, n := range logs {
			if _, err := tx.Enqueue(LogQueue, n); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		e.Log.Error("states: an express execution's events are not logged", "error", err)
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

func send(ctx context.Context, to chan<- Happening, h Happening) {
	select {
	case to <- h:
	case <-ctx.Done():
	}
}

// performed performs a task of an express execution.
func (e *Engine) performed(ctx context.Context, t *Task, to chan<- Happening) {
	for wait := 50 * time.Millisecond; ctx.Err() == nil; wait *= 2 {
		reply := e.Perform(ctx, t)
		if reply.Again {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
			continue
		}
		if !reply.Done && reply.Failure == nil {
			reply.Failure = &asl.Failure{Error: asl.Runtime, Cause: "An express execution cannot wait for an answer"}
		}
		send(ctx, to, Happening{Run: t.Run, Frame: t.Frame, Turn: t.Turn, Kind: result, Output: reply.Output, Failure: reply.Failure, Submitted: reply.Submitted})
		return
	}
}

func ended(m *memory) (*Ended, error) {
	output, err := Output(m, m.run.ID)
	return &Ended{m.run, output}, err
}
