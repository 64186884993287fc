package eventsource

import (
	"context"
	"encoding/json"
	"time"

	"cirro/internal/store"
)

// Handler handles what a source has. Its methods are called by many at once.
type Handler interface {
	// Handle handles a batch and says what came of it. ctx ends when the platform stops.
	Handle(ctx context.Context, b *Batch) Outcome
	// Discard is told of a stream's records that are given up. It writes what follows from that in the
	// transaction that moves on past them, and may be called more than once.
	Discard(tx store.Tx, d *Discarded) error
	// Report is told what came of the last batch, or of a read that failed: as LastProcessingResult has it.
	Report(result string)
}

// Values of what Report is told, beside "PROBLEM: " with a reason.
const (
	ResultNone = "No records processed"
	ResultOK   = "OK"
)

// Record is one record of a source.
type Record struct {
	// ID is what a handler names the record by that it failed to handle: the message's id or the record's
	// sequence number. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
	ID string
	// Event is the record as a handler gets it, in JSON.
	Event json.RawMessage
	// Trace is the X-Amzn-Trace-Id that the record came with; "" for none.
	Trace string
	// Arrived is when the source took the record.
	Arrived time.Time

	receipt string // of a message
	key     string // that the order of a stream's records is kept by
}

// Batch is what is handled at once.
type Batch struct {
	Records []Record
	Shard   string  // of a stream; "" of a queue
	Window  *Window // of a source with tumbling windows
	Attempt int     // 1 for the first
}

// Size is how many bytes of JSON the batch's records have.
func (b *Batch) Size() (n int) {
	for i := range b.Records {
		n += len(b.Records[i].Event)
	}
	return n
}

// Window is a tumbling window.
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
type Window struct {
	Start, End time.Time
	State      json.RawMessage // as the handler left it; an empty object at first
	Final      bool            // the window is over: there are no records
	Early      bool            // since the state became too large
}

// Outcome says what came of a batch. Its zero value is that all records were handled.
type Outcome struct {
	// Err says why the batch as a whole was not handled.
	Err error
	// Failed are the IDs of those records that were not.
	Failed []string
	// NotRun says that the batch could not be tried, through no fault of its records: it will be, and this
	// does not count as an attempt.
	NotRun bool
	// State is that of the batch's window from here on.
	State json.RawMessage
	// Note is handed to Discard, where it comes to that.
	Note any
}

// Discarded is a part of a shard that is given up.
type Discarded struct {
	Reason   string // "RetryAttemptsExhausted" or "RecordAgeExceeded"
	Records  []Record
	Shard    string
	Attempts int
	Note     any // of the last outcome; nil where there was none
}

// Why records are discarded.
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
const (
	RetriesExhausted = "RetryAttemptsExhausted"
	AgeExceeded      = "RecordAgeExceeded"
)
