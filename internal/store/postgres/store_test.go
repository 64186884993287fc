package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"testing"

	"cirro/internal/store"
	"cirro/internal/store/postgres/postgrestest"
	"cirro/internal/store/storetest"
)

// server is shared by the tests, which have schemas of their own; unable says why there is none.
var (
	server *postgrestest.Server
	unable error
)

// databaseURL hands the server on to the processes that the tests kill.
const databaseURL = "CIRRO_TEST_DATABASE"

func TestMain(m *testing.M) {
	storetest.CrashMain(func(dir string) (store.Store, error) {
		return Open(context.Background(), os.Getenv(databaseURL)+"?schema="+schemaOf(dir), Options{})
	})
	os.Exit(run(m))
}

func run(m *testing.M) int {
	server, unable = postgrestest.Start()
	if unable != nil && !errors.Is(unable, postgrestest.ErrUnable) {
		fmt.Fprintln(os.Stderr, unable)
		return 1
	}
	if server != nil {
		defer func() {
			if err := server.Close(); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
	return m.Run()
}

func url(t testing.TB) string {
	t.Helper()
	if unable != nil && os.Getenv("CI") != "" {
		t.Fatal(unable)
	}
	if unable != nil {
		t.Skip(unable)
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
