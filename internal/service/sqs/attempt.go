package sqs

import "cirro/internal/store"

// forget removes what is kept of a queue besides its record and its messages.
func (q *queue) forget(tx store.Tx) error { return nil }
