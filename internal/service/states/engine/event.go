package engine

import (
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"cirro/internal/store"

	"github.com/fxamacker/cbor/v2"
)

// Event is an event of a history: the fields of all types of events that the engine writes.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
type Event struct {
	ID       int64     `cbor:"1,keyasint"`
	Previous int64     `cbor:"2,keyasint,omitempty"`
	Time     time.Time `cbor:"3,keyasint"`
	Type     string    `cbor:"4,keyasint"`

	Name         string            `cbor:"5,keyasint,omitempty"` // of a state, or an activity's worker
	Input        string            `cbor:"6,keyasint,omitempty"`
	Output       string            `cbor:"7,keyasint,omitempty"`
	Error        string            `cbor:"8,keyasint,omitempty"`
	Cause        string            `cbor:"9,keyasint,omitempty"`
	Resource     string            `cbor:"10,keyasint,omitempty"`
	ResourceType string            `cbor:"11,keyasint,omitempty"`
	Region       string            `cbor:"12,keyasint,omitempty"`
	Role         string            `cbor:"13,keyasint,omitempty"`
	Timeout      int64             `cbor:"14,keyasint,omitempty"` // seconds
	Heartbeat    int64             `cbor:"15,keyasint,omitempty"` // seconds
	Index        int64             `cbor:"16,keyasint,omitempty"`
	Length       int64             `cbor:"17,keyasint,omitempty"`
	Assigned     map[string]string `cbor:"18,keyasint,omitempty"`
	Location     string            `cbor:"19,keyasint,omitempty"`
	ARN          string            `cbor:"20,keyasint,omitempty"` // of a map run, a machine's version or alias
	Count        int64             `cbor:"21,keyasint,omitempty"` // of redrives
	HasError     bool              `cbor:"22,keyasint,omitempty"` // error and cause are given, be they empty
}

// MaxEvents is how many events a history may have.
// https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html#service-limits-state-machine-executions
const MaxEvents = 25_000

// cborMode keeps times to the nanosecond.
var cborMode = func() cbor.EncMode {
	m, err := cbor.EncOptions{Time: cbor.TimeRFC3339Nano}.EncMode()
	if err != nil {
		panic(err) // the options are ours
	}
	return m
}()

func encode(v any) []byte {
	b, err := cborMode.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("states: encode a %T: %v", v, err)) // numbers, texts and times
	}
	return b
}

// historyKey is where the events of a step are, by the number of the first of them.
func historyKey(run string, first int64) []byte {
	return binary.BigEndian.AppendUint64(store.Key("states", "history", run), uint64(first))
}

// rangeReader is what a history is read of.
type rangeReader interface {
	Range(store.Range) iter.Seq2[store.KV, error]
}

// History reads the events of an execution from a number on, or backwards to the first, until more says no.
func History(r rangeReader, run string, from int64, reverse bool, more func(Event) bool) error {
	first, end := historyKey(run, 0), historyKey(run, 1<<62)
	span := store.Range{Start: first, End: end, Reverse: reverse}
	if reverse && from > 0 {
		span.End = historyKey(run, from+1)
	} else if !reverse && from > 0 {
		// The step that has the event may have begun before it.
		for kv, err := range r.Range(store.Range{Start: first, End: historyKey(run, from+1), Reverse: true, Limit: 1}) {
			if err != nil {
				return err
			}
			span.Start = append([]byte(nil), kv.Key...)
		}
	}
	for kv, err := range r.Range(span) {
		if err != nil {
			return err
		}
		var events []Event
		if err := cbor.Unmarshal(kv.Value, &events); err != nil {
			return fmt.Errorf("states: a history is damaged: %w", err)
		}
		for i := range events {
			e := events[i]
			if reverse {
				e = events[len(events)-1-i]
			}
			if reverse && from > 0 && e.ID > from || !reverse && e.ID < from {
				continue
			}
			if !more(e) {
				return nil
			}
		}
	}
	return nil
}
