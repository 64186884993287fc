package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"cirro/internal/asl"
	"cirro/internal/store"

	"github.com/fxamacker/cbor/v2"
)

// phase is what a frame waits for.
type phase int

const (
	going    phase = iota // nothing: it goes on with the next step
	waiting               // a time, in a Wait state
	retrying              // a time, before a state is tried again
	working               // a task's result
	joining               // its children
	halted                // its execution has failed below it, and may be redriven
)

// hop is one step into nested machines: a branch of a Parallel state, or what a Map state does.
type hop struct {
	State  string `cbor:"1,keyasint"`
	Branch int    `cbor:"2,keyasint,omitempty"`
}

// frame is a line of an execution.
type frame struct {
	ID        int64             `cbor:"1,keyasint"`
	Parent    int64             `cbor:"2,keyasint,omitempty"` // 0 for none
	Place     int               `cbor:"3,keyasint,omitempty"` // which branch or item
	Path      []hop             `cbor:"4,keyasint,omitempty"`
	State     string            `cbor:"5,keyasint"`
	Input     string            `cbor:"6,keyasint"`
	Variables map[string]string `cbor:"7,keyasint,omitempty"`
	Outer     bool              `cbor:"8,keyasint,omitempty"` // the frames around it have variables
	Entered   int64             `cbor:"9,keyasint,omitempty"` // the event by which the state was entered; 0 before
	EnteredAt time.Time         `cbor:"10,keyasint,omitempty"`
	Previous  int64             `cbor:"11,keyasint,omitempty"` // the last event of this line
	Attempts  []int64           `cbor:"12,keyasint,omitempty"` // of each retrier
	Retries   int64             `cbor:"13,keyasint,omitempty"`
	Phase     phase             `cbor:"14,keyasint,omitempty"`
	Turn      int64             `cbor:"15,keyasint,omitempty"`

	// of a task
	Heartbeat time.Duration `cbor:"16,keyasint,omitempty"`
	Beat      time.Time     `cbor:"17,keyasint,omitempty"` // the last sign of life

	// of Parallel and Map
	Effective string  `cbor:"18,keyasint,omitempty"` // the input of a Map's items
	Children  int     `cbor:"19,keyasint,omitempty"`
	Next      int     `cbor:"20,keyasint,omitempty"` // the first that is not begun
	Done      int     `cbor:"21,keyasint,omitempty"`
	Kids      []int64 `cbor:"22,keyasint,omitempty"` // the frames under way
	AtOnce    int     `cbor:"23,keyasint,omitempty"`

	MapRun string `cbor:"29,keyasint,omitempty"` // id of the one that a distributed Map began last

	Forked int64 `cbor:"27,keyasint,omitempty"` // the event that the children follow

	// of an item: what the context object has under Map
	Item   string `cbor:"24,keyasint,omitempty"`
	IsItem bool   `cbor:"25,keyasint,omitempty"`

	Before int64 `cbor:"28,keyasint,omitempty"` // the last event of this line before the state was entered

	value   any // the input, decoded
	decoded bool
}

func frameKey(run string, id int64) []byte {
	return binary.BigEndian.AppendUint64(store.Key("states", "frame", run), uint64(id))
}

// resultKey is where the output of a branch or an item is until all are there.
func resultKey(run string, frame int64, place int) []byte {
	k := binary.BigEndian.AppendUint64(store.Key("states", "result", run), uint64(frame))
	return binary.BigEndian.AppendUint32(k, uint32(place))
}

// itemsKey is where the items of a Map are while it runs.
func itemsKey(run string, frame int64) []byte {
	return binary.BigEndian.AppendUint64(store.Key("states", "items", run), uint64(frame))
}

// load reads a frame; nil where it is gone.
func (s *step) load(id int64) (*frame, error) {
	if f, ok := s.frames[id]; ok {
		return f, nil
	}
	if s.memory != nil {
		return nil, nil
	}
	b, err := s.tx.Get(frameKey(s.run.ID, id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := &frame{}
	if err := cbor.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("states: a frame is damaged: %w", err)
	}
	s.frames[id] = f
	return f, nil
}

// drop removes a frame and all below it.
func (s *step) drop(f *frame) error {
	if f.MapRun != "" {
		if err := s.stopMapRun(f.MapRun); err != nil {
			return err
		}
	}
	for _, id := range f.Kids {
		kid, err := s.load(id)
		if err != nil {
			return err
		}
		if kid != nil {
			if err := s.drop(kid); err != nil {
				return err
			}
		}
	}
	s.frames[f.ID] = nil
	s.dropped = append(s.dropped, f.ID)
	return s.dropResults(f)
}

// dropResults forgets what a frame's children gave.
func (s *step) dropResults(f *frame) error {
	if f.Children == 0 {
		return nil
	}
	if err := s.tx.Delete(itemsKey(s.run.ID, f.ID)); err != nil {
		return err
	}
	return s.tx.DeleteRange(resultKey(s.run.ID, f.ID, 0), resultKey(s.run.ID, f.ID+1, 0))
}

// machine is the machine that a frame runs.
func (s *step) machine(f *frame) *asl.Machine { return within(s.root, f.Path) }

// within is the machine at the end of a path.
func within(m *asl.Machine, path []hop) *asl.Machine {
	for _, h := range path {
		state := m.States[h.State]
		if state.Type == asl.Parallel {
			m = state.Branches[h.Branch]
		} else {
			m = state.Processor
		}
	}
	return m
}

func (s *step) state(f *frame) *asl.State { return s.machine(f).States[f.State] }
