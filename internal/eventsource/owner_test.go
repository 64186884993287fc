package eventsource

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cirro/internal/store"
)

// record is a store of one record, in memory.
type record struct {
	mu    sync.Mutex
	value []byte
}

// node is a process's way to the record.
type node struct {
	store.Store
	*record
	broken atomic.Bool
}

func (*node) Watch([]byte, func([]byte)) (stop func()) { return func() {} }

func (n *node) Update(_ context.Context, f func(store.Tx) error) error {
	if n.broken.Load() {
		return errors.New("no way to the store")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	tx := &recordTx{value: n.value}
	err := f(tx)
	if err == nil {
		n.value = tx.value
	}
	return err
}

type recordTx struct {
	store.Tx
	value []byte
}

func (t *recordTx) Get([]byte) ([]byte, error) {
	if t.value == nil {
		return nil, store.ErrNotFound
	}
	return t.value, nil
}

func (t *recordTx) Set(_, value []byte) error { t.value = value; return nil }
func (t *recordTx) Delete([]byte) error       { t.value = nil; return nil }

// TestOneOwner has pollers of two processes: one polls until it stops, or until it cannot say that it does.
func TestOneOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &record{}
		var now, most atomic.Int64
		var who atomic.Value
		start := func(name string) (n *node, stop func()) {
			n = &node{record: shared}
			p := &Poller{Deps: Deps{Store: n, Log: slog.New(slog.DiscardHandler)}, source: queueSource(nil), process: name}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				p.own(ctx, func(owned context.Context) {
					most.Store(max(most.Load(), now.Add(1)))
					who.Store(name)
					<-owned.Done()
					now.Add(-1)
				})
			}()
			synctest.Wait()
			return n, func() { cancel(); <-done }
		}
		polls := func(name string, after time.Duration) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			if now.Load() != 1 || who.Load() != name {
				t.Errorf("%d poll, %v last, not %s", now.Load(), who.Load(), name)
			}
		}
		_, stopA := start("a")
		b, stopB := start("b")
		polls("a", time.Hour)
		stopA()
		polls("b", 2*beatEvery)
		_, stopC := start("c")
		b.broken.Store(true)
		polls("c", time.Minute)
		b.broken.Store(false)
		polls("c", time.Hour)
		stopB()
		stopC()
		if most.Load() != 1 || shared.value != nil {
			t.Errorf("%d polled at once; left %s", most.Load(), shared.value)
		}
	})
}
