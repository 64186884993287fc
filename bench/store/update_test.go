// Package store measures the embedded store beside the database under it, and the store on PostgreSQL.
package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	db "github.com/cockroachdb/pebble/v2"

	"cirro/internal/store"
	"cirro/internal/store/pebble"
	"cirro/internal/store/postgres"
	"cirro/internal/store/postgres/postgrestest"
)

const valueBytes = 1 << 10

// BenchmarkUpdate counts durable writes of 1 KiB a second, by writers: of the store, of batches on a
// bare Pebble in the same run (raw-op/s), and the one as a multiple of the other (x-raw).
func BenchmarkUpdate(b *testing.B) {
	value := make([]byte, valueBytes)
	for _, writers := range []int{1, 16, 64, 128} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			d, err := db.Open(b.TempDir(), &db.Options{MemTableSize: 16 << 20, MemTableStopWritesThreshold: 4, Logger: quiet{}})
			if err != nil {
				b.Fatal(err)
			}
			raw := share(b, writers, func(n uint64) error {
				batch := d.NewBatch()
				defer func() { _ = batch.Close() }()
				if err := batch.Set(key(n), value, nil); err != nil {
					return err
				}
				return batch.Commit(db.Sync)
			})
			if err := d.Close(); err != nil {
				b.Fatal(err)
			}
			s := open(b)
			own := share(b, writers, func(n uint64) error {
				return s.Update(context.Background(), func(tx store.Tx) error { return tx.Set(key(n), value) })
			})
			b.ReportMetric(raw, "raw-op/s")
			b.ReportMetric(own/raw, "x-raw")
		})
	}
}

// BenchmarkReadModifyWrite is the usual transaction: one record read and written, of 10,000.
func BenchmarkReadModifyWrite(b *testing.B) {
	for _, writers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b)
			value := make([]byte, valueBytes)
			share(b, writers, func(n uint64) error {
				k := key(n * 7919 % 10_000)
				return s.Update(context.Background(), func(tx store.Tx) error {
					if _, err := tx.Get(k); err != nil && err != store.ErrNotFound {
						return err
					}
					return tx.Set(k, value)
				})
			})
		})
	}
}

// BenchmarkGet reads one key of 10,000.
func BenchmarkGet(b *testing.B) {
	s := open(b)
	err := s.Update(context.Background(), func(tx store.Tx) error {
		for n := range uint64(10_000) {
			if err := tx.Set(key(n), make([]byte, valueBytes)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	share(b, 16, func(n uint64) error {
		return s.View(context.Background(), func(r store.Reader) error {
			_, err := r.Get(key(n % 10_000))
			return err
		})
	})
}

// open opens a store: the embedded one, or with CIRRO_STORE=postgres one on a PostgreSQL server that waits for the disk.
func open(b *testing.B) store.Store {
	s, err := openAny(b)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

func openAny(b *testing.B) (store.Store, error) {
	if os.Getenv("CIRRO_STORE") != "postgres" {
		return pebble.Open(b.TempDir(), pebble.Options{})
	}
	server, err := postgrestest.Start("fsync=on", "full_page_writes=on")
	if err != nil {
		return nil, err
	}
	b.Cleanup(func() {
		if err := server.Close(); err != nil {
			b.Error(err)
		}
	})
	return postgres.Open(context.Background(), server.URL("postgres"), postgres.Options{})
}

func key(n uint64) []byte { return binary.BigEndian.AppendUint64([]byte("item/"), n) }

// share runs f b.N times on so many goroutines, and reports and returns the operations a second.
func share(b *testing.B, goroutines int, f func(n uint64) error) (perSecond float64) {
	var next atomic.Uint64
	b.ResetTimer()
	done := make(chan error, goroutines)
	for range goroutines {
		go func() {
			for {
				n := next.Add(1)
				if n > uint64(b.N) {
					done <- nil
					return
				}
				if err := f(n); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range goroutines {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	perSecond = float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(perSecond, "op/s")
	return perSecond
}

type quiet struct{}

func (quiet) Infof(string, ...any)      {}
func (quiet) Errorf(string, ...any)     {}
func (quiet) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
