package lambda

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
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
}

// Service is Lambda. Start makes it work in the background, Close stops that.
type Service struct {
	api.Unimplemented
	Deps

	unpacking keyedMutex // by the hash of a package
	urlKey    []byte     // signs the addresses of packages

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
	s := &Service{Deps: d}
	for _, dir := range []string{s.codeRoot(), s.scratch()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("lambda: %w", err)
		}
	}
	key, err := s.signingKey(context.Background())
	if err != nil {
		return nil, fmt.Errorf("lambda: %w", err)
	}
	s.urlKey = key
	return s, nil
}

// codeRoot holds the unpacked packages, each in a directory named by its hash; scratch holds what is
// not finished.
func (s *Service) codeRoot() string { return filepath.Join(s.Dir, "code") }
func (s *Service) scratch() string  { return filepath.Join(s.Dir, "scratch") }

// Start begins the work in the background, until ctx ends or Close is called.
func (s *Service) Start(ctx context.Context) {
	ctx, s.stop = context.WithCancel(ctx)
	for _, loop := range []func(context.Context){
		s.activateAll,
		s.sweepAll,
	} {
		s.done.Go(func() { loop(ctx) })
	}
}

// Close stops the work in the background and waits for its end.
func (s *Service) Close() error {
	if s.stop != nil {
		s.stop()
	}
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
