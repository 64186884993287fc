package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"cirro/internal/store"
)

// reserve is how many sequence numbers a queue takes at once, and how far its first message may be
// from the one on record. A restart skips what was left of them.
const reserve = 64 << 10

// queue is one queue. Only the committer takes messages in or out, leases them, and changes the fields
// under it; so a lease that it found to hold holds until it is done. The publisher shows what became
// durable.
type queue struct {
	name []byte // as part of a key

	loading sync.Mutex
	loaded  bool
	reading sync.Mutex // ahead

	mu      sync.Mutex
	index   *index
	shelf   shelf
	seen    uint64 // the last sequence number published
	waiters []*waiter
	timer   *time.Timer
	alarm   int64 // when the timer fires

	// The committer's.
	next   uint64 // the next message's sequence number
	limit  uint64 // the first that is not reserved; 0 while the queue does not exist
	head   uint64 // on record: no message comes before
	purged uint64 // the last sequence number that was purged
}

// waiter is a receiver that waits for a message.
type waiter struct{ woken chan struct{} }

// queue returns a queue, loaded.
func (s *Store) queue(name string) (*queue, error) {
	if name == "" || len(name) > store.MaxKey/2 {
		return nil, fmt.Errorf("store: a queue's name has 1 to %d bytes, not %d", store.MaxKey/2, len(name))
	}
	found, ok := s.queues.Load(name)
	if !ok {
		q := &queue{name: store.Key(name), index: newIndex(), next: 1, shelf: shelf{all: &s.shelved}}
		found, _ = s.queues.LoadOrStore(name, q)
	}
	q := found.(*queue)
	q.loading.Lock()
	defer q.loading.Unlock()
	if q.loaded {
		return q, nil
	}
	if err := q.load(s.db); err != nil {
		return nil, fmt.Errorf("store: queue %q: %w", name, err)
	}
	q.loaded = true
	return q, nil
}

func (q *queue) space(space byte) []byte {
	return append(append(make([]byte, 0, 1+len(q.name)+8), space), q.name...)
}

func (q *queue) key(space byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(q.space(space), seq)
}

// set begins to write a record of a message into a batch: what is returned takes so many bytes.
func (q *queue) set(b *pebble.Batch, space byte, seq uint64, bytes int) *pebble.DeferredBatchOp {
	op := b.SetDeferred(q.keySize(), bytes)
	q.putKey(op.Key, space, seq)
	return op
}

// keySize is how many bytes the key of a record of a message has.
func (q *queue) keySize() int { return 1 + len(q.name) + 8 }

func (q *queue) putKey(to []byte, space byte, seq uint64) {
	to[0] = space
	copy(to[1:], q.name)
	binary.BigEndian.PutUint64(to[1+len(q.name):], seq)
}

// load builds the index. Nobody writes to the queue before.
func (q *queue) load(db *pebble.DB) error {
	record, closer, err := db.Get(q.space(queueSpace))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	r := decoder{record}
	q.limit, q.head = r.uvarint(), r.uvarint()
	if err := errors.Join(r.err(), closer.Close()); err != nil {
		return err
	}
	q.next, q.seen = q.limit, q.limit-1
	q.index = newIndex()
	leases, err := q.loadLeases(db)
	if err != nil {
		return err
	}
	l := newLoader(q.index, leases)
	err = q.scan(db, indexSpace, q.head, q.next, l.add)
	l.end()
	return err
}

type leaseUntil struct {
	lease
	until int64
}

func (q *queue) loadLeases(db *pebble.DB) (map[uint64]leaseUntil, error) {
	leases := make(map[uint64]leaseUntil)
	err := q.scan(db, leaseSpace, q.head, q.next, func(seq uint64, value []byte) (err error) {
		var l leaseUntil
		l.lease, l.until, err = decodeLease(value)
		leases[seq] = l
		return err
	})
	return leases, err
}

