package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

// operation is something that a transaction does to a queue when it commits.
type operation interface {
	// possible says whether it still can be done, in the light of what a commit found.
	possible(f *findings) bool
	// plan does it.
	plan(p *plan)
}

// Enqueue adds a message to a queue; see store.Tx.
func (tx *transaction) Enqueue(queue string, m store.NewMessage) (id string, err error) {
	if err := tx.queue(queue); err != nil {
		return "", err
	}
	if len(m.Body) > store.MaxValue || len(m.Group) > store.MaxKey || len(m.Fair) > store.MaxKey || len(m.Dedup) > store.MaxKey/2 {
		return "", fmt.Errorf("store: queue %q: a message with a body, a group, a tenant or a deduplication that is too long", queue)
	}
	now := tx.s.clock.now()
	o := &message{queue: queue, id: uuid.New(), enqueued: now, group: m.Group, body: m.Body}
	if m.Group == "" {
		o.fair = m.Fair
	}
	if m.Delay > 0 {
		o.ready = now + int64(m.Delay)
	}
	if m.Retention > 0 {
		o.expiry = now + int64(m.Retention)
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
	tx.operations = append(tx.operations, o)
	tx.size += len(m.Body) + 100
	return o.id.String(), nil
}

// sent is what a queue remembers of a message to recognise its repetition.
type sent struct {
	ID     uuid.UUID
	Seq    int64
	Expiry int64
}

func (m sent) encode() []byte {
	b := append(make([]byte, 0, 32), m.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(m.Seq))
	return binary.BigEndian.AppendUint64(b, uint64(m.Expiry))
}

func decodeSent(b []byte) (m sent, err error) {
	if len(b) != 32 {
		return m, fmt.Errorf("store: what is remembered of a message has %d bytes", len(b))
	}
	copy(m.ID[:], b)
	m.Seq, m.Expiry = int64(binary.BigEndian.Uint64(b[16:])), int64(binary.BigEndian.Uint64(b[24:]))
	return m, nil
}

// deduplicate returns the id of the message that m repeats, or else remembers m, which o enqueues.
func (tx *transaction) deduplicate(o *message, m store.NewMessage, now int64) (earlier string, err error) {
	key := dedupKey(o.queue, m.Dedup)
	known, err := tx.sent(key)
	if err != nil {
		return "", err
	}
	if known.Expiry > now {
		tx.tellSequence(known, m.Sequence)
		return known.ID.String(), nil
	}
	o.dedup, o.memory = key, sent{ID: o.id, Expiry: now + int64(m.DedupWindow)}
	tx.set(key, o.memory.encode())
	tx.set(forgetKey(o.memory.Expiry, key), nil)
	return "", nil
}

// tellSequence sets to to the sequence of a message that was repeated, or has it set where the transaction
// itself enqueues that one.
func (tx *transaction) tellSequence(known sent, to *uint64) {
	if to == nil {
		return
	}
	*to = uint64(known.Seq)
	for _, o := range tx.operations {
		if o, ok := o.(*message); ok && o.id == known.ID {
			o.tell = append(o.tell, to)
		}
	}
}

// sent reads what is remembered under a key; nothing has no expiry.
func (tx *transaction) sent(key []byte) (record sent, err error) {
	b, err := tx.read(key)
	if errors.Is(err, store.ErrNotFound) {
		return sent{}, nil
	}
	if err != nil {
		return sent{}, err
	}
	return decodeSent(b)
}

// Ack removes a leased message; see store.Tx.
func (tx *transaction) Ack(l store.Lease) error {
	k, err := tx.lease(l)
	if err != nil {
		return err
	}
	tx.operations = append(tx.operations, &acknowledging{k})
	return nil
}

// Extend moves a lease's end; see store.Tx.
func (tx *transaction) Extend(l store.Lease, d time.Duration) error {
	k, err := tx.lease(l)
	if err != nil {
		return err
	}
	now := tx.s.clock.now()
	if tx.careful {
		if found, err := tx.look(k); err != nil || !found.runs(k, now) {
			return lost(err)
		}
	}
	o := &extending{key: k}
	if d > 0 {
		o.until = now + int64(d)
	}
	tx.operations = append(tx.operations, o)
	return nil
}

// Purge removes a queue's messages; see store.Tx.
func (tx *transaction) Purge(queue string) error {
	if err := tx.queue(queue); err != nil {
		return err
	}
	tx.operations = append(tx.operations, &purging{queue})
	return nil
}

// Drop removes a queue; see store.Tx.
func (tx *transaction) Drop(queue string) error {
	if err := tx.Purge(queue); err != nil {
		return err
	}
	remembered := store.AppendKey([]byte{dedupSpace}, queue)
	tx.overlay.DeleteRange(optimistic.Span{Start: remembered, End: append(remembered[:len(remembered):len(remembered)], 0xff)})
	return nil
}

func (tx *transaction) queue(name string) error {
	if tx.over {
		return errOver
	}
	return checkQueue(name)
}

func checkQueue(name string) error {
	if name == "" || len(name) > store.MaxKey/2 {
		return fmt.Errorf("store: a queue's name has 1 to %d bytes, not %d", store.MaxKey/2, len(name))
	}
	return nil
}

// lease finds what a lease names, unless the transaction itself has ended it, or the lease is known to
// be lost.
func (tx *transaction) lease(l store.Lease) (k leaseKey, err error) {
	if err := tx.queue(l.Queue); err != nil {
		return leaseKey{}, err
	}
	k, ok := parseToken(l.Queue, l.Token)
	for _, o := range tx.operations {
		switch o := o.(type) {
		case *acknowledging:
			ok = ok && o.key.seq != k.seq
		case *extending:
			ok = ok && (o.key.seq != k.seq || o.until > 0)
		case *purging:
			ok = ok && o.queue != l.Queue
		}
	}
	if !ok {
		return leaseKey{}, store.ErrLeaseLost
	}
	if tx.careful {
		if found, err := tx.look(k); err != nil || !found.holds(k) {
			return leaseKey{}, lost(err)
		}
	}
	return k, nil
}

// lost is the answer for a lease that is lost, unless there was an error.
func lost(err error) error {
	if err == nil {
		err = store.ErrLeaseLost
	}
	return err
}

// look reads a lease as it is now, which a snapshot would not tell.
func (tx *transaction) look(k leaseKey) (found leased, err error) {
	err = tx.s.persist(tx.ctx, func() error {
		rows, err := tx.s.readers.Query(tx.ctx, selectLeases, [][]byte{[]byte(k.queue)}, []int64{k.seq})
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, scanLeased)
		if len(all) > 0 {
			found = all[0]
		}
		return err
	})
	return found, err
}
