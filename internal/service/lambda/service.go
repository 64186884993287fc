package lambda

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/blob"
	"cirro/internal/sandbox"
	"cirro/internal/store"
)

// Deps are what the service is made of. Clock and Log may be nil.
type Deps struct {
	Store  store.Store
	Blobs  blob.Store
	Dir    string // for unpacked packages; may be emptied while nothing runs
	Caller awsapi.Caller
	Runner sandbox.Runner
	Clock  func() time.Time
	Log    *slog.Logger

	// Expect is told the runtime of every function that is made, so that it can be made ready; it may be nil.
	Expect func(runtime string)
	// Credentials issues those of a session of a role, which a function signs its own calls with.
	Credentials func(ctx context.Context, account, roleARN, session string) sandbox.Credentials
	// Authenticate finds out who signed a request to a function URL with AuthType AWS_IAM; nil refuses all.
	Authenticate func(*http.Request) (awsapi.Principal, error)
	// Concurrency is how many invocations of an account may run at once in a region; 0 for AWS's 1,000.
	Concurrency int
	// RetryScale scales the delays between the attempts of an asynchronous invocation; 0 for 1.
	RetryScale float64
}

// Service is Lambda. Start makes it work in the background, Close stops that.
type Service struct {
	api.Unimplemented
	Deps

	unpacking keyedMutex           // by the hash of a package
	signing   []byte               // signs the addresses of packages
	sweepNow  chan struct{}        // asks for a sweep
	unneeded  map[string]time.Time // since when unpacked packages are; the sweep's own

	provisioning keyedMutex // by the ARN of a function
	kept         sync.Map   // reference to map[string]*sandbox.Spec: what is kept ready of a function

	watched  *watched // what Store is
	durables durables
	mappings mappings
	routes   routes
	urls     urls

	ctx  context.Context // of all work in the background
	stop func()
	done sync.WaitGroup
}

var _ api.API = (*Service)(nil)

// New makes the service over what the store holds.
func New(d Deps) (*Service, error) {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	if d.Concurrency == 0 {
		d.Concurrency = accountConcurrency
	}
	if d.RetryScale == 0 {
		d.RetryScale = 1
	}
	s := &Service{Deps: d, watched: newWatched(d.Store), sweepNow: make(chan struct{}, 1), unneeded: map[string]time.Time{}}
	s.Store = s.watched
	s.ctx, s.stop = context.WithCancel(context.Background())
	if err := s.prepareDir(); err != nil {
		return nil, fmt.Errorf("lambda: %w", err)
	}
	key, err := s.signingKey(context.Background())
	if err != nil {
		return nil, fmt.Errorf("lambda: %w", err)
	}
	s.signing = key
	s.openDurables()
	return s, nil
}

// Start takes up the work that a stop left over, and goes on in the background until ctx ends or Close
// is called.
func (s *Service) Start(ctx context.Context) {
	context.AfterFunc(ctx, s.stop)
	s.background(s.activateAll)
	s.background(s.sweepAll)
	s.background(s.provisionAll)
	s.background(s.runEvents)
	s.background(s.deliverOutcomes)
	s.background(s.runMappings)
	s.startDurables()
}

// Close stops the work in the background and waits for its end.
func (s *Service) Close() error {
	s.stop()
	s.done.Wait()
	return nil
}

// signingKey is the key that makes the addresses of packages unguessable. All nodes share it, and it
// outlives a restart, so that an address handed out before works after.
func (s *Service) signingKey(ctx context.Context) (key []byte, err error) {
	at := store.Key("lambda", "signing-key")
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		key, err = tx.Get(at)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		key = make([]byte, 32)
		rand.Read(key)
		return tx.Set(at, key)
	})
	return key, err
}

// keyedMutex is a mutex for each key.
type keyedMutex struct {
	mu   sync.Mutex
	held map[string]*keyLock
}

type keyLock struct {
	sync.Mutex
	users int
}

// lock locks a key and returns what unlocks it.
func (m *keyedMutex) lock(key string) (unlock func()) {
	m.mu.Lock()
	if m.held == nil {
		m.held = map[string]*keyLock{}
	}
	l := m.held[key]
	if l == nil {
		l = &keyLock{}
		m.held[key] = l
	}
	l.users++
	m.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		m.mu.Lock()
		defer m.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(m.held, key)
		}
	}
}
