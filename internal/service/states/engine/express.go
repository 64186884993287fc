package engine

import (
	"context"
	"fmt"
	"time"

	"cirro/internal/asl"

	"github.com/fxamacker/cbor/v2"
)

// ExpressTimeout is how long an express execution may take.
// https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html#service-limits-state-machine-executions
const ExpressTimeout = 5 * time.Minute

// Ended is an express execution that has ended.
type Ended struct {
	Run    *Run
	Output string
	Events []Event
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
	limit := time.NewTimer(e.scaled(ExpressTimeout))
	defer limit.Stop()
	for {
		run, err := Find(m, run.ID)
		if err != nil {
			return nil, err
		}
		if run.Status != Running {
			return ended(m, run)
		}
		if err := e.carry(ctx, m, happenings); err != nil {
			return nil, err
		}
		if len(m.sent) > 0 {
			continue
		}
		var h Happening
		select {
		case h = <-happenings:
		case <-limit.C:
			h = Happening{Kind: executionDue, Turn: run.Redrives}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if err := e.settled(e.step(m, run.ID, h), run.ID); err != nil {
			return nil, err
		}
	}
}

// carry carries what was sent: steps at once, times and tasks meanwhile.
func (e *Engine) carry(ctx context.Context, m *memory, happenings chan<- Happening) error {
	for _, s := range m.take() {
		switch s.queue {
		case taskQueue:
			t := &Task{}
			if err := cbor.Unmarshal(s.Body, t); err != nil {
				return err
			}
			go e.performed(ctx, t, happenings)
		case stepQueue, timerQueue:
			var h Happening
			if err := cbor.Unmarshal(s.Body, &h); err != nil {
				return err
			}
			if s.queue == timerQueue {
				time.AfterFunc(s.Delay, func() { send(ctx, happenings, h) })
				continue
			}
			if err := e.settled(e.step(m, h.Run, h), h.Run); err != nil {
				return err
			}
		default:
			return fmt.Errorf("states: an express execution cannot wait for %s", s.queue)
		}
	}
	return nil
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
		send(ctx, to, Happening{Run: t.Run, Frame: t.Frame, Turn: t.Turn, Kind: result, Output: reply.Output, Failure: reply.Failure})
		return
	}
}

func ended(m *memory, run *Run) (*Ended, error) {
	out := &Ended{Run: run}
	var err error
	if out.Output, err = Output(m, run.ID); err != nil {
		return nil, err
	}
	err = History(m, run.ID, 0, false, func(ev Event) bool {
		out.Events = append(out.Events, ev)
		return true
	})
	return out, err
}
