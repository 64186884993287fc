package dir

import (
	"os"

	"golang.org/x/sys/unix"
)

// beginSync tells the kernel to begin to write a part of a file to the disk, and does not wait. That it fails
// is of no consequence: the file is synced at the end.
func beginSync(f *os.File, offset, length int64) {
	_ = unix.SyncFileRange(int(f.Fd()), offset, length, unix.SYNC_FILE_RANGE_WRITE)
}
