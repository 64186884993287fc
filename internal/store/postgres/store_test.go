package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"cirro/internal/store"
	"cirro/internal/store/postgres/postgrestest"
	"cirro/internal/store/storetest"
)

// server is shared by the tests, which have schemas of their own. It starts when one asks for it.
var server = sync.OnceValues(func() (*postgrestest.Server, error) { return postgrestest.Start() })

// started says that it was asked for.
var started atomic.Bool

// databaseURL hands the server on to the processes that the tests kill.
const databaseURL = "CIRRO_TEST_DATABASE"

func TestMain(m *testing.M) {
	storetest.CrashMain(func(dir string) (store.Store, error) {
		return Open(context.Background(), os.Getenv(databaseURL)+"?schema="+schemaOf(dir), Options{})
	})
	os.Exit(run(m))
}

func run(m *testing.M) int {
	defer func() {
		if !started.Load() {
			return
		}
		if server, err := server(); err == nil {
			if err := server.Close(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}()
	return m.Run()
}

// url is where the server is. Where none can be had the test is skipped, but not in CI.
func url(t testing.TB) string {
	t.Helper()
	started.Store(true)
	server, err := server()
	switch {
	case errors.Is(err, postgrestest.ErrUnable) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	return server.URL("postgres")
}

// schemaOf names a schema of its own for a directory, which the tests of all stores go by.
func schemaOf(dir string) string {
	h := fnv.New64()
	h.Write([]byte(dir))
	return fmt.Sprintf("test_%x", h.Sum64())
}

func TestStore(t *testing.T) {
	url(t)
	storetest.Run(t, func(t testing.TB, dir string) store.Store { return openTest(t, schemaOf(dir)) })
}

// openTest opens a store and closes it at the end of the test.
func openTest(t testing.TB, schema string) *Store {
	t.Helper()
	s, err := Open(context.Background(), url(t)+"?schema="+schema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, store.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}
