package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"cirro/internal/store"
)

// BenchmarkSend enqueues messages of 1 KiB, one a transaction, from 64 goroutines.
func BenchmarkSend(b *testing.B) {
	s := open(b)
	body := make([]byte, valueBytes)
	share(b, 64, func(uint64) error { return send(s, "q", body) })
}

// BenchmarkReceive leases and acknowledges messages, one at a time, in 64 goroutines.
func BenchmarkReceive(b *testing.B) {
	s := open(b)
	fill(b, s, b.N)
	share(b, 64, func(uint64) error { return receive(s, "q") })
}

// BenchmarkSendReceive does both at once: of 64 goroutines each sends a message and takes one.
func BenchmarkSendReceive(b *testing.B) {
	s := open(b)
	body := make([]byte, valueBytes)
	share(b, 64, func(uint64) error {
		if err := send(s, "q", body); err != nil {
			return err
		}
		return receive(s, "q")
	})
}

// BenchmarkWake is a message's way to a receiver that waits.
func BenchmarkWake(b *testing.B) {
	s := open(b)
	received := make(chan error)
	share(b, 1, func(uint64) error {
		go func() { received <- receive(s, "q") }()
		if err := send(s, "q", nil); err != nil {
			return err
		}
		return <-received
	})
}

// BenchmarkGroups is as BenchmarkSendReceive, with messages of 1,000 groups.
func BenchmarkGroups(b *testing.B) {
	s := open(b)
	body := make([]byte, valueBytes)
	share(b, 64, func(n uint64) error {
		err := s.Update(context.Background(), func(tx store.Tx) error {
			_, err := tx.Enqueue("q", store.NewMessage{Body: body, Group: fmt.Sprint(n % 1000)})
			return err
		})
		if err != nil {
			return err
		}
		return receive(s, "q")
	})
}

func send(s store.Store, queue string, body []byte) error {
	return s.Update(context.Background(), func(tx store.Tx) error {
		_, err := tx.Enqueue(queue, store.NewMessage{Body: body, Retention: 4 * 24 * time.Hour})
		return err
	})
}

func receive(s store.Store, queue string) error {
	got, err := s.Receive(context.Background(), queue, store.ReceiveOptions{Max: 1, Lease: time.Minute, Wait: time.Minute})
	if err != nil {
		return err
	}
	if len(got) != 1 {
		return fmt.Errorf("%d messages", len(got))
	}
	return s.Update(context.Background(), func(tx store.Tx) error { return tx.Ack(got[0].Lease) })
}

// fill sends n messages.
func fill(b *testing.B, s store.Store, n int) {
	body := make([]byte, valueBytes)
	for n > 0 {
		batch := min(n, 1000)
		n -= batch
		err := s.Update(context.Background(), func(tx store.Tx) error {
			for range batch {
				if _, err := tx.Enqueue("q", store.NewMessage{Body: body, Retention: 4 * 24 * time.Hour}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
