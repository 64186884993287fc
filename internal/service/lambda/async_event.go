package lambda

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// event is an asynchronous invocation that was accepted, and what its last attempt came to.
type event struct {
	scope
	RequestID string
	Function  string
	Qualifier string // as the caller gave it
	TraceID   string
	Accepted  time.Time
	Attempts  int // that the function made, well or badly

	// Of the last attempt, if there was one.
	Version       string
	FunctionError string
	Response      []byte `json:"-"`

	Payload []byte `json:"-"`
}

// encode writes the event as it is queued: a line of JSON that ends in the payload's length, then the
// payload and the response as they are.
func (e *event) encode() []byte {
	head, err := json.Marshal(eventHead{event: e, PayloadSize: len(e.Payload)})
	if err != nil {
		panic(fmt.Sprintf("lambda: encode an event: %v", err)) // strings, numbers and times
	}
	body := make([]byte, 0, len(head)+1+len(e.Payload)+len(e.Response))
	body = append(body, head...)
	body = append(body, '\n')
	body = append(body, e.Payload...)
	return append(body, e.Response...)
}

type eventHead struct {
	*event
	PayloadSize int
}

func decodeEvent(body []byte) (*event, error) {
	line, rest, found := bytes.Cut(body, []byte("\n"))
	if !found {
		return nil, errors.New("lambda: an event without an end of its head")
	}
	head := eventHead{event: &event{}}
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, fmt.Errorf("lambda: an event's head: %w", err)
	}
	if head.event == nil || head.PayloadSize < 0 || head.PayloadSize > len(rest) {
		return nil, fmt.Errorf("lambda: an event of %d bytes with a payload of %d", len(rest), head.PayloadSize)
	}
	e := head.event
	e.Payload, e.Response = rest[:head.PayloadSize:head.PayloadSize], rest[head.PayloadSize:]
	return e, nil
}
