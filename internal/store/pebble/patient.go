package pebble

import (
	"errors"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// patient is a file system whose writes wait for room, and where compactions fail in time.
type patient struct {
	vfs.FS
	room *room
}

// compactions are the categories of writes that may fail.
var compactions = map[vfs.DiskWriteCategory]bool{"pebble-compaction": true, "pebble-blob-file-rewrite": true}

// Unwrap is the file system below.
func (p patient) Unwrap() vfs.FS { return p.FS }

func (p patient) Create(name string, category vfs.DiskWriteCategory) (f vfs.File, err error) {
	if compactions[category] {
		p.room.sleep(time.Until(time.Unix(0, p.room.pause.Load())))
		f, err = p.FS.Create(name, category)
		return frugalFile{f, p.room}, err
	}
	err = p.room.patiently(func() error { f, err = p.FS.Create(name, category); return err })
	return patientFile{f, p.room}, err
}

func (p patient) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (f vfs.File, err error) {
	err = p.room.patiently(func() error { f, err = p.FS.ReuseForWrite(oldname, newname, category); return err })
	return patientFile{f, p.room}, err
}

func (p patient) OpenReadWrite(name string, category vfs.DiskWriteCategory, o ...vfs.OpenOption) (f vfs.File, err error) {
	f, err = p.FS.OpenReadWrite(name, category, o...)
	return patientFile{f, p.room}, err
}

func (p patient) Link(oldname, newname string) error {
	return p.room.patiently(func() error { return p.FS.Link(oldname, newname) })
}

func (p patient) Rename(oldname, newname string) error {
	return p.room.patiently(func() error { return p.FS.Rename(oldname, newname) })
}

// patientFile is a file whose writes wait for room.
type patientFile struct {
	vfs.File
	room *room
}

func (f patientFile) Write(p []byte) (written int, err error) {
	err = f.room.patiently(func() error {
		n, err := f.File.Write(p[written:])
		written += n
		return err
	})
	return written, err
}

func (f patientFile) WriteAt(p []byte, at int64) (written int, err error) {
	err = f.room.patiently(func() error {
		n, err := f.File.WriteAt(p[written:], at+int64(written))
		written += n
		return err
	})
	return written, err
}

// frugalFile is a file of a compaction: where there is little room, it is not written.
type frugalFile struct {
	vfs.File
	room *room
}

var errFrugal = errors.New("store: a compaction waits until there is more room")

func (f frugalFile) Write(p []byte) (int, error) {
	if !f.room.enough() {
		return 0, errors.Join(errFrugal, syscall.ENOSPC)
	}
	return f.File.Write(p)
}
