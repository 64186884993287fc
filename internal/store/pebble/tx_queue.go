package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

// messageSize is about how much a message takes besides its body.
const messageSize = 100

// Enqueue adds a message to a queue; see store.Tx.
func (tx *transaction) Enqueue(name string, m store.NewMessage) (id string, err error) {
	q, err := tx.queue(name)
	if err != nil {
		return "", err
	}
	if len(m.Body) > store.MaxValue || len(m.Group) > store.MaxKey || len(m.Fair) > store.MaxKey || len(m.Dedup) > store.MaxKey/2 {
		return "", fmt.Errorf("store: queue %q: a message with a body, a group, a tenant or a deduplication that is too long", name)
	}
	now := time.Now()
	o := &enqueueing{q: q, m: message{id: newID(), enqueued: now.UnixNano(), group: m.Group, body: m.Body}}
	if m.Group == "" {
		o.fair = m.Fair
	}
	if m.Delay > 0 {
		o.ready = now.Add(m.Delay).UnixNano()
	}
	if m.Retention > 0 {
		o.m.expiry = now.Add(m.Retention).UnixNano()
	}
	if m.Dedup != "" {
		earlier, err := tx.deduplicate(o, m, now)
		if err != nil || earlier != "" {
			return earlier, err
		}
	}
	if m.Sequence != nil {
		o.tell = append(o.tell, m.Sequence)
	}
	tx.growth += messageSize + len(m.Body)
	tx.operations = append(tx.operations, o)
	return formatID(o.m.id), nil
}

// newID returns a random UUID.
func newID() (id [16]byte) {
	binary.NativeEndian.PutUint64(id[:], rand.Uint64())
	binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Ack removes a leased message; see store.Tx.
func (tx *transaction) Ack(l store.Lease) error {
	q, seq, nonce, err := tx.lease(l)
	if err != nil {
		return err
	}
	if !q.holds(seq, nonce) {
		return store.ErrLeaseLost
	}
	tx.operations = append(tx.operations, &acknowledging{q: q, seq: seq, nonce: nonce})
	return nil
}

// Extend moves a lease's end; see store.Tx.
func (tx *transaction) Extend(l store.Lease, d time.Duration) error {
	q, seq, nonce, err := tx.lease(l)
	if err != nil {
		return err
	}
	now := time.Now()
	if !q.leases(seq, nonce, now.UnixNano()) {
		return store.ErrLeaseLost
	}
	o := &extending{q: q, seq: seq, nonce: nonce}
	if d > 0 {
		o.until = now.Add(d).UnixNano()
	}
	tx.operations = append(tx.operations, o)
	return nil
}

// Purge removes a queue's messages; see store.Tx.
func (tx *transaction) Purge(name string) error {
	q, err := tx.queue(name)
	if err != nil {
		return err
	}
	tx.operations = append(tx.operations, &purging{q: q})
	return nil
}

// Drop removes a queue; see store.Tx.
func (tx *transaction) Drop(name string) error {
	q, err := tx.queue(name)
	if err != nil {
		return err
	}
	tx.operations = append(tx.operations, &purging{q: q, drop: true})
	start := q.space(dedupSpace)
	tx.overlay.DeleteRange(optimistic.Span{Start: start, End: append(start[:len(start):len(start)], 0xff)})
	return nil
}

func (tx *transaction) queue(name string) (*queue, error) {
	if tx.over {
		return nil, errOver
	}
	return tx.s.queue(name)
}

// lease finds what a lease names, unless the transaction itself has ended it.
func (tx *transaction) lease(l store.Lease) (q *queue, seq, nonce uint64, err error) {
	q, err = tx.queue(l.Queue)
	if err != nil {
		return nil, 0, 0, err
	}
	seq, nonce, ok := parseToken(l.Token)
	if !ok {
		return nil, 0, 0, store.ErrLeaseLost
	}
	for _, o := range tx.operations {
		switch o := o.(type) {
		case *acknowledging:
			ok = ok && (o.q != q || o.seq != seq)
		case *extending:
			ok = ok && (o.q != q || o.seq != seq || o.until > 0)
		case *purging:
			ok = ok && o.q != q
		}
	}
	if !ok {
		return nil, 0, 0, store.ErrLeaseLost
	}
	return q, seq, nonce, nil
}

// deduplicate returns the id of the message that m repeats, or else remembers m, which o enqueues.
func (tx *transaction) deduplicate(o *enqueueing, m store.NewMessage, now time.Time) (earlier string, err error) {
	key := append(o.q.space(dedupSpace), store.Key(m.Dedup)...)
	known, err := tx.read(key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	if err == nil {
		d, err := decodeMemory(known)
		if err != nil {
			return "", err
		}
		if d.expiry > now.UnixNano() {
			tx.tellSequence(d, m.Sequence)
			return formatID(d.id), nil
		}
	}
	expiry := now.Add(m.DedupWindow)
	o.dedup, o.memory = key, memory{id: o.m.id, expiry: expiry.UnixNano()}
	tx.overlay.Set(key, o.memory.encode())
	tx.overlay.Set(forgetKey(expiry, key), nil)
	return "", nil
}

// tellSequence sets to to the sequence of a message that was repeated, or has it set where the transaction itself
// enqueues that one.
func (tx *transaction) tellSequence(d memory, to *uint64) {
	if to == nil {
		return
	}
	*to = d.seq
	for _, o := range tx.operations {
		if o, ok := o.(*enqueueing); ok && o.m.id == d.id {
			o.tell = append(o.tell, to)
		}
	}
}
