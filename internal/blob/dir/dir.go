package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"cirro/internal/blob"
	"cirro/internal/disk"
)

// Store is a blob.Store in a directory. A key that is the beginning of another, up to a '/', cannot
// have a body of its own.
type Store struct {
	bodies   string // the files, at the paths that their keys are
	incoming incoming
	disk     *disk.Disk
}

// keptBytes is how much of the disk bodies leave free, for the store to work on.
const keptBytes = 64 << 20

var _ blob.Store = (*Store)(nil)

// Open opens the store in a directory, which it makes if need be.
func Open(path string) (*Store, error) {
	s := &Store{bodies: filepath.Join(path, "bodies"), disk: disk.Of(path, keptBytes)}
	if err := makeDir(s.bodies); err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	var err error
	if s.incoming, err = openIncoming(filepath.Join(path, "incoming")); err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	return s, nil
}

// makeDir makes a directory and those above it, durably.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o700)
	}
	if errors.Is(err, fs.ErrExist) {
		if info, err := os.Stat(dir); err != nil || info.IsDir() {
			return err
		}
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// file is where the body under a key lies.
func (s *Store) file(key string) (string, error) {
	if err := blob.CheckKey(key); err != nil {
		return "", err
	}
	return filepath.Join(s.bodies, filepath.FromSlash(key)), nil
}

// Put writes a body.
func (s *Store) Put(ctx context.Context, key string, body io.Reader) (int64, error) {
	file, err := s.file(key)
	if err != nil {
		return 0, err
	}
	tmp, size, err := s.write(ctx, body)
	if err != nil {
		return 0, fmt.Errorf("blob: put %s: %w", key, err)
	}
	if err := s.place(tmp, file); err != nil {
		os.Remove(tmp)
		return 0, fmt.Errorf("blob: put %s: %w", key, err)
	}
	return size, nil
}

// write writes a body to a file apart and syncs it.
func (s *Store) write(ctx context.Context, body io.Reader) (name string, size int64, err error) {
	f, err := os.CreateTemp(s.incoming.path, "")
	if err != nil {
		return "", 0, err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	size, err = s.fill(ctx, f, body)
	if err == nil {
		err = f.Sync()
	}
	return f.Name(), size, errors.Join(err, f.Close())
}

// place moves a finished file to its place.
func (s *Store) place(tmp, file string) error {
	dir := filepath.Dir(file)
	err := os.Rename(tmp, file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDir(dir); err != nil {
			return err
		}
		err = os.Rename(tmp, file)
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// fill writes a body to a file.
func (s *Store) fill(ctx context.Context, f *os.File, body io.Reader) (int64, error) {
	w := &early{ctx: ctx, disk: s.disk, file: f}
	if own, ok := body.(io.WriterTo); ok {
		_, err := own.WriteTo(w)
		return w.written, err
	}
	_, err := io.CopyBuffer(w, struct{ io.Reader }{body}, make([]byte, copyBuffer))
	return w.written, err
}

const (
	copyBuffer = 256 << 10
	// earlyBytes is how much is written before the kernel is told to begin to put it on the disk.
	earlyBytes = 8 << 20
	// lookBytes is how much is written before the room on the disk is looked at again.
	lookBytes = 1 << 20
)

// early writes to a file, and has the disk begin before the end, so that there is less to wait for then. It
// fails once its context is done, and where the disk has no room for it.
type early struct {
	ctx     context.Context
	disk    *disk.Disk
	seen    int64 // up to where there was room
	file    *os.File
	written int64
	begun   int64 // up to where the disk was told to begin
}

func (w *early) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	if end := w.written + int64(len(p)); end > w.seen {
		room, _ := w.disk.Room()
		if room < int64(len(p)) {
			return 0, w.disk.Full()
		}
		w.seen = end + lookBytes
	}
	n, err := w.file.Write(p)
	w.written += int64(n)
	if w.written-w.begun >= earlyBytes {
		beginSync(w.file, w.begun, w.written-w.begun)
		w.begun = w.written
	}
	return n, err
}

// Get opens a body. What it returns is an *os.File.
func (s *Store) Get(_ context.Context, key string) (io.ReadSeekCloser, int64, error) {
	file, err := s.file(key)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, blob.ErrNotFound
	}
	if err != nil {
		return nil, 0, fmt.Errorf("blob: get %s: %w", key, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = blob.ErrNotFound
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Range opens a part of a body.
func (s *Store) Range(_ context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	name, err := s.file(key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, blob.ErrNotFound
	}
	if err == nil && offset > 0 {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("blob: get %s: %w", key, errors.Join(err, f.Close()))
	}
	return &section{f, io.LimitedReader{R: f, N: length}}, nil
}

// section is a part of a file.
type section struct {
	file *os.File
	left io.LimitedReader
}

func (s *section) Read(p []byte) (int, error) {
	n, err := s.left.Read(p)
	if err == io.EOF && s.left.N > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// WriteTo hands w the file itself, which a socket takes within the kernel.
func (s *section) WriteTo(w io.Writer) (int64, error) {
	n, err := io.Copy(w, &s.left)
	if err == nil && s.left.N > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (s *section) Close() error { return s.file.Close() }

// Delete removes a body.
func (s *Store) Delete(_ context.Context, key string) error {
	file, err := s.file(key)
	if err != nil {
		return err
	}
	err = os.Remove(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("blob: delete %s: %w", key, err)
	}
	return syncDir(filepath.Dir(file))
}
