package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"syscall"
	"time"

	"cirro/internal/disk"
	"cirro/internal/store"
)

const (
	// again is how soon a write for which there is no room is tried again.
	again = 250 * time.Millisecond
	// lookEvery is how long a measurement counts, but for what was written since.
	lookEvery = 20 * time.Millisecond
	// recess is how long there are no compactions after one for which there was no room.
	recess = 5 * time.Second
)

// room sees to it that the disk does not run full: Pebble ends the process when it cannot write its log. Some of the
// disk is kept free, for what Pebble has in memory and must bring to disk. Whoever wants to write beyond that is
// refused. What removes something, leases and compactions may use half of what is kept, for they lead to more room.
//
// Where the disk is full all the same, because others write to it, Pebble's writes wait for room.
type room struct {
	disk    *disk.Disk // nil where there is no end of it
	closing chan struct{}
	open    atomic.Bool  // writes wait from then on
	waiting atomic.Int32 // writes that do
	pause   atomic.Int64 // until when there are no compactions, in nanoseconds since 1970

	refusing   atomic.Bool
	reclaiming atomic.Bool
	removed    atomic.Bool // something, since the last time that room was made of it
	refuses    func()      // called when that begins

	// The committer's: as of its last look, less what it has written since.
	left, kept int64
	looked     time.Time
	log        *slog.Logger
}

// full is the error, with the figures.
func (r *room) full() error {
	if r.disk == nil {
		return fmt.Errorf("%w: %w", store.ErrFull, syscall.ENOSPC)
	}
	return fmt.Errorf("%w: %w", store.ErrFull, r.disk.Full())
}

// look measures, unless it did so just now.
func (r *room) look() {
	if r.disk == nil {
		r.left = math.MaxInt64
		return
	}
	if now := time.Now(); r.left < 0 || now.Sub(r.looked) >= lookEvery {
		r.looked = now
		r.left, r.kept = r.disk.Room()
	}
}

// admit says whether a step may write so many bytes; 0 for one that removes something.
func (r *room) admit(bytes int) error {
	left := r.left - int64(bytes)
	if bytes == 0 {
		left += r.kept / 2
	}
	if left < 0 {
		err := r.full()
		r.note(true, err)
		return err
	}
	if bytes > 0 {
		r.note(false, nil)
	} else if r.refusing.Load() {
		r.removed.Store(true)
	}
	r.left -= int64(bytes)
	return nil
}

// note tells the operator once.
func (r *room) note(refusing bool, err error) {
	if !r.refusing.CompareAndSwap(!refusing, refusing) {
		return
	}
	if refusing {
		r.log.Error("store: writes are refused", "error", err)
		if r.refuses != nil {
			r.refuses()
		}
	} else {
		r.log.Info("store: there is room again, and writes go on")
	}
}

// enough says whether a compaction may go on.
func (r *room) enough() bool {
	if r.disk == nil {
		return true
	}
	left, kept := r.disk.Room()
	if left >= -kept/2 {
		return true
	}
	r.pause.Store(time.Now().Add(recess).UnixNano())
	return false
}

// check answers with an error while writes wait for room.
func (r *room) check() error {
	if r.waiting.Load() == 0 {
		return nil
	}
	return r.full()
}

// patiently repeats an operation while there is no room for it.
func (r *room) patiently(operation func() error) error {
	err := operation()
	if !errors.Is(err, syscall.ENOSPC) || !r.open.Load() {
		return err
	}
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	for errors.Is(err, syscall.ENOSPC) && r.sleep(again) {
		err = operation()
	}
	return err
}

// sleep waits, unless the store is to close.
func (r *room) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.closing:
		return false
	}
}
