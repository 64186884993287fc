package eventbridge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// parcel is an event on its way: from its bus to the rules that it matched, or to one target of one rule that
// did not take it.
type parcel struct {
	Bus    busRef
	ID     string
	At     time.Time // when EventBridge got it
	Time   time.Time // the event's own
	Trace  string    `json:",omitempty"`
	Replay string    `json:",omitempty"` // name of the replay that brings it
	Rules  []string  `json:",omitempty"` // of a fresh one
	Rule   string    `json:",omitempty"` // of one for a target
	Target string    `json:",omitempty"` // id
	Tried  int       `json:",omitempty"` // attempts before it was enqueued
	Since  time.Time `json:",omitzero"`  // when its delivery began; zero for when it was enqueued
	Hops   []place   `json:",omitempty"` // of the buses that passed it on, from the first

	event []byte
}

// encode writes a parcel as one line about it, and the event.
func (p *parcel) encode() []byte {
	head, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("eventbridge: encode a parcel: %v", err)) // strings, numbers, times
	}
	return append(append(head, '\n'), p.event...)
}

func decodeParcel(b []byte) (*parcel, error) {
	head, event, ok := bytes.Cut(b, []byte{'\n'})
	if !ok {
		return nil, errors.New("eventbridge: a parcel without an event")
	}
	p := &parcel{event: event}
	return p, json.Unmarshal(head, p)
}
