package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// bundle is one transaction of the database, which commits those of some Updates.
type bundle struct {
	s     *Store
	conn  *pgxpool.Conn
	found findings
}

// findings is the state of the database, once the lock is held: nothing of it changes meanwhile.
type findings struct {
	now    int64
	last   int64            // the last number given
	leases map[int64]leased // those in question, by message
	queues map[int64]string // of which queue they are
}

// stuck is how long a bundle waits for the other nodes' and the disk.
const stuck = 30 * time.Second

// lock takes the lock of all committers, learns what others have committed, and looks at the leases that
// the commits are about.
func (b *bundle) lock(commits []*commit) error {
	ctx, cancel := context.WithTimeout(context.Background(), stuck)
	defer cancel()
	var batch pgx.Batch
	batch.Queue("begin isolation level read committed")
	batch.Queue("select pg_advisory_xact_lock($1)", b.s.commitLock)
	var changes []change
	var forgotten int64
	batch.Queue(selectChanges, b.s.tail.seen.Load()).Query(func(rows pgx.Rows) (err error) {
		changes, err = pgx.CollectRows(rows, scanChange)
		return err
	})
	batch.Queue("select last, forgotten from meta").QueryRow(func(row pgx.Row) error {
		return row.Scan(&b.found.last, &forgotten)
	})
	b.queueHold(&batch, commits)
	if err := b.conn.SendBatch(ctx, &batch).Close(); err != nil {
		return err
	}
	b.s.tail.mu.Lock()
	defer b.s.tail.mu.Unlock()
	b.s.tail.learn(changes, forgotten, b.found.last)
	return nil
}

// hold looks at the leases that the commits are about.
func (b *bundle) hold(commits []*commit) error {
	ctx, cancel := context.WithTimeout(context.Background(), stuck)
	defer cancel()
	var batch pgx.Batch
	b.queueHold(&batch, commits)
	return b.conn.SendBatch(ctx, &batch).Close()
}

// queueHold takes the locks of the queues whose groups change, in order, and locks the leased messages.
func (b *bundle) queueHold(batch *pgx.Batch, commits []*commit) {
	b.found.leases, b.found.queues = map[int64]leased{}, map[int64]string{}
	var queues [][]byte
	var seqs, locks []int64
	look := func(k leaseKey) {
		queues, seqs = append(queues, []byte(k.queue)), append(seqs, k.seq)
		b.found.queues[k.seq] = k.queue
		if k.exclusive {
			locks = append(locks, b.s.queueLock(k.queue))
		}
	}
	for _, c := range commits {
		for _, o := range c.tx.operations {
			switch o := o.(type) {
			case *message:
				if o.group != "" || o.fair != "" {
					locks = append(locks, b.s.queueLock(o.queue))
				}
			case *acknowledging:
				look(o.key)
			case *extending:
				look(o.key)
			case *purging:
				locks = append(locks, b.s.queueLock(o.queue))
			}
		}
	}
	slices.Sort(locks)
	for _, l := range slices.Compact(locks) {
		batch.Queue("select pg_advisory_xact_lock($1)", l)
	}
	if len(seqs) == 0 {
		return
	}
	batch.Queue(lockLeases, queues, seqs).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, scanLeased)
		for _, l := range all {
			b.found.leases[l.seq] = l
		}
		return err
	})
}

// abort ends the transaction of the database without a trace.
func (b *bundle) abort(err error) error {
	if b.conn.Conn().IsClosed() {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), stuck)
	defer cancel()
	if _, end := b.conn.Exec(ctx, "rollback"); end != nil && err == nil {
		err = end
	}
	return err
}

// write decides which of the commits can be, writes and answers them. Where the connection breaks before it came
// to anything, it returns those that are not answered yet.
func (b *bundle) write(commits []*commit) (left []*commit, err error) {
	accepted, p, err := b.decide(commits)
	switch {
	case broken(err):
		return accepted, err
	case err != nil:
		refuse(accepted, b.s.explain(err))
		return nil, nil
	}
	for _, c := range accepted {
		c.tell()
	}
	for queue, n := range p.wakes {
		b.s.rooms.wake(queue, n)
	}
	refuse(accepted, nil)
	return nil, nil
}

// decide refuses the commits that cannot be and writes the others. Until that is over, this node learns of no
// others, so that its history stays in order.
func (b *bundle) decide(commits []*commit) (accepted []*commit, p *plan, err error) {
	t := &b.s.tail
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.seen.Load()
	b.found.now = b.s.clock.now()
	p = newPlan(b.s, &b.found)
	for _, c := range commits {
		if b.conflicts(c.tx) {
			c.outcome <- errConflict
			continue
		}
		p.add(c.tx)
		accepted = append(accepted, c)
	}
	if len(accepted) == 0 {
		_ = b.abort(nil) // nothing hangs on it
		return nil, p, nil
	}
	if err := b.commit(p); err != nil {
		// What the history knows by now has not come about.
		b.s.history.Forget(before)
		return accepted, p, err
	}
	t.seen.Store(uint64(b.found.last))
	return accepted, p, nil
}

// tell tells who waits for what the transaction did, its caller apart.
func (c *commit) tell() {
	c.tx.s.watch.published(c.tx.appends)
	for _, a := range c.tx.appends {
		if a.tell != nil {
			*a.tell = a.number
		}
	}
	for _, o := range c.tx.operations {
		if m, ok := o.(*message); ok {
			for _, to := range m.tell {
				*to = uint64(m.seq)
			}
		}
	}
}

// conflicts says whether a transaction must be run again.
func (b *bundle) conflicts(tx *transaction) bool {
	if !tx.reads.None() && b.s.history.Changed(&tx.reads) {
		return true
	}
	for _, o := range tx.operations {
		if !o.possible(&b.found) {
			return true
		}
	}
	return false
}

// commit writes a plan and makes sure that it came about, or did not.
func (b *bundle) commit(p *plan) error {
	ctx, cancel := context.WithTimeout(context.Background(), stuck)
	defer cancel()
	writes := p.writes()
	var batch pgx.Batch
	p.queue(&batch)
	batch.Queue("insert into change (last, node, writes) values ($1, $2, $3)", b.found.last, b.s.node, writes)
	batch.Queue("update meta set last = $1", b.found.last)
	batch.Queue("select pg_notify($1, $2)", b.s.schema, b.s.notice(b.found.last))
	batch.Queue("commit")
	err := b.conn.SendBatch(ctx, &batch).Close()
	if err == nil {
		return nil
	}
	if !b.conn.Conn().IsClosed() {
		// The database refused something, and has written nothing.
		return b.abort(err)
	}
	return b.s.settle(b.found.last, err)
}

// settle finds out whether the commit came about on whose way the connection broke with an error.
func (s *Store) settle(last int64, cause error) error {
	var node uuid.UUID
	var known bool
	ctx, cancel := context.WithTimeout(context.Background(), stuck)
	defer cancel()
	err := s.persist(ctx, func() error {
		return pgx.BeginFunc(ctx, s.writers, func(tx pgx.Tx) error {
			// Whoever is still at it holds the lock.
			if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", s.commitLock); err != nil {
				return err
			}
			rows, err := tx.Query(ctx, "select node from change where last = $1", last)
			if err != nil {
				return err
			}
			nodes, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
			if known = len(nodes) > 0; known {
				node = nodes[0]
			}
			return err
		})
	})
	if err != nil {
		// Trying again might do it twice.
		return fmt.Errorf("store: it is not known whether the transaction was committed: %v", cause)
	}
	if known && node == s.node {
		return nil
	}
	return cause
}
