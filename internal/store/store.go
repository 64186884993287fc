// Package store is where everything that Cirro acknowledges is kept: an ordered, transactional
// key-value space and durable queues, in one interface that an embedded and a distributed
// implementation share (see the subpackages, and storetest for what each must do).
//
// It knows bytes, keys and messages; what they mean belongs to the services.
package store

import (
	"context"
	"errors"
	"iter"
	"time"
)

// ErrNotFound is what Get answers for a key that is not there.
var ErrNotFound = errors.New("store: not found")

// ErrLeaseLost is what a queue answers for a lease that has ended: acknowledged, expired and taken by
// another, or purged.
var ErrLeaseLost = errors.New("store: lease lost")

// ErrClosed is the answer to any call after Close.
var ErrClosed = errors.New("store: closed")

// ErrFull is the answer to a write for which there is no room; nothing of it is written. What is there can be read, and
// writes go on when there is room again. What only removes something goes on for longer. The error's text names the
// disk, and the error is syscall.ENOSPC, too.
var ErrFull = errors.New("store: no room is left")

// MaxKey and MaxValue bound what a key and a value may hold, in bytes.
const (
	MaxKey   = 4 << 10
	MaxValue = 16 << 20
)

// Store is the two primitives. All its methods are safe for concurrent use.
type Store interface {
	// View calls f with a consistent snapshot that shows every transaction acknowledged before the
	// call, and nothing that could still be lost in a crash.
	View(ctx context.Context, f func(Reader) error) error

	// Update calls f in a serializable transaction and returns nil once what it wrote is durable.
	// Where f fails, nothing is written and its error is returned. On a conflict with another
	// transaction f is called again, so it must have no effect but on its Tx, and it must not call the
	// Store. The values and bodies it passes to the Tx must not be changed afterwards; keys may be.
	// Where ctx ends before f is through, nothing is written; after that Update sees it through.
	Update(ctx context.Context, f func(Tx) error) error

	// Receive leases up to o.Max messages that are ready, waiting up to o.Wait for the first. A leased
	// message is invisible to others until it is acknowledged or its lease ends. It returns no
	// messages and no error when the wait is over.
	//
	// Messages come in the order of their enqueueing (but see NewMessage.Fair). Those of one group are leased to one receiver at
	// a time: none while a message of the group is leased to another, or while an earlier one is
	// delayed. A message is delivered at least once: leases and their counts outlive Close, but a crash
	// may lose the latest.
	Receive(ctx context.Context, queue string, o ReceiveOptions) ([]Message, error)

	// Await returns nil once a value that Tx.Append wrote under prefix has a number above after and is
	// durable: at once where one is there. It returns the error of ctx where that ends before, and
	// ErrClosed where the store closes. What was removed before the call does not count.
	Await(ctx context.Context, prefix []byte, after int64) error

	// Stats counts a queue's messages. A queue that never had any has none. Where messages were moved
	// from another queue, Oldest is only that of the message first in order.
	Stats(ctx context.Context, queue string) (Stats, error)

	// Close waits for the transactions under way and closes the store. Receivers that wait get
	// ErrClosed, as does whoever calls afterwards.
	Close() error
}

// KV is one key with its value. Its slices are valid until the next step of the range.
type KV struct{ Key, Value []byte }

// Range selects the keys from Start (inclusive) to End (exclusive; nil for no bound).
type Range struct {
	Start, End []byte
	Reverse    bool
	Limit      int // at most so many; 0 for all
}

// Reader reads in a transaction or a snapshot.
type Reader interface {
	// Get returns a key's value, or ErrNotFound. The slice is the caller's.
	Get(key []byte) ([]byte, error)
	// Range walks the keys of r in order, as they are when it begins: a transaction may write meanwhile.
	// After an error there is no next step.
	Range(r Range) iter.Seq2[KV, error]
}

