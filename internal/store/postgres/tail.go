package postgres

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// tail follows what is committed. Its lock is held while this node commits, so that changes are learned
// in the order of their numbers.
type tail struct {
	s    *Store
	mu   sync.Mutex
	seen atomic.Uint64 // the last number learned of

	losses  sync.Mutex
	loss    chan struct{} // closed when something was missed
	stopped chan struct{}
}

// again is how long the tail waits before it connects once more.
const again = 200 * time.Millisecond

func (t *tail) start(ctx context.Context) {
	t.loss, t.stopped = make(chan struct{}), make(chan struct{})
	go t.run(ctx)
}

// run listens until ctx ends.
func (t *tail) run(ctx context.Context) {
	defer close(t.stopped)
	failing := false
	for ctx.Err() == nil {
		err := t.listen(ctx, func() { failing = false })
		if ctx.Err() != nil {
			return
		}
		if !failing {
			t.s.log.Warn("store: the connection that tells of other nodes is broken", "error", err)
			failing = true
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

func (t *tail) listen(ctx context.Context, listening func()) error {
	conn, err := pgx.ConnectConfig(ctx, t.s.readers.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.Background()) }() // nothing is under way
	if _, err := conn.Exec(ctx, "listen "+pgx.Identifier{t.s.schema}.Sanitize()); err != nil {
		return err
	}
	if err := t.catchUp(ctx, conn); err != nil {
		return err
	}
	listening()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if t.known(n.Payload) {
			continue
		}
		if err := t.catchUp(ctx, conn); err != nil {
			return err
		}
	}
}

// notice is what a commit tells the nodes: whose it is and its last number.
func (s *Store) notice(last int64) string { return s.node.String() + " " + strconv.FormatInt(last, 10) }

// known says whether a notice tells nothing new.
func (t *tail) known(notice string) bool {
	node, number, _ := strings.Cut(notice, " ")
	last, err := strconv.ParseUint(number, 10, 64)
	return node == t.s.node.String() || err == nil && last <= t.seen.Load()
}

// catchUp reads what was committed since.
func (t *tail) catchUp(ctx context.Context, conn *pgx.Conn) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var changes []change
	var last, forgotten int64
	var b pgx.Batch
	b.Queue(selectChanges, t.seen.Load()).Query(func(rows pgx.Rows) (err error) {
		changes, err = pgx.CollectRows(rows, scanChange)
		return err
	})
	b.Queue("select last, forgotten from meta").QueryRow(func(row pgx.Row) error { return row.Scan(&last, &forgotten) })
	if err := conn.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	t.learn(changes, forgotten, last)
	return nil
}

// learn takes in changes of other nodes, and whether some before them are forgotten already.
func (t *tail) learn(changes []change, forgotten, last int64) {
	s, seen := t.s, t.seen.Load()
	if uint64(forgotten) > seen {
		if len(changes) > 0 {
			last = changes[len(changes)-1].last
		}
		last = max(last, forgotten)
		s.history.Forget(uint64(last))
		t.seen.Store(uint64(last))
		t.miss()
		return
	}
	for i := range changes {
		c := &changes[i]
		if uint64(c.last) <= seen {
			continue
		}
		s.history.Record(uint64(c.last), &c.kv)
		seen = uint64(c.last)
		t.seen.Store(seen)
		s.watches.learned(&c.kv)
		s.watch.published(c.appends())
		for queue, n := range c.wakes {
			s.rooms.wake(queue, n)
		}
	}
}

// lost returns a channel that is closed when something was missed.
func (t *tail) lost() <-chan struct{} {
	t.losses.Lock()
	defer t.losses.Unlock()
	return t.loss
}

// miss lets all who wait look for themselves.
func (t *tail) miss() {
	t.losses.Lock()
	close(t.loss)
	t.loss = make(chan struct{})
	t.losses.Unlock()
	t.s.watches.missed()
	t.s.rooms.wakeAll()
}
