// Package courier carries a durable queue's messages to what handles them: so many at once, each under a
// lease that is kept while it is handled, and settled in one transaction with whatever follows from it.
// Asynchronous invocations, notifications and deliveries of every service go this way.
//
// It owns leases and their end. What a message means, and when it is tried again, its handler knows. A
// message is handled at least once: a process that dies leaves its messages to others, or to itself after a
// restart, when their leases end. Those of a group are handled one after the other.
package courier

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"cirro/internal/store"
)

// How messages are leased.
const (
	leaseTime = 15 * time.Second
	batch     = 16
	longest   = 20 * time.Second // of a wait for the first message
	pause     = time.Second      // after an error of the store
)

// Courier carries one queue's messages.
type Courier struct {
	Store store.Store
	Queue string
	// AtOnce is how many messages are handled at a time, at least 1.
	AtOnce int
	// Handle handles a message. ctx ends when the courier is to stop, or when the message's lease is lost.
	Handle func(ctx context.Context, m store.Message) Verdict
	Log    *slog.Logger
}

// Verdict says what becomes of a message. The zero value is done with it.
type Verdict struct {
	Again bool          // the message goes back to its queue
	After time.Duration // when it is ready again
	// Then, where a message is done with, writes what follows from it in the transaction that removes it.
	// Like any transaction's function it may be called more than once.
	Then func(tx store.Tx) error
	// Finally, where it is set, is called once the verdict is carried out, or could not be.
	Finally func()
}

// Again puts a message back, ready again after d.
func Again(d time.Duration) Verdict { return Verdict{Again: true, After: d} }

// Run carries messages until ctx ends and all that were under way are settled.
func (c *Courier) Run(ctx context.Context) {
	var done sync.WaitGroup
	defer done.Wait()
	slots := make(chan struct{}, c.AtOnce)
	for ctx.Err() == nil {
		n := reserve(ctx, slots, batch)
		if n == 0 {
			return
		}
		messages, err := c.Store.Receive(ctx, c.Queue, store.ReceiveOptions{Max: n, Lease: leaseTime, Wait: longest})
		if errors.Is(err, store.ErrClosed) {
			return
		}
		if err != nil && ctx.Err() == nil {
			c.Log.Error("courier: receive", "queue", c.Queue, "error", err)
			sleep(ctx, pause)
		}
		for range n - len(messages) {
			<-slots
		}
		for _, row := range rows(messages) {
			done.Go(func() {
				c.carryInOrder(ctx, row)
				for range row {
					<-slots
				}
			})
		}
	}
}

// reserve takes 1 to n of the free slots, waiting for the first; 0 says that ctx ended.
func reserve(ctx context.Context, slots chan struct{}, n int) (got int) {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for got = 1; got < n; got++ {
		select {
		case slots <- struct{}{}:
		default:
			return got
		}
	}
	return got
}

// rows puts the messages of each group into one row, and any other into its own.
func rows(messages []store.Message) (rows [][]store.Message) {
	at := map[string]int{}
	for _, m := range messages {
		i, ok := at[m.Group]
		if m.Group == "" || !ok {
			i = len(rows)
			at[m.Group], rows = i, append(rows, nil)
		}
		rows[i] = append(rows[i], m)
	}
	return rows
}

// carryInOrder carries one message after the other. Where one goes back, so do those behind it.
func (c *Courier) carryInOrder(ctx context.Context, row []store.Message) {
	back := false
	for _, m := range row {
		if back {
			c.settle(m.Lease, Again(0))
			continue
		}
		back = c.carry(ctx, m)
	}
}

func (c *Courier) carry(ctx context.Context, m store.Message) (back bool) {
	kept, release := c.keep(ctx, m.Lease)
	v := c.Handle(kept, m)
	release()
	if v.Finally != nil {
		defer v.Finally()
	}
	c.settle(m.Lease, v)
	return v.Again
}

// keep extends a lease until it is released.
func (c *Courier) keep(ctx context.Context, l store.Lease) (kept context.Context, release func()) {
	kept, cancel := context.WithCancel(ctx)
	timer := time.NewTicker(leaseTime / 3)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer timer.Stop()
		for {
			select {
			case <-kept.Done():
				return
			case <-timer.C:
			}
			err := c.Store.Update(kept, func(tx store.Tx) error { return tx.Extend(l, leaseTime) })
			if errors.Is(err, store.ErrLeaseLost) {
				cancel()
			}
		}
	}()
	return kept, func() { cancel(); <-ended }
}

// settle carries out a verdict, even while the courier stops.
func (c *Courier) settle(l store.Lease, v Verdict) {
	err := c.Store.Update(context.Background(), func(tx store.Tx) error {
		if v.Again {
			return tx.Extend(l, v.After)
		}
		if err := tx.Ack(l); err != nil || v.Then == nil {
			return err
		}
		return v.Then(tx)
	})
	// Where the lease is lost, the message is another's to settle.
	if err != nil && !errors.Is(err, store.ErrLeaseLost) {
		c.Log.Error("courier: settle", "queue", l.Queue, "message", l.ID, "error", err)
	}
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
