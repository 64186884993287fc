// Package disk knows how much room there is on the disk of a directory, and when that is too little: whoever writes
// there stops before the disk is full, so that what is under way can be brought to its end.
//
// It measures and words the error. It writes nothing and frees nothing.
package disk

import (
	"fmt"
	"math"
	"syscall"
)

// part bounds what is kept free of a small disk: an eighth.
const part = 8

// Disk is the disk that a directory is on.
type Disk struct {
	dir  string
	keep int64
}

// Of returns the disk of a directory that exists. Of it keep bytes are to stay free, but no more than an eighth.
func Of(dir string, keep int64) *Disk { return &Disk{dir: dir, keep: keep} }

// Full is the error of whoever may not write any more. It is syscall.ENOSPC, too.
type Full struct {
	Dir        string
	Free, Keep int64 // bytes
}

func (e *Full) Error() string {
	return fmt.Sprintf("the disk of %s has %d MiB free, and %d MiB are kept free", e.Dir, e.Free>>20, e.Keep>>20)
}

// Is reports whether the target is what the kernel would say.
func (e *Full) Is(target error) bool { return target == syscall.ENOSPC }

// Room says how many bytes may be written, and how many are kept free beyond those. Where less than that is free the
// room is below zero. A disk that does not tell is endless.
func (d *Disk) Room() (room, keep int64) {
	free, keep, ok := d.look()
	if !ok {
		return math.MaxInt64, 0
	}
	return free - keep, keep
}

func (d *Disk) look() (free, keep int64, ok bool) {
	free, size, ok := measure(d.dir)
	return free, min(d.keep, size/part), ok
}

// Full makes the error, with the present figures.
func (d *Disk) Full() *Full {
	free, keep, _ := d.look()
	return &Full{Dir: d.dir, Free: free, Keep: keep}
}
