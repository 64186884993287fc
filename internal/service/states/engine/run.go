package engine

import (
	"errors"
	"fmt"
	"time"

	"cirro/internal/store"

	"github.com/fxamacker/cbor/v2"
)

// The states of an execution.
const (
	Running   = "RUNNING"
	Succeeded = "SUCCEEDED"
	Failed    = "FAILED"
	TimedOut  = "TIMED_OUT"
	Aborted   = "ABORTED"
)

// Run is an execution. Input and Output are kept apart from it, for it is written at each step.
type Run struct {
	ID       string    `cbor:"1,keyasint"` // unguessable, and never used again
	ARN      string    `cbor:"2,keyasint"`
	Name     string    `cbor:"3,keyasint"`
	Machine  string    `cbor:"4,keyasint"` // ARN of the state machine
	Revision string    `cbor:"5,keyasint"` // which of its definitions
	Version  string    `cbor:"6,keyasint,omitempty"`
	Alias    string    `cbor:"7,keyasint,omitempty"`
	Role     string    `cbor:"8,keyasint"`
	Account  string    `cbor:"9,keyasint"`
	Region   string    `cbor:"10,keyasint"`
	Trace    string    `cbor:"11,keyasint,omitempty"` // X-Amzn-Trace-Id
	Started  time.Time `cbor:"12,keyasint"`
	Stopped  time.Time `cbor:"13,keyasint,omitempty"`
	Status   string    `cbor:"14,keyasint"`
	Error    string    `cbor:"15,keyasint,omitempty"`
	Cause    string    `cbor:"16,keyasint,omitempty"`
	HasError bool      `cbor:"17,keyasint,omitempty"`

	LastEvent int64     `cbor:"18,keyasint"`
	LastFrame int64     `cbor:"19,keyasint"`
	Parent    *Parent   `cbor:"20,keyasint,omitempty"`
	MapRun    string    `cbor:"21,keyasint,omitempty"` // ARN, of the children of a distributed Map
	Redrives  int64     `cbor:"22,keyasint,omitempty"`
	Redriven  time.Time `cbor:"23,keyasint,omitempty"`

	Log *Logging `cbor:"26,keyasint,omitempty"` // nil for none

	// Case is the test case whose mocks answer for tasks; "" for none.
	Case string `cbor:"27,keyasint,omitempty"`

	// Part is where in the definition the machine of a distributed Map's child is; nil for the whole.
	Part []hop `cbor:"25,keyasint,omitempty"`
}

// Logging says which of an execution's events go to a log group.
type Logging struct {
	Group string `cbor:"1,keyasint"` // its ARN
	Level string `cbor:"2,keyasint"` // ALL, ERROR or FATAL
	Data  bool   `cbor:"3,keyasint,omitempty"`
}

// Parent is who waits for the end of an execution: a task of another one, by its token.
type Parent struct {
	Run   string `cbor:"1,keyasint"`
	Frame int64  `cbor:"2,keyasint"`
	Turn  int64  `cbor:"3,keyasint"`
}

func runKey(id string) []byte    { return store.Key("states", "run", id) }
func inputKey(id string) []byte  { return store.Key("states", "input", id) }
func outputKey(id string) []byte { return store.Key("states", "output", id) }

// ErrNoRun is the answer for an execution that is not there.
var ErrNoRun = errors.New("states: no such execution")

// Reads is what is read of a store.
type reads interface {
	Get(key []byte) ([]byte, error)
}

// Find reads an execution.
func Find(r reads, id string) (*Run, error) {
	b, err := r.Get(runKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoRun
	}
	if err != nil {
		return nil, err
	}
	run := &Run{}
	if err := cbor.Unmarshal(b, run); err != nil {
		return nil, fmt.Errorf("states: an execution is damaged: %w", err)
	}
	return run, nil
}

// Input and Output are an execution's, as JSON; "" for an output that is not there yet.
func Input(r reads, id string) (string, error)  { return textAt(r, inputKey(id)) }
func Output(r reads, id string) (string, error) { return textAt(r, outputKey(id)) }

func textAt(r reads, key []byte) (string, error) {
	b, err := r.Get(key)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return string(b), err
}
