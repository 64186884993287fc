package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"cirro/internal/store"
)

const (
	// burial is how long a message stays leased to be moved to the dead letters; in case that fails,
	// until the next try.
	burial = 30 * time.Second
	// burials is how many messages one receiver moves at a time.
	burials = 64
	// glance is when whoever was woken and found nothing looks again: another node may have been leasing
	// it, and by then it can be seen until when.
	glance = 50 * time.Millisecond
	// rounds is how long a queue that is waited at is not looked at, in case a node could not tell.
	rounds = 10 * time.Second
)

const receive = "select * from receive($1, $2, $3, $4, $5, $6, $7, $8)"

// Receive leases messages; see store.Store.
func (s *Store) Receive(ctx context.Context, queue string, o store.ReceiveOptions) ([]store.Message, error) {
	if o.Max < 1 || o.Lease < time.Millisecond || (o.MaxDeliveries > 0 && (o.DeadLetter == "" || o.DeadLetter == queue)) {
		return nil, fmt.Errorf("store: queue %q: receive options %+v are not possible", queue, o)
	}
	if err := checkQueue(queue); err != nil {
		return nil, err
	}
	if err := s.gate.enter(); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	r := receiver{s: s, room: s.rooms.enter(queue), queue: queue, o: o, deadline: time.Now().Add(o.Wait)}
	defer s.rooms.leave(r.room)
	return r.receive(ctx)
}

// receiver is one call of Receive.
type receiver struct {
	s        *Store
	room     *room
	queue    string
	o        store.ReceiveOptions
	deadline time.Time
	woken    bool // for a message that it has not found yet
}

func (r *receiver) receive(ctx context.Context) ([]store.Message, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		version := r.room.now()
		got, err := r.lease(ctx)
		if err != nil {
			return nil, err
		}
		if len(got.messages) > 0 {
			r.room.due(got.messages[0].LeaseExpires)
			if len(got.messages) == r.o.Max {
				r.room.pass()
			}
			return got.messages, nil
		}
		if got.buried {
			continue
		}
		if over, err := r.wait(ctx, version, got.next); over || err != nil {
			return nil, err
		}
	}
}

// leasing is what came of an attempt to lease.
type leasing struct {
	messages []store.Message
	buried   bool
	next     time.Time // when there may be a message, where there was none; zero for unknown
}

func (r *receiver) lease(ctx context.Context) (got leasing, err error) {
	s := r.s
	now := s.clock.now()
	until := now + int64(r.o.Lease)
	var dead []row
	// Whoever leases a message gets it: the wait for the database is not broken off in between.
	err = s.persist(ctx, func() error {
		rows, err := s.readers.Query(context.WithoutCancel(ctx), receive, []byte(r.queue), s.queueLock(r.queue), now, until, now+int64(burial),
			r.o.Max, max(0, r.o.MaxDeliveries), burials)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, scanRow)
		if err != nil {
			return err
		}
		for _, m := range all {
			switch {
			case m.dead:
				dead = append(dead, m)
			case m.seq > 0:
				got.messages = append(got.messages, r.message(m, until))
			case m.next > 0:
				got.next = s.clock.local(m.next)
			}
		}
		return nil
	})
	if err != nil {
		return leasing{}, err
	}
	got.buried = len(dead) > 0
	return got, r.bury(ctx, dead)
}

// row is a message as the database's function receive returns it.
type row struct {
	seq        int64
	id         *uuid.UUID
	group      []byte
	fair       []byte
	body       []byte
	enqueued   int64
	expiry     int64
	nonce      int64
	deliveries int
	first      int64
	dead       bool
	next       int64
	tallied    bool // the queue has tenants
}

func scanRow(from pgx.CollectableRow) (m row, err error) {
	err = from.Scan(&m.seq, &m.id, &m.group, &m.fair, &m.body, &m.enqueued, &m.expiry, &m.nonce, &m.deliveries, &m.first, &m.dead, &m.next, &m.tallied)
	return m, err
}

func (r *receiver) key(m row) leaseKey {
	return leaseKey{queue: r.queue, seq: m.seq, nonce: m.nonce, exclusive: len(m.group) > 0 || m.tallied}
}

func (r *receiver) message(m row, until int64) store.Message {
	return store.Message{
		Lease:        store.Lease{Queue: r.queue, ID: m.id.String(), Token: r.key(m).token()},
		Body:         m.body,
		Group:        string(m.group),
		Sequence:     uint64(m.seq),
		Enqueued:     r.s.clock.local(m.enqueued),
		FirstLeased:  r.s.clock.local(m.first),
		Deliveries:   m.deliveries,
		LeaseExpires: r.s.clock.local(until),
	}
}

// bury moves messages that were leased too often to the dead letters.
func (r *receiver) bury(ctx context.Context, dead []row) error {
	for _, m := range dead {
		err := r.s.update(ctx, func(tx *transaction) error {
			moved := &message{queue: r.o.DeadLetter, id: *m.id, group: string(m.group), fair: string(m.fair), body: m.body, enqueued: m.enqueued, expiry: m.expiry}
			if r.o.DeadRetention > 0 {
				moved.expiry = m.enqueued + int64(r.o.DeadRetention)
			}
			if err := tx.queue(r.o.DeadLetter); err != nil {
				return err
			}
			tx.operations = append(tx.operations, moved)
			return tx.Ack(store.Lease{Queue: r.queue, Token: r.key(m).token()})
		})
		if err != nil && !errors.Is(err, store.ErrLeaseLost) {
			return err
		}
	}
	return nil
}

// wait waits until there may be something to lease, or says that the wait is over.
func (r *receiver) wait(ctx context.Context, version uint64, next time.Time) (over bool, err error) {
	left := time.Until(r.deadline)
	if left <= 0 {
		return true, nil
	}
	look := time.Now().Add(rounds)
	if r.woken {
		look, r.woken = time.Now().Add(glance), false
	}
	if !next.IsZero() && next.Before(look) {
		look = next
	}
	w := r.room.wait(version, look)
	if w == nil {
		return false, nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-w.woken:
		r.woken = true
		return false, nil
	case <-timer.C:
		over = true
	case <-ctx.Done():
		err = ctx.Err()
	case <-r.s.closing:
		err = store.ErrClosed
	}
	r.room.giveUp(w)
	return over, err
}
