package pebble

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"cirro/internal/store"
)

// sweep removes the messages of a queue that have expired.
func (s *Store) sweep(q *queue) {
	for q.expiring() && s.room.check() == nil {
		w := &sweeping{s: s, q: q, done: make(chan error, 1)}
		s.committer.submit(w)
		if errors.Is(<-w.done, store.ErrFull) {
			return
		}
	}
}

// expiring says whether a message may have expired.
func (q *queue) expiring() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	at, ok := q.index.expiring.next()
	return ok && at <= time.Now().UnixNano()
}

// sweeping is the step that looks through a chunk of messages for those that have expired.
type sweeping struct {
	s    *Store
	q    *queue
	done chan error
}

func (w *sweeping) prepare(b *pebble.Batch, _ uint64) error {
	if err := w.s.room.admit(0); err != nil {
		return err
	}
	q := w.q
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now().UnixNano()
	q.index.promote(now)
	c, ok := q.index.popExpiring(now)
	if !ok {
		return errNothing
	}
	return q.scan(w.s.db, indexSpace, c*chunk, (c+1)*chunk, func(seq uint64, value []byte) error {
		if !q.index.live.has(seq) {
			return nil // acknowledged in this group of commits, or not yet published
		}
		e, err := decodeEntry(value)
		if err != nil || e.expiry == 0 {
			return err
		}
		if e.expiry > now {
			q.index.expires(seq, e.expiry)
			return nil
		}
		h, until := q.index.expire(seq, e, now)
		if until > 0 {
			q.index.expires(seq, until)
			return nil
		}
		q.shelf.take(seq)
		q.index.left(h)
		return q.erase(b, seq, h)
	})
}

func (w *sweeping) refused(err error) { w.done <- err }

func (w *sweeping) applied() { w.done <- nil }

func (w *sweeping) published(error) {}

func (w *sweeping) durable() bool { return false }
