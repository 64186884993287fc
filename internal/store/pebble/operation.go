package pebble

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// operation is something that a transaction does to a queue when it commits.
type operation interface {
	// possible says whether it still can be done.
	possible(now int64) bool
	// write does it, in the batch and in the index, but for what others must not see yet.
	write(b *pebble.Batch) error
	// publish shows the rest once it is durable.
	publish()
}

// enqueueing adds a message.
type enqueueing struct {
	q     *queue
	m     message
	fair  string
	ready int64
	seq   uint64

	tell   []*uint64 // who wants to know the sequence number
	dedup  []byte    // the key of what is remembered against repetition; nil for nothing
	memory memory
}

func (o *enqueueing) possible(int64) bool { return true }

func (o *enqueueing) entry() entry {
	return entry{group: o.m.group, fair: o.fair, ready: o.ready, expiry: o.m.expiry}
}

func (o *enqueueing) write(b *pebble.Batch) (err error) {
	if o.seq, err = o.q.assign(b); err != nil {
		return err
	}
	for _, seq := range o.tell {
		*seq = o.seq
	}
	if o.dedup != nil {
		o.memory.seq = o.seq
		if err := b.Set(o.dedup, o.memory.encode(), nil); err != nil {
			return err
		}
	}
	e := o.entry()
	index := o.q.set(b, indexSpace, o.seq, e.size())
	e.append(index.Value[:0])
	if err := index.Finish(); err != nil {
		return err
	}
	body := o.q.set(b, bodySpace, o.seq, o.m.size())
	o.m.append(body.Value[:0])
	return body.Finish()
}

func (o *enqueueing) publish() {
	o.q.mu.Lock()
	defer o.q.mu.Unlock()
	o.q.seen = max(o.q.seen, o.seq)
	if o.seq <= o.q.purged {
		return
	}
	now := time.Now().UnixNano()
	o.q.index.add(o.seq, o.entry(), now)
	if o.ready <= now && o.q.readyCount() <= shelfCount {
		o.q.shelf.put(o.seq, o.m)
	}
	o.q.wake(1)
}

// acknowledging removes a leased message.
type acknowledging struct {
	q          *queue
	seq, nonce uint64
	h          *held
}

func (o *acknowledging) possible(int64) bool { return o.q.holds(o.seq, o.nonce) }

func (o *acknowledging) write(b *pebble.Batch) error {
	o.q.mu.Lock()
	o.h = o.q.index.remove(o.seq)
	o.q.shelf.take(o.seq)
	o.q.mu.Unlock()
	return o.q.erase(b, o.seq, o.h)
}

func (o *acknowledging) publish() {
	if o.h.group == nil {
		return
	}
	o.q.mu.Lock()
	defer o.q.mu.Unlock()
	o.q.index.left(o.h)
	o.q.wake(1)
}

// extending moves the end of a lease.
type extending struct {
	q          *queue
	seq, nonce uint64
	until      int64 // 0 for now
}

func (o *extending) possible(now int64) bool { return o.q.leases(o.seq, o.nonce, now) }

func (o *extending) write(b *pebble.Batch) error {
	o.q.mu.Lock()
	defer o.q.mu.Unlock()
	h := o.q.index.held[o.seq]
	if h == nil || !h.leased {
		return nil // it ended this instant
	}
	o.q.index.extend(h, o.until)
	o.q.wake(1)
	return o.q.writeLease(b, h)
}

func (o *extending) publish() {}

// purging removes all messages.
type purging struct {
	q    *queue
	drop bool // forget the queue, too
}

func (o *purging) possible(int64) bool { return true }

func (o *purging) write(b *pebble.Batch) error {
	q := o.q
	q.mu.Lock()
	empty := q.seen+1 == q.next && q.index.live.len() == 0
	q.index = newIndex()
	q.shelf.clear()
	q.purged = q.next - 1
	q.mu.Unlock()
	if !empty {
		for _, space := range []byte{indexSpace, bodySpace, leaseSpace} {
			if err := b.DeleteRange(q.key(space, q.head), q.key(space, q.next), nil); err != nil {
				return err
			}
		}
	}
	if o.drop && q.limit > 0 {
		q.limit = 0
		return b.Delete(q.space(queueSpace), nil)
	}
	return nil
}

func (o *purging) publish() {}

// holds says whether a message's last lease has this nonce, also if it has ended.
func (q *queue) holds(seq, nonce uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.index.leaseOf(seq, nonce) != nil
}

// leases says whether that lease still runs.
func (q *queue) leases(seq, nonce uint64, now int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := q.index.leaseOf(seq, nonce)
	return h != nil && h.leased && h.at > now
}
