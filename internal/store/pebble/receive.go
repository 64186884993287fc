package pebble

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"cirro/internal/store"
)

// burial is how long a message stays leased to be moved to the dead letters; in case that fails, until
// the next try.
const burial = 30 * time.Second

// burials is how many messages one receiver moves at a time.
const burials = 64

// errNothing refuses to lease when nothing is ready.
var errNothing = errors.New("store: no message is ready")

// Receive leases messages; see store.Store.
func (s *Store) Receive(ctx context.Context, name string, o store.ReceiveOptions) ([]store.Message, error) {
	if o.Max < 1 || o.Lease < time.Millisecond || (o.MaxDeliveries > 0 && (o.DeadLetter == "" || o.DeadLetter == name)) {
		return nil, fmt.Errorf("store: queue %q: receive options %+v are not possible", name, o)
	}
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	q, err := s.queue(name)
	if err != nil {
		return nil, err
	}
	r := receiver{s: s, q: q, name: name, o: o, deadline: time.Now().Add(o.Wait)}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		messages, more, err := r.try(ctx)
		if err != nil || len(messages) > 0 {
			return messages, err
		}
		if more {
			continue
		}
		if over, err := r.wait(ctx); over || err != nil {
			return nil, err
		}
	}
}

// receiver is one call of Receive.
type receiver struct {
	s        *Store
	q        *queue
	name     string
	o        store.ReceiveOptions
	deadline time.Time
}

// try leases what is ready. More says that it came away with nothing but should try again.
func (r *receiver) try(ctx context.Context) (messages []store.Message, more bool, err error) {
	r.s.sweep(r.q)
	if !r.q.ready() {
		return nil, false, nil
	}
	if err := r.s.room.check(); err != nil {
		return nil, false, err
	}
	l := &leasing{q: r.q, o: r.o, room: r.s.room, outcome: newOutcome()}
	r.s.committer.submit(l)
	if err := l.await(); err != nil {
		if errors.Is(err, errNothing) {
			err = nil
		}
		return nil, false, err
	}
	if err := r.bury(ctx, l.dead); err != nil {
		return nil, false, err
	}
	messages, err = r.fetch(l.taken)
	return messages, true, err
}

// fetch reads the messages. Those purged since are left out.
func (r *receiver) fetch(taken []held) ([]store.Message, error) {
	messages := make([]store.Message, 0, len(taken))
	for _, h := range taken {
		m, err := r.q.read(r.s.db, h.seq)
		if errors.Is(err, pebble.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		messages = append(messages, store.Message{
			Lease:        r.lease(h, m),
			Body:         m.body,
			Group:        m.group,
			Sequence:     h.seq,
			Enqueued:     time.Unix(0, m.enqueued),
			FirstLeased:  time.Unix(0, h.lease.first),
			Deliveries:   h.lease.deliveries,
			LeaseExpires: time.Unix(0, h.at),
		})
	}
	return messages, nil
}

func (r *receiver) lease(h held, m message) store.Lease {
	return store.Lease{Queue: r.name, ID: formatID(m.id), Token: token(h.seq, h.lease.nonce)}
}

// bury moves messages that were leased too often to the dead letters.
func (r *receiver) bury(ctx context.Context, dead []held) error {
	for _, h := range dead {
		m, err := r.q.read(r.s.db, h.seq)
		if errors.Is(err, pebble.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if r.o.DeadRetention > 0 {
			m.expiry = m.enqueued + int64(r.o.DeadRetention)
		}
		err = r.s.update(ctx, func(tx *transaction) error {
			to, err := tx.queue(r.o.DeadLetter)
			if err != nil {
				return err
			}
			tx.operations = append(tx.operations, &enqueueing{q: to, m: m, fair: h.fair()})
			return tx.Ack(r.lease(h, m))
		})
		if err != nil && !errors.Is(err, store.ErrLeaseLost) {
			return err
		}
	}
	return nil
}

// wait waits until there may be something to lease, or says that the wait is over.
func (r *receiver) wait(ctx context.Context) (over bool, err error) {
	left := time.Until(r.deadline)
	if left <= 0 {
		return true, nil
	}
	w := r.q.await()
	if w == nil {
		return false, nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-w.woken:
		return false, nil
	case <-timer.C:
		over = true
	case <-ctx.Done():
		err = ctx.Err()
	case <-r.s.closing:
		err = store.ErrClosed
	}
	r.q.leave(w)
	return over, err
}

// leasing is the step that leases messages.
type leasing struct {
	q           *queue
	o           store.ReceiveOptions
	room        *room
	taken, dead []held
	outcome
}

func (l *leasing) prepare(b *pebble.Batch, _ uint64) error {
	if err := l.room.admit(0); err != nil {
		return err
	}
	now := time.Now()
	until := now.Add(l.o.Lease).UnixNano()
	q := l.q
	q.mu.Lock()
	defer q.mu.Unlock()
	q.index.promote(now.UnixNano())
	var all []*held
	for len(l.taken) < l.o.Max && len(l.dead) < burials {
		h, ok := q.index.take(until)
		if !ok {
			break
		}
		all = append(all, h)
		h.lease.nonce = rand.Uint64()
		if l.o.MaxDeliveries > 0 && h.lease.deliveries >= l.o.MaxDeliveries {
			q.index.extend(h, now.Add(burial).UnixNano())
			l.dead = append(l.dead, *h)
		} else {
			h.lease.deliveries++
			if h.lease.first == 0 {
				h.lease.first = now.UnixNano()
			}
			l.taken = append(l.taken, *h)
		}
		if err := q.writeLease(b, h); err != nil {
			return err
		}
	}
	q.index.settled(all)
	q.wake(1)
	if len(all) == 0 {
		return errNothing
	}
	return nil
}

func (l *leasing) refused(err error) { l.outcome <- err }

func (l *leasing) applied() { l.outcome <- nil }

func (l *leasing) published(error) {}

func (l *leasing) durable() bool { return false }
