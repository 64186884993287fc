package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"cirro/internal/store"

	"github.com/fxamacker/cbor/v2"
)

// MapRun is a distributed Map state that runs: its items are the inputs of executions of their own.
// https://docs.aws.amazon.com/step-functions/latest/dg/concepts-examine-map-run.html
type MapRun struct {
	ID      string    `cbor:"1,keyasint"`
	ARN     string    `cbor:"2,keyasint"`
	Parent  *Parent   `cbor:"3,keyasint"`
	Run     Run       `cbor:"4,keyasint"` // what its children have in common with the execution that it is of
	Express bool      `cbor:"5,keyasint,omitempty"`
	State   string    `cbor:"6,keyasint"`
	Path    []hop     `cbor:"7,keyasint,omitempty"` // of the machine that has the state
	Status  string    `cbor:"8,keyasint"`
	Started time.Time `cbor:"9,keyasint"`
	Stopped time.Time `cbor:"10,keyasint,omitempty"`

	MaxConcurrency   int64   `cbor:"11,keyasint"` // 0 for no bound of its own
	ToleratedCount   int64   `cbor:"12,keyasint,omitempty"`
	ToleratedPercent float64 `cbor:"13,keyasint,omitempty"`

	Input     string            `cbor:"14,keyasint"` // of the state
	Effective string            `cbor:"15,keyasint"` // the same, filtered
	Variables map[string]string `cbor:"16,keyasint,omitempty"`
	Reader    *Source           `cbor:"17,keyasint,omitempty"` // nil where the items are in the input
	Writer    *Source           `cbor:"18,keyasint,omitempty"`

	BatchItems int64  `cbor:"19,keyasint,omitempty"`
	BatchBytes int64  `cbor:"20,keyasint,omitempty"`
	BatchInput string `cbor:"21,keyasint,omitempty"`

	Begun     int64  `cbor:"22,keyasint,omitempty"` // children
	Read      int64  `cbor:"23,keyasint,omitempty"` // items
	Exhausted bool   `cbor:"24,keyasint,omitempty"`
	Executed  Counts `cbor:"25,keyasint"` // children by how they ended
	Items     Counts `cbor:"26,keyasint"` // their items
	Written   int64  `cbor:"27,keyasint,omitempty"`
	Error     string `cbor:"28,keyasint,omitempty"`
	Cause     string `cbor:"29,keyasint,omitempty"`

	Driven bool `cbor:"30,keyasint,omitempty"` // a driver is at work, or will be

	// of redrives
	Redrives      int64     `cbor:"31,keyasint,omitempty"`
	Redriven      time.Time `cbor:"32,keyasint,omitempty"`
	Wanted        bool      `cbor:"33,keyasint,omitempty"` // once the driver has ended that is at work
	Redriving     bool      `cbor:"34,keyasint,omitempty"` // there are children to be looked at, from Looked on
	Looked        int64     `cbor:"35,keyasint,omitempty"`
	Pending       int64     `cbor:"36,keyasint,omitempty"` // children that wait to be redriven
	PendingItems  int64     `cbor:"37,keyasint,omitempty"`
	NotRedrivable int64     `cbor:"38,keyasint,omitempty"` // children that failed for good
	LostItems     int64     `cbor:"39,keyasint,omitempty"` // theirs
}

// Source is where items are read from, or results are written to.
type Source struct {
	Resource   string `cbor:"1,keyasint"`
	Parameters string `cbor:"2,keyasint"` // JSON
	MaxItems   int64  `cbor:"3,keyasint,omitempty"`
}

// Counts are children, or items, by how they ended.
type Counts struct {
	Running   int64 `cbor:"1,keyasint,omitempty"`
	Succeeded int64 `cbor:"2,keyasint,omitempty"`
	Failed    int64 `cbor:"3,keyasint,omitempty"`
	TimedOut  int64 `cbor:"4,keyasint,omitempty"`
	Aborted   int64 `cbor:"5,keyasint,omitempty"`
}

// end counts n that ran as ended.
func (c *Counts) end(status string, n int64) {
	c.Running -= n
	switch status {
	case Succeeded:
		c.Succeeded += n
	case Failed:
		c.Failed += n
	case TimedOut:
		c.TimedOut += n
	default:
		c.Aborted += n
	}
}

// Unwell is how many did not end well.
func (c *Counts) Unwell() int64 { return c.Failed + c.TimedOut + c.Aborted }

// Child is a child of a map run, as it ended or as it runs.
type Child struct {
	Index  int64  `cbor:"1,keyasint"`
	Run    *Run   `cbor:"2,keyasint"`
	Items  int64  `cbor:"3,keyasint"` // in its batch
	Input  string `cbor:"4,keyasint,omitempty"`
	Output string `cbor:"5,keyasint,omitempty"`
	Ended  bool   `cbor:"6,keyasint,omitempty"`
}

func mapRunKey(id string) []byte { return store.Key("states", "maprun", id) }

// childKey is where a child of a map run is, by its number.
func childKey(id string, index int64) []byte {
	return binary.BigEndian.AppendUint64(store.Key("states", "mapchild", id), uint64(index))
}

// mapRunOfKey lists the map runs of an execution.
func mapRunOfKey(run, id string) []byte { return store.Key("states", "mapruns", run, id) }

// ErrNoMapRun is the answer for a map run that is not there.
var ErrNoMapRun = errors.New("states: no such map run")

// FindMapRun reads a map run.
func FindMapRun(r reads, id string) (*MapRun, error) {
	b, err := r.Get(mapRunKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoMapRun
	}
	if err != nil {
		return nil, err
	}
	m := &MapRun{}
	if err := cbor.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("states: a map run is damaged: %w", err)
	}
	return m, nil
}

// MapRuns are the ids of an execution's map runs.
func MapRuns(r rangeReader, run string) (ids []string, err error) {
	for kv, err := range r.Range(store.Prefix("states", "mapruns", run)) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, string(kv.Value))
	}
	return ids, nil
}

// Children walks the children of a map run from a number on, until more says no.
func Children(r rangeReader, id string, from int64, more func(*Child) (bool, error)) error {
	for kv, err := range r.Range(store.Range{Start: childKey(id, from), End: childKey(id, 1<<62)}) {
		if err != nil {
			return err
		}
		c := &Child{}
		if err := cbor.Unmarshal(kv.Value, c); err != nil {
			return fmt.Errorf("states: a child of a map run is damaged: %w", err)
		}
		if ok, err := more(c); !ok || err != nil {
			return err
		}
	}
	return nil
}

// FindChild finds the execution of a map run's child by its ARN, whose last part is its id.
func FindChild(r reads, arn string) (*Run, error) {
	run, err := Find(r, machineName(arn))
	if err == nil && run.ARN != arn {
		err = ErrNoRun
	}
	return run, err
}

// Tune changes the bounds of a map run while it runs; nil leaves one as it is.
func (e *Engine) Tune(tx store.Tx, id string, concurrency, count *int64, percent *float64) error {
	m, err := FindMapRun(tx, id)
	if err != nil {
		return err
	}
	if concurrency != nil {
		m.MaxConcurrency = *concurrency
	}
	if count != nil {
		m.ToleratedCount = *count
	}
	if percent != nil {
		m.ToleratedPercent = *percent
	}
	return tx.Set(mapRunKey(id), encode(m))
}
