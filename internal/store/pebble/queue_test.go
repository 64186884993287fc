package pebble

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"cirro/internal/store"
)

// TestNothingLeftBehind sends messages to every end they can have and looks at the database.
func TestNothingLeftBehind(t *testing.T) {
	s := openTest(t, t.TempDir())
	receive := func(o store.ReceiveOptions) []store.Message {
		t.Helper()
		got, err := s.Receive(t.Context(), "q", o)
		if err != nil || len(got) == 0 {
			t.Fatalf("%d messages, %v", len(got), err)
		}
		return got
	}
	update := func(f func(tx store.Tx) error) {
		t.Helper()
		if err := s.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	send := func(m store.NewMessage) {
		t.Helper()
		update(func(tx store.Tx) error { _, err := tx.Enqueue("q", m); return err })
	}
	ack := func(q string, m store.Message) {
		t.Helper()
		update(func(tx store.Tx) error { return tx.Ack(m.Lease) })
	}
	long := store.ReceiveOptions{Max: 1, Lease: time.Hour}
	window := time.Hour

	send(store.NewMessage{Body: []byte("acknowledged"), Dedup: "d", DedupWindow: window})
	ack("q", receive(long)[0])
	send(store.NewMessage{Body: []byte("leased twice"), Group: "g"})
	first := receive(long)[0]
	update(func(tx store.Tx) error { return tx.Extend(first.Lease, 0) })
	ack("q", receive(long)[0])
	send(store.NewMessage{Body: []byte("expires"), Retention: time.Millisecond})
	for stats := (store.Stats{Ready: 1}); stats.Ready > 0; {
		var err error
		if stats, err = s.Stats(t.Context(), "q"); err != nil {
			t.Fatal(err)
		}
	}
	send(store.NewMessage{Body: []byte("dies")})
	m := receive(long)[0]
	update(func(tx store.Tx) error { return tx.Extend(m.Lease, 0) })
	if got, err := s.Receive(t.Context(), "q", store.ReceiveOptions{Max: 1, Lease: time.Hour, MaxDeliveries: 1, DeadLetter: "dead"}); err != nil || len(got) > 0 {
		t.Fatal(got, err)
	}
	dead, err := s.Receive(t.Context(), "dead", long)
	if err != nil || len(dead) != 1 {
		t.Fatal(dead, err)
	}
	ack("dead", dead[0])
	send(store.NewMessage{Body: []byte("purged")})
	receive(long)
	update(func(tx store.Tx) error { return tx.Purge("q") })

	// The deduplication is remembered for an hour, and forgotten within the minute after that.
	expect(t, s, "d", "f", "n", "n", "x")
	if err := s.clean(t.Context(), time.Now().Add(window-time.Minute)); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "d", "f", "n", "n", "x")
	if err := s.clean(t.Context(), time.Now().Add(window+time.Minute)); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "f", "n", "n")
	update(func(tx store.Tx) error { return tx.Drop("q") })
	expect(t, s, "f", "n")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// expect compares the spaces of the keys in the database.
func expect(t *testing.T, s *Store, want ...string) {
	t.Helper()
	it, err := s.db.NewIter(&pebble.IterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for it.First(); it.Valid(); it.Next() {
		got = append(got, string(it.Key()[:1]))
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("keys of %q, want %q", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("keys of %q, want %q", got, want)
		}
	}
}

// TestForgetKeepsTheRenewed lets a deduplication end and be made again before the janitor comes.
func TestForgetKeepsTheRenewed(t *testing.T) {
	s := openTest(t, t.TempDir())
	enqueue := func(window time.Duration) (id string) {
		err := s.Update(t.Context(), func(tx store.Tx) (err error) {
			id, err = tx.Enqueue("q", store.NewMessage{Dedup: "d", DedupWindow: window})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	enqueue(0)
	renewed := enqueue(time.Hour)
	if err := s.clean(t.Context(), time.Now().Add(30*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if enqueue(time.Hour) != renewed {
		t.Error("the renewed deduplication was forgotten")
	}
	expect(t, s, "b", "b", "d", "f", "i", "i", "n", "x")
}

// TestWaiters checks that what is there is passed on: by who is woken and goes, and by who leaves some.
func TestWaiters(t *testing.T) {
	s := openTest(t, t.TempDir())
	q, err := s.queue("q")
	if err != nil {
		t.Fatal(err)
	}
	woken := func(w *waiter) bool {
		select {
		case <-w.woken:
			return true
		default:
			return false
		}
	}
	first, second, third := q.await(), q.await(), q.await()
	err = s.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Enqueue("q", store.NewMessage{})
		return err
	})
	if err != nil || !woken(first) || woken(second) {
		t.Fatal(err, woken(first), woken(second))
	}
	q.leave(first)
	if !woken(second) || woken(third) {
		t.Fatal(woken(second), woken(third))
	}
	q.mu.Lock()
	q.index.add(100, entry{}, 0) // unseen by any waiter
	q.mu.Unlock()
	l := &leasing{q: q, room: s.room, o: store.ReceiveOptions{Max: 1, Lease: time.Hour}, outcome: make(chan error, 1)}
	s.committer.submit(l)
	if err := <-l.outcome; err != nil || !woken(third) {
		t.Fatal(err, woken(third))
	}
}

// TestQueueRecordMovesOn takes so many messages through a queue that its record must change.
func TestQueueRecordMovesOn(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	for range 3 {
		err := s.Update(t.Context(), func(tx store.Tx) error {
			for range reserve / 2 {
				if _, err := tx.Enqueue("q", store.NewMessage{}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Update(t.Context(), func(tx store.Tx) error { return tx.Purge("q") }); err != nil {
			t.Fatal(err)
		}
	}
	err := s.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Enqueue("q", store.NewMessage{}); return err })
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir)
	q, err := s.queue("q")
	if err != nil || q.head < reserve || q.next <= 3*reserve/2 || q.index.live.len() != 1 {
		t.Errorf("%v: from %d on, next %d, %d messages", err, q.head, q.next, q.index.live.len())
	}
}
