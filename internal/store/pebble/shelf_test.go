package pebble

import (
	"fmt"
	"testing"
	"time"

	"cirro/internal/store"
)

// shelfBench sends and receives numbered messages.
type shelfBench struct {
	*testing.T
	s    *Store
	q    *queue
	sent int
}

func newShelfBench(t *testing.T) *shelfBench {
	s := openTest(t, t.TempDir())
	q, err := s.queue("q")
	if err != nil {
		t.Fatal(err)
	}
	return &shelfBench{T: t, s: s, q: q}
}

func (b *shelfBench) send(n int) {
	b.Helper()
	err := b.s.Update(b.Context(), func(tx store.Tx) error {
		for i := range n {
			if _, err := tx.Enqueue("q", store.NewMessage{Body: fmt.Append(nil, b.sent+i)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.sent += n
}

func (b *shelfBench) receive(max int) []store.Message {
	b.Helper()
	got, err := b.s.Receive(b.Context(), "q", store.ReceiveOptions{Max: max, Lease: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	return got
}

func (b *shelfBench) shelved(want int) {
	b.Helper()
	bytes := 0
	for _, m := range b.q.shelf.messages {
		bytes += len(m.body)
	}
	if n := len(b.q.shelf.messages); n != want || b.q.shelf.bytes != bytes || b.s.shelved.Load() != int64(bytes) {
		b.Errorf("%d messages of %d bytes are on the shelf, %d on all, not %d of %d", n, b.q.shelf.bytes, b.s.shelved.Load(), want, bytes)
	}
}

// TestShelf counts what is at hand.
func TestShelf(t *testing.T) {
	b := newShelfBench(t)
	b.send(10)
	b.shelved(10)
	first := b.receive(4)
	b.shelved(6)
	first[0].Body[0] = 'x' // it is the receiver's
	err := b.s.Update(t.Context(), func(tx store.Tx) error { return tx.Extend(first[0].Lease, 0) })
	if err != nil {
		t.Fatal(err)
	}
	if again := b.receive(1); string(again[0].Body) != "0" {
		t.Errorf("again it is %q", again[0].Body)
	}
	b.shelved(6)
	if err := b.s.Update(t.Context(), func(tx store.Tx) error { return tx.Purge("q") }); err != nil {
		t.Fatal(err)
	}
	b.shelved(0)
	b.send(shelfCount + 100)
	b.shelved(shelfCount)
}

// TestReadAhead receives more than is at hand: what follows is read along, each message comes once, in order.
func TestReadAhead(t *testing.T) {
	b := newShelfBench(t)
	const n = 3 * shelfCount
	b.send(n)
	b.q.shelf.clear()
	most := 0
	for i := range n {
		got := b.receive(1)
		if len(got) != 1 || string(got[0].Body) != fmt.Sprint(i) {
			t.Fatalf("message %d: %v", i, got)
		}
		if err := b.s.Update(t.Context(), func(tx store.Tx) error { return tx.Ack(got[0].Lease) }); err != nil {
			t.Fatal(err)
		}
		most = max(most, len(b.q.shelf.messages))
	}
	if most != ahead-1 {
		t.Errorf("at most %d were read ahead", most)
	}
	b.shelved(0)
}

// TestShelfLetsExpiredGo lets a message expire that is at hand.
func TestShelfLetsExpiredGo(t *testing.T) {
	b := newShelfBench(t)
	err := b.s.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Enqueue("q", store.NewMessage{Body: []byte("short"), Retention: time.Millisecond})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for {
		stats, err := b.s.Stats(t.Context(), "q")
		if err != nil {
			t.Fatal(err)
		}
		if stats.Ready == 0 {
			break
		}
	}
	b.shelved(0)
}
