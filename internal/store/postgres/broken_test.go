package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"cirro/internal/store"
	"cirro/internal/store/postgres/postgrestest"
	"cirro/internal/store/storetest"
)

// TestBrokenCommits breaks the connection that commits, again and again: what was acknowledged is there, once, and
// nobody hears of it.
func TestBrokenCommits(t *testing.T) {
	s := openTest(t, "broken")
	s.patience = 2 * time.Minute // the same commit may be hit again and again
	breaks := 30
	if os.Getenv("CIRRO_LONG") != "" {
		breaks = 500
	}
	conn, err := pgx.Connect(t.Context(), url(t))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var reports []storetest.Report
	working, stop := context.WithCancel(context.Background())
	worked, progress := make(chan struct{}), make(chan struct{}, 1)
	go func() {
		defer close(worked)
		storetest.Work(working, s, func(r storetest.Report) {
			mu.Lock()
			reports = append(reports, r)
			mu.Unlock()
			select {
			case progress <- struct{}{}:
			default:
			}
		})
	}()
	for broken := 0; broken < breaks; {
		<-progress
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond) // anywhere in a commit
		tag, err := conn.Exec(t.Context(), "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cirro broken writer'")
		if err != nil {
			t.Fatal(err)
		}
		broken += int(tag.RowsAffected())
	}
	stop()
	<-worked
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
	storetest.Check(t, s, reports)
}

// TestRestart lets the server restart, and be away for longer: errors say so, and all goes on when it is back.
func TestRestart(t *testing.T) {
	url(t)
	server, err := postgrestest.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	s, err := Open(t.Context(), server.URL("postgres"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	s.patience = 200 * time.Millisecond
	set := func(key string) error {
		return s.Update(t.Context(), func(tx store.Tx) error {
			_, err := tx.Get([]byte(key))
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			_, err = tx.Enqueue("q", store.NewMessage{Body: []byte(key)})
			return errors.Join(err, tx.Set([]byte(key), []byte("v")))
		})
	}
	if err := set("before"); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() {
		err := ErrUnavailable
		for errors.Is(err, ErrUnavailable) { // who begins to wait only now
			err = s.Await(t.Context(), store.Key("log"), 0)
		}
		waiting <- err
	}()
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := set("away"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("an update while the server is away: %v", err)
	}
	err = s.View(t.Context(), func(r store.Reader) error { _, err := r.Get([]byte("before")); return err })
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("a view while the server is away: %v", err)
	}
	if _, err := s.Receive(t.Context(), "q", store.ReceiveOptions{Max: 1, Lease: time.Hour}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a receive while the server is away: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- set("while it starts") }()
	if err := server.Run(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil && !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
	if err := set("after"); err != nil {
		t.Errorf("after the server is back: %v", err)
	}
	got, err := s.Receive(t.Context(), "q", store.ReceiveOptions{Max: 9, Lease: time.Hour})
	if err != nil || len(got) < 2 || string(got[0].Body) != "before" {
		t.Errorf("%d messages, %v", len(got), err)
	}
	if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.Append(store.Key("log"), nil) }); err != nil {
		t.Error(err)
	}
	if err := <-waiting; err != nil {
		t.Errorf("who waited over the restart: %v", err)
	}
}

// TestOpen refuses what cannot be, and says why.
func TestOpen(t *testing.T) {
	for _, bad := range []string{"postgres://", "postgres://postgres@127.0.0.1:1/x", "postgres://h/d?pool_max_conns=x"} {
		if s, err := Open(t.Context(), bad+"", Options{}); err == nil {
			t.Errorf("%s was opened: %v", bad, s.Close())
		}
	}
	s := openTest(t, "version")
	if _, err := s.writers.Exec(t.Context(), "update meta set version = 1000"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), url(t)+"?schema=version", Options{}); err == nil {
		t.Error("a newer version was opened")
	}
	if _, err := s.writers.Exec(t.Context(), `create schema "of another"; create table "of another".meta (x int)`); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), url(t)+"?schema=of%20another", Options{}); err == nil {
		t.Error("another's schema was opened")
	}
}
