package alarm

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cirro/internal/standing"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

func open(t testing.TB, dir string) store.Store {
	t.Helper()
	s, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var start = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// bell keeps what rang, in the store, so that a transaction that is undone leaves nothing.
func bell(s store.Store, clock *standing.Clock, again func(id string, due time.Time) time.Time) *Alarms {
	a := &Alarms{Store: s, Owner: "test", Clock: clock.Now, Log: slog.Default(), Ring: func(tx store.Tx, id string, due time.Time) (time.Time, error) {
		if err := tx.Append([]byte("rung"), fmt.Appendf(nil, "%s@%d", id, int(due.Sub(start).Seconds()))); err != nil {
			return time.Time{}, err
		}
		return again(id, due), nil
	}}
	return a.Init()
}

func never(string, time.Time) time.Time { return time.Time{} }

func rung(t testing.TB, s store.Store) (got []string) {
	t.Helper()
	err := s.View(t.Context(), func(r store.Reader) error {
		for kv, err := range r.Range(store.Range{Start: []byte("rung"), End: []byte("runh")}) {
			if err != nil {
				return err
			}
			got = append(got, string(kv.Value))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func set(t testing.TB, a *Alarms, id string, due time.Time) {
	t.Helper()
	if err := a.Store.Update(t.Context(), func(tx store.Tx) error { return a.Set(tx, id, due) }); err != nil {
		t.Fatal(err)
	}
	a.Poke()
}

// TestTurn sets alarms, changes them, takes one away, and turns the clock.
func TestTurn(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	clock := standing.At(start)
	a := bell(s, clock, func(id string, due time.Time) time.Time {
		if id == "again" && due.Before(start.Add(30*time.Second)) {
			return due.Add(10 * time.Second)
		}
		return time.Time{}
	})
	set(t, a, "once", start.Add(20*time.Second))
	set(t, a, "again", start.Add(10*time.Second))
	set(t, a, "changed", start.Add(5*time.Second))
	set(t, a, "changed", start.Add(25*time.Second))
	set(t, a, "gone", start.Add(5*time.Second))
	set(t, a, "gone", time.Time{})
	set(t, a, "past", start.Add(-time.Hour))
	for _, c := range []struct {
		after time.Duration
		want  string
		wait  time.Duration
	}{
		{0, "past@-3600", 10 * time.Second},
		{4 * time.Second, "past@-3600", 6 * time.Second},
		{6 * time.Second, "past@-3600 again@10", 10 * time.Second},
		{50 * time.Second, "past@-3600 again@10 again@20 once@20 changed@25 again@30", longest},
	} {
		clock.Add(c.after)
		wait, err := a.Turn(t.Context())
		if got := strings.Join(rung(t, s), " "); err != nil || got != c.want || wait != c.wait {
			t.Errorf("%v later: %s (want %s), waiting %v (%v), %v", c.after, got, c.want, wait, c.wait, err)
		}
	}
}

// TestRestart has alarms come due while nobody is up: each rings once.
func TestRestart(t *testing.T) {
	dir, clock := t.TempDir(), standing.At(start)
	s := open(t, dir)
	a := bell(s, clock, never)
	for i := range 200 {
		set(t, a, fmt.Sprint(i), start.Add(time.Duration(i)*time.Second))
	}
	clock.Add(100 * time.Second)
	if _, err := a.Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	clock.Add(time.Hour)
	s = open(t, dir)
	defer s.Close()
	if _, err := bell(s, clock, never).Turn(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := rung(t, s)
	slices.Sort(got)
	if len(got) != 200 || len(slices.Compact(got)) != 200 {
		t.Errorf("%d rang", len(got))
	}
}

// TestTwoRing has two processes over one store ring the same alarms: each rings once.
func TestTwoRing(t *testing.T) {
	s, clock := open(t, t.TempDir()), standing.At(start)
	defer s.Close()
	a := bell(s, clock, never)
	for i := range 300 {
		set(t, a, fmt.Sprint(i), start.Add(time.Duration(rand.IntN(10))*time.Second))
	}
	clock.Add(time.Minute)
	failed := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := bell(s, clock, never).Turn(t.Context())
			failed <- err
		}()
	}
	for range 2 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	got := rung(t, s)
	slices.Sort(got)
	if len(got) != 300 || len(slices.Compact(got)) != 300 {
		t.Errorf("%d rang", len(got))
	}
}

// TestRun is woken by an alarm that is set while it waits for a later one.
func TestRun(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	rang := make(chan string, 8)
	a := (&Alarms{Store: s, Owner: "test", Clock: time.Now, Log: slog.Default(), Ring: func(_ store.Tx, id string, _ time.Time) (time.Time, error) {
		rang <- id
		return time.Time{}, nil
	}}).Init()
	set(t, a, "far", time.Now().Add(time.Hour))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { a.Run(ctx); close(ended) }()
	set(t, a, "near", time.Now().Add(20*time.Millisecond))
	if id := <-rang; id != "near" {
		t.Error(id)
	}
	stop()
	<-ended
}

// BenchmarkIdle looks for what is due among 100,000 alarms of which none is.
func BenchmarkIdle(b *testing.B) {
	s, clock := open(b, b.TempDir()), standing.At(start)
	defer s.Close()
	a := bell(s, clock, never)
	for i := 0; i < 100_000; i += 1000 {
		err := s.Update(b.Context(), func(tx store.Tx) error {
			for j := range 1000 {
				if err := a.Set(tx, fmt.Sprint(i+j), start.Add(time.Duration(1+i+j)*time.Second)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for range b.N {
		if _, err := a.Turn(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRing rings 100,000 alarms that are due at once.
func BenchmarkRing(b *testing.B) {
	for range b.N {
		s, clock := open(b, b.TempDir()), standing.At(start)
		a := bell(s, clock, func(_ string, due time.Time) time.Time { return due.Add(time.Hour) })
		for i := 0; i < 100_000; i += 1000 {
			err := s.Update(b.Context(), func(tx store.Tx) error {
				for j := range 1000 {
					if err := a.Set(tx, fmt.Sprint(i+j), start.Add(time.Duration(i+j)*time.Microsecond)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		clock.Add(time.Minute)
		b.ResetTimer()
		if _, err := a.Turn(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(100_000/b.Elapsed().Seconds(), "alarms/s")
		s.Close()
	}
}
