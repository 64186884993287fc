package postgres

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"cirro/internal/store"
)

// Nodes over one schema see each other's transactions, and wake each other.
func TestNodes(t *testing.T) {
	a, b := openTest(t, t.Name()), openTest(t, t.Name())
	set := func(s *Store, key, value string) {
		t.Helper()
		if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.Set([]byte(key), []byte(value)) }); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("Conflict", func(t *testing.T) {
		n := 0
		err := a.Update(t.Context(), func(tx store.Tx) error {
			v, err := tx.Get([]byte("x"))
			if n++; n == 1 {
				set(b, "x", "of b")
			} else if err != nil || string(v) != "of b" {
				t.Errorf("%q, %v", v, err)
			}
			return tx.Set([]byte("y"), v)
		})
		if err != nil || n != 2 {
			t.Errorf("%v after %d runs", err, n)
		}
	})
	t.Run("Count", func(t *testing.T) {
		const each = 50
		done := make(chan error, 2)
		for _, s := range []*Store{a, b} {
			go func() {
				for range each {
					err := s.Update(context.Background(), func(tx store.Tx) error {
						v, err := tx.Get([]byte("n"))
						if err != nil && !errors.Is(err, store.ErrNotFound) {
							return err
						}
						var n int
						_, _ = fmt.Sscan(string(v), &n)
						return errors.Join(tx.Set([]byte("n"), fmt.Append(nil, n+1)), tx.Append(store.Key("log"), nil))
					})
					if err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		if err := errors.Join(<-done, <-done); err != nil {
			t.Fatal(err)
		}
		err := b.View(t.Context(), func(r store.Reader) error {
			v, err := r.Get([]byte("n"))
			if string(v) != fmt.Sprint(2*each) {
				t.Errorf("counted %s", v)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("Receive", func(t *testing.T) {
		done := make(chan error, 1)
		go func() {
			got, err := b.Receive(context.Background(), "q", store.ReceiveOptions{Max: 1, Lease: time.Minute, Wait: time.Minute})
			if err == nil && len(got) == 0 {
				err = errors.New("nobody woke the receiver")
			}
			done <- err
		}()
		err := a.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Enqueue("q", store.NewMessage{}); return err })
		if err := errors.Join(err, <-done); err != nil {
			t.Error(err)
		}
	})
	t.Run("Await", func(t *testing.T) {
		done := make(chan error, 1)
		go func() { done <- b.Await(context.Background(), store.Key("events"), 0) }()
		err := a.Update(t.Context(), func(tx store.Tx) error { return tx.Append(store.Key("events"), nil) })
		if err := errors.Join(err, <-done); err != nil {
			t.Error(err)
		}
	})
	t.Run("Watch", func(t *testing.T) {
		changed := make(chan string, 10)
		stop := store.Watch(b, store.Key("w"), func(key []byte) { changed <- string(key) })
		defer stop()
		set(b, string(store.Key("w", "own")), "")
		set(a, string(store.Key("v")), "")
		set(a, string(store.Key("w", 1)), "")
		if key := <-changed; key != string(store.Key("w", 1)) {
			t.Errorf("told of %q", key)
		}
		if err := a.Update(t.Context(), func(tx store.Tx) error { return tx.DeleteRange(nil, nil) }); err != nil {
			t.Error(err)
		}
		if key := <-changed; key != "" {
			t.Errorf("told of %q", key)
		}
	})
}

// A node that was away for longer than changes are kept forgets what it knew.
func TestMissedChanges(t *testing.T) {
	a, b := openTest(t, t.Name()), openTest(t, t.Name())
	missed := make(chan []byte, 1)
	b.tail.mu.Lock() // b learns of nothing meanwhile
	store.Watch(b, nil, func(key []byte) { missed <- key })
	set := func(tx store.Tx) error { return tx.Set([]byte("x"), []byte("new")) }
	if err := a.Update(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	if _, err := a.writers.Exec(t.Context(), "update change set made = made - interval '1 hour'"); err != nil {
		t.Fatal(err)
	}
	if err := a.clean(t.Context(), a.clock.now()); err != nil {
		t.Fatal(err)
	}
	b.tail.mu.Unlock()
	n := 0
	err := b.Update(t.Context(), func(tx store.Tx) error {
		n++
		_, err := tx.Get([]byte("x"))
		return errors.Join(err, tx.Set([]byte("y"), nil))
	})
	if key := <-missed; err != nil || key != nil {
		t.Errorf("%v; told of %q", err, key)
	}
}

// Keys too long for an index, which cannot be compressed, are like others.
func TestLongKeys(t *testing.T) {
	s := openTest(t, t.Name())
	long := func(last byte) []byte {
		key := make([]byte, store.MaxKey)
		for i := range key {
			key[i] = byte(i*i>>3 ^ i)
		}
		key[len(key)-1] = last
		return key
	}
	update := func(f func(tx store.Tx) error) {
		t.Helper()
		if err := s.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx store.Tx) error {
		return errors.Join(tx.Set(long(2), []byte("2")), tx.Set(long(1), []byte("1")), tx.Set(long(3), []byte("3")), tx.Set(long(0)[:10], []byte("0")), tx.Set([]byte{0xfe}, []byte("4")))
	})
	update(func(tx store.Tx) error { return errors.Join(tx.Set(long(1), []byte("one")), tx.Delete(long(3))) })
	read := func(over store.Range) (values string) {
		t.Helper()
		err := s.View(t.Context(), func(r store.Reader) error {
			if v, err := r.Get(long(2)); err != nil || string(v) != "2" {
				t.Errorf("%q, %v", v, err)
			}
			for kv, err := range r.Range(over) {
				if err != nil {
					return err
				}
				values += string(kv.Value) + " "
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return values
	}
	if got := read(store.Range{}); got != "0 one 2 4 " {
		t.Errorf("in order: %s", got)
	}
	if got := read(store.Range{Reverse: true, End: long(2)}); got != "one 0 " {
		t.Errorf("in reverse order: %s", got)
	}
	update(func(tx store.Tx) error { return tx.DeleteRange(long(0), long(2)) })
	if got := read(store.Range{}); got != "0 2 4 " {
		t.Errorf("after a deletion: %s", got)
	}
}
