package pebble

import (
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"cirro/internal/store"
)

// Stats counts a queue's messages; see store.Store. Oldest is that of the message first in order.
func (s *Store) Stats(ctx context.Context, name string) (store.Stats, error) {
	if err := s.enter(); err != nil {
		return store.Stats{}, err
	}
	defer s.leave()
	if err := ctx.Err(); err != nil {
		return store.Stats{}, err
	}
	q, err := s.queue(name)
	if err != nil {
		return store.Stats{}, err
	}
	s.sweep(q)
	stats, first := q.count()
	if first == 0 {
		return stats, nil
	}
	value, closer, err := s.db.Get(q.key(bodySpace, first))
	if errors.Is(err, pebble.ErrNotFound) {
		return stats, nil // it was removed this instant
	}
	if err != nil {
		return stats, err
	}
	m, err := decodeMessage(value)
	stats.Oldest = time.Unix(0, m.enqueued)
	return stats, errors.Join(err, closer.Close())
}

// count returns a queue's counts and its first message.
func (q *queue) count() (s store.Stats, first uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	x := q.index
	q.wake(x.promote(time.Now().UnixNano()))
	first, _ = x.live.first()
	return store.Stats{Ready: x.live.len() - x.delayed - x.leased, Delayed: x.delayed, Leased: x.leased}, first
}
