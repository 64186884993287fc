package pebble

import (
	"context"
	"errors"
	"time"

	"cirro/internal/store"
)

var errQueues = errors.New("store: queues are not there yet")

func (s *Store) Receive(context.Context, string, store.ReceiveOptions) ([]store.Message, error) {
	return nil, errQueues
}
func (s *Store) Stats(context.Context, string) (store.Stats, error)      { return store.Stats{}, errQueues }
func (tx *transaction) Enqueue(string, store.NewMessage) (string, error) { return "", errQueues }
func (tx *transaction) Ack(store.Lease) error                            { return errQueues }
func (tx *transaction) Extend(store.Lease, time.Duration) error          { return errQueues }
func (tx *transaction) Purge(string) error                               { return errQueues }
func (tx *transaction) Drop(string) error                                { return errQueues }
