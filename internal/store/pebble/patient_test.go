package pebble

import (
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cirro/internal/store"
)

// crowded is a file system that has no room while it is full.
type crowded struct {
	vfs.FS
	full atomic.Bool
	met  chan struct{} // takes word of a write that found no room
}

type crowdedFile struct {
	vfs.File
	on *crowded
}

func (c *crowded) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.FS.Create(name, category)
	return crowdedFile{f, c}, err
}

func (c *crowded) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := c.FS.ReuseForWrite(oldname, newname, category)
	return crowdedFile{f, c}, err
}

// Write writes a part of what there is no room for.
func (f crowdedFile) Write(p []byte) (int, error) {
	if !f.on.full.Load() {
		return f.File.Write(p)
	}
	n, err := f.File.Write(p[:len(p)/2])
	select {
	case f.on.met <- struct{}{}:
	default:
	}
	return n, errors.Join(err, syscall.ENOSPC)
}

// TestLogWaitsForRoom lets the log find no room: who writes then waits, who comes later is refused, who reads reads, and
// all goes on when there is room.
func TestLogWaitsForRoom(t *testing.T) {
	disk := &crowded{FS: vfs.NewMem(), met: make(chan struct{}, 1)}
	s, err := Open("data", Options{fs: disk})
	if err != nil {
		t.Fatal(err)
	}
	write := func(key string) error {
		return s.Update(t.Context(), func(tx store.Tx) error { return tx.Set([]byte(key), []byte("some value")) })
	}
	read := func(key string) error {
		return s.View(t.Context(), func(r store.Reader) error { _, err := r.Get([]byte(key)); return err })
	}
	if err := write("before"); err != nil {
		t.Fatal(err)
	}
	disk.full.Store(true)
	done := make(chan error, 1)
	go func() { done <- write("during") }()
	<-disk.met
	for s.room.waiting.Load() == 0 { // it is about to wait
		time.Sleep(time.Millisecond)
	}
	if err := write("refused"); !errors.Is(err, store.ErrFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("who comes later is answered %v", err)
	}
	if err := read("before"); err != nil {
		t.Errorf("who reads is answered %v", err)
	}
	disk.full.Store(false)
	if err := <-done; err != nil {
		t.Errorf("who waited is answered %v", err)
	}
	for s.room.waiting.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
	if err := errors.Join(write("after"), read("during"), s.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err = Open("data", Options{fs: disk}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"before", "during", "after"} {
		if err := read(key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := errors.Join(s.Close()); err != nil {
		t.Fatal(err)
	}
}
