package pebble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cirro/internal/store"
)

// smallDisk mounts a disk of 64 MiB.
func smallDisk(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		if errors.Is(err, unix.EPERM) {
			t.Skip("a small disk can only be mounted by root")
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fullStore is a store on a small disk.
type fullStore struct {
	*testing.T
	*Store
	dir     string
	mu      sync.Mutex
	written map[int]bool
	pending sync.WaitGroup
}

func openFull(t *testing.T) *fullStore {
	f := &fullStore{T: t, dir: smallDisk(t), written: map[int]bool{}}
	f.open()
	return f
}

func (f *fullStore) open() {
	f.Helper()
	s, err := Open(filepath.Join(f.dir, "data"), Options{MemTableBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Store = s
	f.Cleanup(func() { _ = s.Close() })
}

// fill lets another write all that is free. It returns what frees it again.
func (f *fullStore) fill() (free func()) {
	f.Helper()
	name := filepath.Join(f.dir, "other")
	file, err := os.Create(name)
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		f.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			f.Error(err)
		}
	}
}

// write writes a value that cannot be compressed.
func (f *fullStore) write(n int) error {
	value := make([]byte, 64<<10)
	for i := range value {
		value[i] = byte(rand.Uint32())
	}
	err := f.Update(context.Background(), func(tx store.Tx) error {
		_, err := tx.Enqueue("q", store.NewMessage{Body: fmt.Append(nil, n)})
		return errors.Join(err, tx.Set(store.Key("value", n), value))
	})
	if err == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.written[n] = true
	}
	return err
}

// errWaits says that a write waits for room.
var errWaits = errors.New("the write waits")

// attempt writes, but does not wait for room.
func (f *fullStore) attempt(n int) error {
	done := make(chan error, 1)
	f.pending.Go(func() { done <- f.write(n) })
	select {
	case err := <-done:
		return err
	case <-time.After(time.Second):
		return errWaits
	}
}

// until writes until the outcome is as it should be. Another outcome than success is ErrFull.
func (f *fullStore) until(from int, enough func(error) bool) (next int) {
	f.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); from++ {
		err := f.attempt(from)
		if err != nil && err != errWaits && (!errors.Is(err, store.ErrFull) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), f.dir)) {
			f.Fatal(err)
		}
		if enough(err) {
			return from + 1
		}
	}
	f.Fatal("it does not happen")
	return from
}

// check, when nothing waits, reads all that was written, and nothing else is there.
func (f *fullStore) check() {
	f.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	err := f.View(context.Background(), func(r store.Reader) error {
		for kv, err := range r.Range(store.Prefix("value")) {
			if err != nil {
				return err
			}
			parts, err := store.Split(kv.Key)
			if err != nil || !f.written[int(parts[1].(int64))] {
				return fmt.Errorf("key %v, %v", parts, err)
			}
			n++
		}
		return nil
	})
	if err != nil || n != len(f.written) {
		f.Errorf("%d of %d values, %v", n, len(f.written), err)
	}
}

func (f *fullStore) take() error {
	got, err := f.Receive(context.Background(), "q", store.ReceiveOptions{Max: 1, Lease: time.Hour})
	if err != nil {
		return err
	}
	return f.Update(context.Background(), func(tx store.Tx) error { return tx.Ack(got[0].Lease) })
}

func refused(err error) bool { return errors.Is(err, store.ErrFull) }

func succeeds(err error) bool { return err == nil }

// TestFullByItself writes until there is no room, removes something, and goes on.
func TestFullByItself(t *testing.T) {
	f := openFull(t)
	next := f.until(0, refused)
	f.pending.Wait()
	f.check()
	if err := f.take(); err != nil {
		t.Errorf("a message cannot be taken from a full disk: %v", err)
	}
	err := f.Update(t.Context(), func(tx store.Tx) error { return tx.DeleteRange(store.Key("value"), nil) })
	if err != nil {
		t.Fatalf("nothing can be removed from a full disk: %v", err)
	}
	clear(f.written)
	f.until(next, succeeds)
	f.pending.Wait()
	f.check()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f.open()
	f.check()
}

// TestFullByOthers lets another fill the disk while some write, so that Pebble itself finds no room.
func TestFullByOthers(t *testing.T) {
	f := openFull(t)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				if err := f.write(w<<32 + n%20); err != nil && !errors.Is(err, store.ErrFull) {
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		next := f.until(9<<32, succeeds)
		free := f.fill()
		next = f.until(next, refused)
		f.View(t.Context(), func(r store.Reader) error { _, err := r.Get(store.Key("value", 9<<32)); return err })
		free()
		f.until(next, succeeds)
	}
	stop()
	wg.Wait()
	f.pending.Wait()
	f.check()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f.open()
	f.check()
}

// TestOpenOnFullDisk says so.
func TestOpenOnFullDisk(t *testing.T) {
	f := openFull(t)
	f.until(0, succeeds)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	free := f.fill()
	if _, err := Open(filepath.Join(f.dir, "data"), Options{}); !errors.Is(err, store.ErrFull) {
		t.Errorf("opened on a full disk: %v", err)
	}
	free()
	f.open()
	f.check()
}
