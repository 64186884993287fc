package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"cirro/internal/disk"
	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

// format is the version of the keys and values in the database. A store of a later version is refused.
const format = "1"

// keptTables is for how many full tables in memory room is kept on the disk: all that there are under load.
const keptTables = 4

// Store is a store.Store in a directory.
type Store struct {
	db         *pebble.DB
	lock       *pebble.Lock
	history    *optimistic.History
	memo       memo
	numbering  *numbering
	committer  *committer
	crowd      *crowd
	contended  chan struct{} // holds the turn of the transactions that lost often
	queues     sync.Map      // string: *queue
	shelved    atomic.Int64  // bytes on the shelves of all queues
	watch      watch
	room       *room
	reclaiming sync.WaitGroup
	closing    chan struct{} // closed when Close begins
	cleaned    chan struct{} // closed when the janitor has gone
	log        *slog.Logger
	use
}

var _ store.Store = (*Store)(nil)

// Open opens the store in dir, which it makes where it is missing. It fails where another process has
// it open, and where a newer Cirro wrote it.
func Open(dir string, o Options) (*Store, error) {
	fs := o.filesystem()
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	r := &room{closing: make(chan struct{}), log: o.logger()}
	if o.fs == nil {
		r.disk = disk.Of(dir, int64(o.pebble().MemTableSize)*keptTables)
	}
	lock, err := pebble.LockDirectory(dir, fs)
	if err != nil {
		return nil, fmt.Errorf("store: %s is in use by another process: %w", dir, err)
	}
	s, err := open(dir, lock, o, r)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store: %s: %w", dir, err), lock.Close())
	}
	return s, nil
}

func open(dir string, lock *pebble.Lock, o Options, r *room) (*Store, error) {
	r.look()
	if err := r.admit(0); err != nil {
		return nil, err
	}
	p := o.pebble()
	p.FS = patient{p.FS, r}
	gathered := new(crowd)
	p.WALMinSyncInterval = gathered.interval
	p.Lock = lock
	db, err := pebble.Open(dir, p)
	if err != nil {
		return nil, err
	}
	if err := checkFormat(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	n, err := loadNumbering(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &Store{
		db:        db,
		lock:      lock,
		history:   optimistic.NewHistory(0),
		numbering: n,
		committer: newCommitter(db, r),
		crowd:     gathered,
		contended: make(chan struct{}, 1),
		room:      r,
		closing:   r.closing,
		cleaned:   make(chan struct{}),
		log:       o.logger(),
	}
	s.use.idle.L = &s.use.mu
	s.memo.history = s.history
	r.refuses = func() { s.reclaiming.Go(s.reclaim) }
	r.open.Store(true)
	go s.janitor()
	return s, nil
}

// checkFormat refuses a store of another version, and marks a new one.
func checkFormat(db *pebble.DB) error {
	found, closer, err := db.Get([]byte{formatSpace})
	if errors.Is(err, pebble.ErrNotFound) {
		return db.Set([]byte{formatSpace}, []byte(format), pebble.Sync)
	}
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()
	if !bytes.Equal(found, []byte(format)) {
		return fmt.Errorf("written by a newer version of Cirro: its format is %q, this version knows %q", found, format)
	}
	return nil
}

// View calls f with a snapshot; see store.Store.
func (s *Store) View(ctx context.Context, f func(store.Reader) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	v := &view{snapshot{s: s, ctx: ctx}}
	defer func() { _ = v.close() }() // it was only read
	return f(v)
}

// awaitDurable returns when everything of r that is written is on disk.
func (s *Store) awaitDurable(r *optimistic.Reads) {
	durable := s.committer.durability.last.Load()
	if r.None() || s.history.Newest() <= durable {
		return
	}
	s.committer.durability.await(s.history.Touched(r, durable))
}

// Close waits for what is under way and closes the store; see store.Store.
func (s *Store) Close() error {
	if !s.use.close() {
		return store.ErrClosed
	}
	close(s.closing)
	s.use.wait()
	<-s.cleaned
	s.committer.close()
	s.reclaiming.Wait()
	return errors.Join(s.committer.snapshots.renew(), s.db.Close(), s.lock.Close())
}

// use counts the calls under way.
type use struct {
	mu     sync.Mutex
	idle   sync.Cond
	calls  int
	closed bool
}

func (u *use) enter() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return store.ErrClosed
	}
	u.calls++
	return nil
}

func (u *use) leave() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.calls--; u.calls == 0 && u.closed {
		u.idle.Broadcast()
	}
}

// close lets nobody enter any more. The first call answers true.
func (u *use) close() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	first := !u.closed
	u.closed = true
	return first
}

// wait returns when all have left.
func (u *use) wait() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for u.calls > 0 {
		u.idle.Wait()
	}
}
