// Package blob keeps bodies: deployment packages, objects, whatever is too large for the store. What
// they mean, and which are still needed, belongs to the services.
package blob

import (
	"context"
	"errors"
	"io"
)

// ErrNotFound is the answer for a body that is not there.
var ErrNotFound = errors.New("blob: not found")

// Store keeps bodies under keys of the form "lambda/code/ab12…": path elements of letters, digits,
// '.', '_' and '-', parted by '/'.
type Store interface {
	// Put streams a body into the store and returns once it is durable. A body under the same key is
	// replaced as a whole: a reader sees the old or the new one, and a crash leaves no half of either.
	// Where there is no room for it the error is syscall.ENOSPC and says so of the disk.
	// Where the body implements io.WriterTo an implementation may use that instead of Read.
	Put(ctx context.Context, key string, body io.Reader) (size int64, err error)
	// Get opens a body for reading, or answers ErrNotFound.
	Get(ctx context.Context, key string) (body io.ReadSeekCloser, size int64, err error)
	// Range opens length bytes of a body from an offset, or answers ErrNotFound. Where the body ends earlier,
	// reading ends with io.ErrUnexpectedEOF. What is open can be read to its end after the body was deleted or
	// replaced. It may implement io.WriterTo, which then is the quicker way: a file goes to a socket within
	// the kernel.
	Range(ctx context.Context, key string, offset, length int64) (body io.ReadCloser, err error)
	// Delete removes a body; one that is not there is no error.
	Delete(ctx context.Context, key string) error
}