// Tx is a transaction. Its reads see its own writes. It must not be used after f returns, nor by more
// than one goroutine at a time.
type Tx interface {
	Reader
	Set(key, value []byte) error
	Delete(key []byte) error
	// DeleteRange deletes the keys from start (inclusive) to end (exclusive; nil for no bound).
	DeleteRange(start, end []byte) error
	// Append writes value under prefix and a number that the commit gives it: greater than that of every
	// append committed before, also before a restart; those of one transaction are in the order of the
	// calls. So whoever has read the keys of a prefix up to some number has missed none before it, and
	// appends of different transactions never conflict. The key is AppendKey(prefix, number) of a
	// positive int64. The transaction itself does not see it, and its DeleteRange does not reach it.
	Append(prefix, value []byte) error
	// AppendNumbered is Append, and sets number to the one that the commit gave, when Update has succeeded.
	AppendNumbered(prefix, value []byte, number *int64) error

	// Enqueue adds a message to a queue, made by its first message. The message becomes visible when
	// the transaction commits. Where m.Dedup names a message enqueued within m.DedupWindow, that
	// message's id is returned and nothing is added. An id is a random UUID.
	Enqueue(queue string, m NewMessage) (id string, err error)
	// Ack removes a leased message. The lease may have ended, if the message was not leased again
	// since; otherwise the answer is ErrLeaseLost.
	Ack(m Lease) error
	// Extend lets the lease end in d from now instead: 0 makes the message ready at once. If the lease
	// has ended already the answer is ErrLeaseLost.
	Extend(m Lease, d time.Duration) error
	// Purge removes all of a queue's messages, leased ones too, but not its memory of deduplication.
	Purge(queue string) error
	// Drop removes the queue and all that is known of it, deduplication too.
	Drop(queue string) error
}

// NewMessage is a message to enqueue.
type NewMessage struct {
	Body  []byte
	Delay time.Duration // before it is ready
	Group string        // messages of one group are leased one batch at a time, in order; "" for none
	// Fair names the tenant of a message without a group, "" for none. Messages of a noisy tenant are leased only
	// where no other is ready: one that has at least 30 messages ready or leased, and more than a tenth of all
	// such. Of several noisy tenants the one with the fewest leased is served first, then the one whose message
	// comes first. All others, and those of one tenant, come in the order of their enqueueing.
	Fair        string
	Dedup       string        // "" for no deduplication
	DedupWindow time.Duration // how long Dedup is remembered
	Retention   time.Duration // after which it disappears, unless it is delayed or leased just then; 0 for never
	// Sequence, where it is not nil, is set to the message's Sequence, or to that of the message it repeats, when
	// Update has succeeded.
	Sequence *uint64
}

// Lease names a leased message.
type Lease struct {
	Queue string
	ID    string
	Token string // of this lease; another lease of the same message has another
}

// Message is a leased message.
type Message struct {
	Lease
	Body         []byte
	Group        string
	Sequence     uint64    // grows with the order of enqueueing in the queue; there may be gaps
	Enqueued     time.Time // first of all, if it was moved from another queue
	FirstLeased  time.Time // of all its leases
	Deliveries   int       // leases so far, this one included
	LeaseExpires time.Time
}

// ReceiveOptions says how to lease.
type ReceiveOptions struct {
	Max   int           // messages, at least 1
	Lease time.Duration // how long the lease lasts; at least 1 ms
	Wait  time.Duration // for the first message; 0 not to wait
	// MaxDeliveries, where above 0, moves a message that had so many leases to the queue DeadLetter
	// instead of leasing it again, in one transaction, keeping its id, time, group and tenant.
	MaxDeliveries int
	DeadLetter    string
	// DeadRetention is how long after its time a message disappears that was moved; 0 for its own retention.
	DeadRetention time.Duration
}

// Stats counts a queue's messages: ready to be leased, delayed, and leased.
type Stats struct {
	Ready, Delayed, Leased int
	Oldest                 time.Time // when the oldest of them was enqueued; zero for none
}
