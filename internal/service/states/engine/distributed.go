package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// distribute begins a distributed Map: a map run, which a driver takes from here.
func (s *step) distribute(f *frame, state *asl.State, sc *asl.Scope) error {
	m, length, failure := s.mapRun(f, state, sc)
	if failure != nil {
		return s.failed(f, failure)
	}
	s.record(f, Event{Type: "MapStateStarted", Length: length})
	if m.ToleratedCount, m.ToleratedPercent, failure = state.Tolerated(sc); failure != nil { // of all fields, these are read so late
		return s.failed(f, failure)
	}
	s.record(f, Event{Type: "MapRunStarted", ARN: m.ARN})
	f.Phase, f.Turn, f.MapRun, m.Driven = joining, f.Turn+1, m.ID, true
	m.Parent = &Parent{s.run.ID, f.ID, f.Turn}
	if err := s.tx.Set(mapRunKey(m.ID), encode(m)); err != nil {
		return err
	}
	if err := s.tx.Set(mapRunOfKey(s.run.ID, m.ID), []byte(m.ID)); err != nil {
		return err
	}
	_, err := s.tx.Enqueue(mapQueue, store.NewMessage{Body: []byte(m.ID)})
	return err
}

// mapRun readies a map run: all that its state's fields say is settled here.
func (s *step) mapRun(f *frame, state *asl.State, sc *asl.Scope) (m *MapRun, length int64, failure *asl.Failure) {
	effective, failure := state.Begin(sc)
	if failure != nil {
		return nil, 0, failure
	}
	label := state.Label
	if label == "" {
		label = strings.Map(func(r rune) rune {
			if strings.ContainsRune(" ?*<>{}[]:;,\\|^~$#%&`\"", r) || r <= 0x1f || r >= 0x7f && r <= 0x9f {
				return -1
			}
			return r
		}, state.Name)
	}
	id := uuid.NewString()
	name := machineName(s.run.Machine) + "/" + label
	m = &MapRun{ID: id, ARN: fmt.Sprintf("arn:aws:states:%s:%s:mapRun:%s:%s", s.run.Region, s.run.Account, name, id), State: state.Name, Path: f.Path,
		Express: state.ExecutionType == "EXPRESS", Status: Running, Started: s.now, Input: f.Input, Effective: string(document.Encode(effective))}
	m.Run = Run{Machine: fmt.Sprintf("arn:aws:states:%s:%s:stateMachine:%s", s.run.Region, s.run.Account, name), Revision: s.run.Revision,
		Role: s.run.Role, Account: s.run.Account, Region: s.run.Region, Trace: s.run.Trace, MapRun: m.ARN, Log: s.run.Log, Case: s.run.Case,
		Part: append(slices.Concat(s.run.Part, f.Path), hop{State: state.Name})}
	if m.MaxConcurrency, failure = state.MaxConcurrency(sc); failure != nil {
		return nil, 0, failure
	}
	for name, v := range sc.Variables {
		if m.Variables == nil {
			m.Variables = map[string]string{}
		}
		m.Variables[name] = string(document.Encode(v))
	}
	if failure := m.sources(state, sc); failure != nil {
		return nil, 0, failure
	}
	if m.Reader == nil {
		items, failure := state.Items(sc, effective)
		if failure != nil {
			return nil, 0, failure
		}
		length = int64(len(items))
	}
	return m, length, nil
}

// sources settles where items come from, how they are put together, and where results go.
func (m *MapRun) sources(state *asl.State, sc *asl.Scope) *asl.Failure {
	if r := state.Reader; r != nil {
		parameters, failure := r.Parameters(state, sc)
		if failure != nil {
			return failure
		}
		most, failure := r.MaxItems(state, sc)
		if failure != nil {
			return failure
		}
		m.Reader = &Source{r.Resource, string(document.Encode(parameters)), most}
	}
	if w := state.Writer; w != nil {
		parameters, failure := w.Parameters(state, sc)
		if failure != nil {
			return failure
		}
		m.Writer = &Source{Resource: w.Resource, Parameters: string(document.Encode(parameters))}
	}
	if b := state.Batcher; b != nil {
		var failure *asl.Failure
		if m.BatchItems, m.BatchBytes, failure = b.Limits(state, sc); failure != nil {
			return failure
		}
		input, failure := b.Input(state, sc)
		if failure != nil {
			return failure
		}
		if input != nil {
			m.BatchInput = string(document.Encode(input))
		}
	}
	return nil
}

// distributed takes the end of a map run.
func (s *step) distributed(f *frame, h Happening) error {
	state := s.state(f)
	if h.Failure != nil {
		s.record(f, Event{Type: "MapRunFailed", Error: h.Failure.Error, Cause: h.Failure.Cause, HasError: true})
		s.record(f, Event{Type: "MapStateFailed"})
		s.ready = append(s.ready, f)
		f.Phase = going
		return s.failed(f, h.Failure)
	}
	// The line goes on from the start of the map run.
	s.note(s.note(f.Previous, Event{Type: "MapRunSucceeded"}), Event{Type: "MapStateSucceeded"})
	return s.done(f, state, []byte(h.Output))
}

// stopMapRuns has the map runs of an execution that has ended stop.
func (s *step) stopMapRuns() error {
	ids, err := MapRuns(s.tx, s.run.ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.stopMapRun(id); err != nil {
			return err
		}
	}
	return nil
}

// stopMapRun has a map run stop, if it runs.
func (s *step) stopMapRun(id string) error {
	m, err := FindMapRun(s.tx, id)
	if errors.Is(err, ErrNoMapRun) {
		return nil
	}
	if err != nil || m.Status != Running && !m.Wanted {
		return err
	}
	if m.Status == Running {
		m.Status, m.Stopped = Aborted, s.now
	}
	m.Wanted = false
	return s.tx.Set(mapRunKey(id), encode(m))
}
