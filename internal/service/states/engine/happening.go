package engine

import (
	"fmt"
	"time"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
)

// Kind is what happens.
type Kind int

// What happens to an execution.
const (
	began Kind = iota
	goOn
	waitOver
	retryDue
	timeoutDue
	heartbeatDue
	executionDue
	result    // a task's
	submitted // what a task waits for has begun
	picked    // an activity's worker has a task
	beaten    // a heartbeat
	stopped
	redriven
	mapEnded
)

// Happening is what happens to an execution, or to a frame of it at its turn.
type Happening struct {
	Run     string       `cbor:"1,keyasint"`
	Frame   int64        `cbor:"2,keyasint,omitempty"`
	Turn    int64        `cbor:"3,keyasint,omitempty"`
	Kind    Kind         `cbor:"4,keyasint,omitempty"`
	Output  string       `cbor:"5,keyasint,omitempty"`
	Failure *asl.Failure `cbor:"6,keyasint,omitempty"`
	Worker  string       `cbor:"7,keyasint,omitempty"`

	Submitted string `cbor:"8,keyasint,omitempty"` // before a result: what the task waited for
}

// happen is what a happening leads to.
func (s *step) happen(h Happening) error {
	switch h.Kind {
	case began:
		return s.start(h.Output)
	case redriven:
		if NotRedrivable(s.run, s.now) != "" {
			return ErrLate
		}
		return s.redrive()
	}
	if s.run.Status != Running {
		return ErrLate
	}
	switch h.Kind {
	case stopped:
		return s.end(Aborted, "ExecutionAborted", h.Failure)
	case executionDue:
		if h.Turn != s.run.Redrives {
			return ErrLate
		}
		return s.end(TimedOut, "ExecutionTimedOut", &asl.Failure{})
	}
	f, err := s.load(h.Frame)
	if err != nil {
		return err
	}
	if f == nil || f.Turn != h.Turn {
		return ErrLate
	}
	return s.turn(f, h)
}

// turn is what a happening at a frame's turn leads to.
func (s *step) turn(f *frame, h Happening) error {
	want, ok := map[Kind]phase{goOn: going, waitOver: waiting, retryDue: retrying, timeoutDue: working, heartbeatDue: working,
		result: working, submitted: working, picked: working, beaten: working, mapEnded: joining}[h.Kind]
	if !ok {
		return fmt.Errorf("states: nothing follows from happening %d", h.Kind)
	}
	if f.Phase != want {
		return ErrLate
	}
	switch h.Kind {
	case goOn, retryDue:
		f.Phase = going
		s.ready = append(s.ready, f)
		return nil
	case waitOver:
		sc, err := s.scope(f)
		if err != nil {
			return err
		}
		f.Phase = going
		s.ready = append(s.ready, f)
		return s.waited(f, s.state(f), sc)
	case submitted:
		return s.submitted(f, h)
	case picked:
		f.Beat = s.now
		s.record(f, Event{Type: "ActivityStarted", Name: h.Worker})
		if f.Heartbeat > 0 {
			return s.timer(f, heartbeatDue, f.Heartbeat)
		}
		return nil
	case beaten:
		f.Beat = s.now
		return nil
	case heartbeatDue:
		if rest := f.Beat.Add(s.e.scaled(f.Heartbeat)).Sub(s.now); rest > 0 {
			rest = min(rest, s.e.scaled(f.Heartbeat)) // the clock may have been set back
			return s.enqueue(timerQueue, Happening{Run: s.run.ID, Frame: f.ID, Turn: f.Turn, Kind: heartbeatDue}, rest)
		}
		h.Failure = &asl.Failure{Error: asl.Timeout, Heartbeat: true}
	case timeoutDue:
		h.Failure = &asl.Failure{Error: asl.Timeout}
	case mapEnded:
		return s.distributed(f, h)
	}
	s.ready = append(s.ready, f)
	return s.returned(f, h)
}

// start begins the execution.
func (s *step) start(input string) error {
	s.record(nil, Event{Type: "ExecutionStarted", Input: input, Role: s.run.Role, ARN: s.run.Alias, Name: s.run.Version})
	s.run.LastFrame++
	f := &frame{ID: s.run.LastFrame, State: s.root.StartAt, Input: input}
	s.frames[f.ID] = f
	s.ready = append(s.ready, f)
	return s.watch()
}

// watch has the execution end in time.
func (s *step) watch() error {
	if s.root.TimeoutSeconds == 0 {
		return nil
	}
	return s.enqueue(timerQueue, Happening{Run: s.run.ID, Turn: s.run.Redrives, Kind: executionDue},
		s.e.scaled(time.Duration(s.root.TimeoutSeconds)*time.Second))
}

// redrive goes on with an execution that did not end well, where it stood.
// https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
func (s *step) redrive() error {
	s.run.Status, s.run.Stopped, s.run.Error, s.run.Cause, s.run.HasError = Running, time.Time{}, "", "", false
	s.run.Redrives++
	s.run.Redriven = s.now
	last := &frame{Previous: s.run.LastEvent}
	s.record(last, Event{Type: "ExecutionRedriven", Count: s.run.Redrives})
	if err := s.resume(1, last.Previous); err != nil {
		return err
	}
	return s.watch()
}

// resume goes on with a frame, or with those below it.
func (s *step) resume(id, previous int64) error {
	f, err := s.load(id)
	if err != nil || f == nil {
		return err
	}
	f.Turn++
	if len(f.Kids) > 0 {
		f.Phase = joining
		for _, kid := range f.Kids {
			if err := s.resume(kid, previous); err != nil {
				return err
			}
		}
		return nil
	}
	f.Phase, f.Previous = going, previous
	f.Attempts, f.Retries = make([]int64, len(s.state(f).Retriers)), 0
	if again, err := s.redriveMapRun(f); again || err != nil {
		return err
	}
	if t := s.state(f).Type; t == asl.Fail || t == asl.Wait || t == asl.Pass || t == asl.Choice || t == asl.Succeed {
		f.Entered = 0 // it is entered anew
	}
	s.ready = append(s.ready, f)
	return nil
}

// valid reports whether a text is JSON.
func valid(text string) bool {
	_, err := document.Decode([]byte(text))
	return err == nil
}
