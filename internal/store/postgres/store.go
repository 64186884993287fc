package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

// defaultSchema is where everything is, unless the URL says another.
const defaultSchema = "cirro"

// ErrUnavailable is what errors wrap that come of a database that cannot be reached.
var ErrUnavailable = errors.New("store: PostgreSQL cannot be reached")

// Store is a store.Store in a schema of a PostgreSQL database.
type Store struct {
	schema     string
	node       uuid.UUID // of this store, among all over the schema
	commitLock int64
	readers    *pgxpool.Pool // also for leases, which do not wait for the disk
	writers    *pgxpool.Pool
	clock      clock
	history    *optimistic.History
	committer  *committer
	tail       tail
	rooms      rooms
	watch      watch
	watches    watches
	contended  chan struct{} // holds the turn of the transactions that lost often
	gate       gate
	closing    chan struct{} // closed when Close begins
	cleaned    chan struct{} // closed when the janitor has gone
	stopTail   context.CancelFunc
	patience   time.Duration // how long what fails for want of a connection is tried again
	log        *slog.Logger
}

var (
	_ store.Store   = (*Store)(nil)
	_ store.Watcher = (*Store)(nil)
)

// Options of a store. The zero value is the default.
type Options struct {
	Log *slog.Logger // where to report what nobody waits for
}

// Open opens the store at a URL: postgres://user@host/database, with the parameters that
// https://www.postgresql.org/docs/15/libpq-connect.html lists, and schema (default cirro) and
// pool_max_conns (default 16) for how many connections read at once. Where the schema is missing, it is
// made.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	s, err := open(ctx, url, o)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, url string, o Options) (_ *Store, err error) {
	config, schema, err := configure(url)
	if err != nil {
		return nil, err
	}
	s := &Store{schema: schema, node: uuid.New(), commitLock: lockKey(schema, "commit"), contended: make(chan struct{}, 1), patience: persistence,
		closing: make(chan struct{}), cleaned: make(chan struct{}), log: o.Log}
	if s.log == nil {
		s.log = slog.Default()
	}
	defer func() {
		if err != nil {
			s.closePools()
		}
	}()
	if s.writers, err = pgxpool.NewWithConfig(ctx, forWriting(config)); err != nil {
		return nil, err
	}
	if s.readers, err = pgxpool.NewWithConfig(ctx, forReading(config)); err != nil {
		return nil, err
	}
	if err := prepare(ctx, s.writers, schema); err != nil {
		return nil, err
	}
	if err := s.clock.set(ctx, s.readers); err != nil {
		return nil, err
	}
	var last int64
	if err := s.readers.QueryRow(ctx, selectLast).Scan(&last); err != nil {
		return nil, err
	}
	s.gate.idle.L = &s.gate.mu
	s.history = optimistic.NewHistory(uint64(last))
	s.tail.s = s
	s.tail.seen.Store(uint64(last))
	listening, stop := context.WithCancel(context.Background())
	s.stopTail = stop
	s.tail.start(listening)
	s.committer = newCommitter(s)
	go s.janitor()
	return s, nil
}

// settings of every connection. See https://www.postgresql.org/docs/15/runtime-config.html
var settings = map[string]string{
	// A node that is gone must not hold the others' lock for long.
	"tcp_keepalives_idle":                 "5",
	"tcp_keepalives_interval":             "2",
	"tcp_keepalives_count":                "3",
	"idle_in_transaction_session_timeout": "60000",
	// Every question has an index that answers it. What the planner knows of tables that change all the time
	// leads it astray.
	"enable_seqscan":    "off",
	"enable_bitmapscan": "off",
	"enable_mergejoin":  "off",
	"enable_hashjoin":   "off",
	"plan_cache_mode":   "force_generic_plan",
	"jit":               "off",
}

// configure reads a URL.
func configure(url string) (config *pgxpool.Config, schema string, err error) {
	config, err = pgxpool.ParseConfig(url)
	if err != nil {
		return nil, "", err
	}
	parameters := config.ConnConfig.RuntimeParams
	if schema = parameters["schema"]; schema == "" {
		schema = defaultSchema
	}
	delete(parameters, "schema")
	parameters["search_path"] = strconv.Quote(schema)
	if parameters["application_name"] == "" {
		parameters["application_name"] = "cirro " + schema
	}
	for name, value := range settings {
		parameters[name] = value
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	return config, schema, nil
}

// forWriting is for the one connection that commits, and one to find out what became of a commit.
func forWriting(c *pgxpool.Config) *pgxpool.Config {
	c = c.Copy()
	c.MaxConns, c.MinConns = 2, 1
	c.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "5000"
	c.ConnConfig.RuntimeParams["application_name"] += " writer"
	return c
}

// defaultReaders is how many connections read at once.
const defaultReaders = 16

func forReading(c *pgxpool.Config) *pgxpool.Config {
	c = c.Copy()
	if !strings.Contains(c.ConnString(), "pool_max_conns") {
		c.MaxConns = defaultReaders
	}
	c.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	return c
}

// queueLock is the lock of a queue that has groups.
func (s *Store) queueLock(queue string) int64 { return lockKey(s.schema, "queue\x00"+queue) }

// Close waits for what is under way and closes the store; see store.Store.
func (s *Store) Close() error {
	if !s.gate.close() {
		return store.ErrClosed
	}
	close(s.closing)
	s.gate.wait()
	<-s.cleaned
	s.committer.close()
	s.stopTail()
	<-s.tail.stopped
	s.closePools()
	return nil
}

func (s *Store) closePools() {
	if s.writers != nil {
		s.writers.Close()
	}
	if s.readers != nil {
		s.readers.Close()
	}
}

// persistence is a store's patience: a server that restarts is back in a moment.
const persistence = 3 * time.Second

// persist does f, again where the connection was broken or could not be made. What f has done before must not
// matter.
func (s *Store) persist(ctx context.Context, f func() error) error {
	end := time.Now().Add(s.patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		err := f()
		if err == nil || !broken(err) || ctx.Err() != nil || time.Now().After(end) {
			return s.explain(err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// broken says whether an error is of the connection, and not the database's answer. Codes of class 57P
// come when it shuts down or starts: https://www.postgresql.org/docs/15/errcodes-appendix.html
func broken(err error) bool {
	if answer := (*pgconn.PgError)(nil); errors.As(err, &answer) {
		return answer.Code == "57P01" || answer.Code == "57P02" || answer.Code == "57P03" || answer.Code[:2] == "08" || answer.Code == "25P03"
	}
	var network net.Error
	var connecting *pgconn.ConnectError
	return pgconn.SafeToRetry(err) || errors.As(err, &network) || errors.As(err, &connecting) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// diskFull is PostgreSQL's code for a disk without room: https://www.postgresql.org/docs/15/errcodes-appendix.html
const diskFull = "53100"

// explain marks the errors that come of a database that is away, or has no room.
func (s *Store) explain(err error) error {
	if answer := (*pgconn.PgError)(nil); errors.As(err, &answer) && answer.Code == diskFull && !errors.Is(err, store.ErrFull) {
		return fmt.Errorf("%w: %w: %w", store.ErrFull, syscall.ENOSPC, err)
	}
	if err == nil || errors.Is(err, ErrUnavailable) || !broken(err) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
