package pebble

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"cirro/internal/store"
)

func TestCounter(t *testing.T) {
	dir := t.TempDir()
	t0 := time.Now()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("open", time.Since(t0))
	var wg sync.WaitGroup
	t0 = time.Now()
	for range 64 {
		wg.Go(func() {
			for range 50 {
				err := s.Update(context.Background(), func(tx store.Tx) error {
					b, err := tx.Get([]byte("n"))
					var n uint64
					if err == nil {
						n = binary.BigEndian.Uint64(b)
					}
					return tx.Set([]byte("n"), binary.BigEndian.AppendUint64(nil, n+1))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	t.Log("3200 increments", time.Since(t0))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	t0 = time.Now()
	s, err = Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("reopen", time.Since(t0))
	_ = s.View(context.Background(), func(r store.Reader) error {
		b, err := r.Get([]byte("n"))
		if err != nil || binary.BigEndian.Uint64(b) != 3200 {
			t.Fatal(err, b)
		}
		return nil
	})
	if _, err := Open(dir, Options{}); err == nil {
		t.Fatal("opened twice")
	} else {
		t.Log(err)
	}
	s.Close()
}
