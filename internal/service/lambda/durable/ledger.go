package durable

import "time"

// Ledger keeps what lies beside an execution's record. What is kept can be read at once.
type Ledger interface {
	// Operation is the one of an id, nil where there is none.
	Operation(id string) (*Operation, error)
	// Numbered is the one of a number that was begun.
	Numbered(n int) (*Operation, error)
	// Due are those whose Due is set and not after until, in its order.
	Due(until time.Time) ([]*Operation, error)
	// Keep writes an operation. was is its Due as the ledger has it.
	Keep(op *Operation, was time.Time) error
	// Record appends to the history. The number is the event's.
	Record(number int, e *Event) error
}
