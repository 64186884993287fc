package storetest

import (
	"context"
	"os"
	"testing"
	"time"

	"cirro/internal/store"
)

// Open opens the store of a directory. It closes it at the end of the test, if the test has not.
type Open func(t testing.TB, dir string) store.Store

// Run tests an implementation.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*suite){
		"Keys":         keys,
		"Ranges":       ranges,
		"Transactions": transactions,
		"Serializable": serializable,
		"Queues":       queues,
		"QueueModel":   queueModel,
		"Fair":         fair,
		"Appends":      appends,
		"Awaits":       awaits,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(&suite{T: t, open: open})
		})
	}
}

// suite is a test with a store of its own.
type suite struct {
	*testing.T
	open Open
	dir  string
	s    store.Store
}

// each runs a test on a fresh store.
func (s *suite) each(name string, test func(*suite)) {
	s.Run(name, func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		test(&suite{T: t, open: s.open, dir: dir, s: s.open(t, dir)})
	})
}

// reopen closes the store and opens it again.
func (s *suite) reopen() {
	s.Helper()
	s.must(s.s.Close())
	s.s = s.open(s.T, s.dir)
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) update(f func(tx store.Tx) error) {
	s.Helper()
	s.must(s.s.Update(s.Context(), f))
}

func (s *suite) view(f func(r store.Reader) error) {
	s.Helper()
	s.must(s.s.View(s.Context(), f))
}

// long says whether the tests may take their time.
func long() bool { return os.Getenv("CIRRO_LONG") != "" }

// patient bounds what must happen sooner or later.
const patient = 2 * time.Minute

func (s *suite) patient() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.Context(), patient)
}