// scan walks the records of a space from one sequence number to another, that one excluded.
func (q *queue) scan(db pebble.Reader, space byte, from, to uint64, f func(seq uint64, value []byte) error) error {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: q.key(space, from), UpperBound: q.key(space, to)})
	if err != nil {
		return err
	}
	for it.First(); it.Valid() && err == nil; it.Next() {
		key := it.Key()
		err = f(binary.BigEndian.Uint64(key[len(key)-8:]), it.Value())
	}
	return errors.Join(err, it.Error(), it.Close())
}

// assign returns the next message's sequence number. Where need be it writes to the batch what is on
// record of the queue.
func (q *queue) assign(b *pebble.Batch) (seq uint64, err error) {
	seq = q.next
	first := q.firstLive()
	if seq >= q.limit || first >= q.head+reserve {
		q.head = first
		q.limit = seq + reserve
		record := binary.AppendUvarint(binary.AppendUvarint(nil, q.limit), q.head)
		if err := b.Set(q.space(queueSpace), record, nil); err != nil {
			return 0, err
		}
	}
	q.next++
	return seq, nil
}

// firstLive returns a sequence number that no message comes before.
func (q *queue) firstLive() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if first, ok := q.index.live.first(); ok {
		return first
	}
	return q.seen + 1
}

// erase adds the deletion of a removed message to a batch. What was written once vanishes with its
// deletion at the next flush.
func (q *queue) erase(b *pebble.Batch, seq uint64, h *held) error {
	for _, space := range [...]byte{indexSpace, bodySpace} {
		if err := q.eraseRecord(b.SingleDeleteDeferred(q.keySize()), space, seq); err != nil {
			return err
		}
	}
	switch {
	case h == nil || h.writes == 0:
		return nil
	case h.writes == 1:
		return q.eraseRecord(b.SingleDeleteDeferred(q.keySize()), leaseSpace, seq)
	default:
		return q.eraseRecord(b.DeleteDeferred(q.keySize()), leaseSpace, seq)
	}
}

func (q *queue) eraseRecord(op *pebble.DeferredBatchOp, space byte, seq uint64) error {
	q.putKey(op.Key, space, seq)
	return op.Finish()
}

// writeLease adds a lease to a batch.
func (q *queue) writeLease(b *pebble.Batch, h *held) error {
	h.writes++
	op := q.set(b, leaseSpace, h.seq, h.lease.size(h.at))
	h.lease.append(op.Value[:0], h.at)
	return op.Finish()
}

// ready says whether a message can be leased.
func (q *queue) ready() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.index.promote(time.Now().UnixNano())
	return q.index.available()
}

// await returns a new waiter, or nil if a message can be leased at once.
func (q *queue) await() *waiter {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.index.promote(time.Now().UnixNano())
	if q.index.available() {
		return nil
	}
	w := &waiter{woken: make(chan struct{})}
	q.waiters = append(q.waiters, w)
	q.arm()
	return w
}

// leave takes back a waiter. If it was woken meanwhile, another takes its place.
func (q *queue) leave(w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.waiters, w); i >= 0 {
		q.waiters = slices.Delete(q.waiters, i, i+1)
		return
	}
	q.wake(1)
}

// wake wakes so many waiters, those that came first, if there is something for them. Whoever is woken
// wakes the next if he leaves something.
func (q *queue) wake(n int) {
	for ; n > 0 && len(q.waiters) > 0 && q.index.available(); n-- {
		close(q.waiters[0].woken)
		q.waiters = q.waiters[1:]
	}
	q.arm()
}

// arm sets the timer to when the next delay or lease ends, if anybody waits.
func (q *queue) arm() {
	at, ok := q.index.waiting.next()
	if !ok || len(q.waiters) == 0 || (q.alarm != 0 && q.alarm <= at) {
		return
	}
	if q.timer != nil {
		q.timer.Stop()
	}
	q.alarm = at
	q.timer = time.AfterFunc(time.Until(time.Unix(0, at)), q.ring)
}

func (q *queue) ring() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.alarm = 0
	q.wake(q.index.promote(time.Now().UnixNano()))
}
