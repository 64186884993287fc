package dir

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"cirro/internal/blob"
	"cirro/internal/blob/blobtest"
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t *testing.T, s *Store, key string) string {
	t.Helper()
	body, size, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil || int64(len(b)) != size {
		t.Fatalf("read %d bytes of %d: %v", len(b), size, err)
	}
	return string(b)
}

func TestStore(t *testing.T) {
	blobtest.Run(t, open(t, t.TempDir()))
}

func TestPutGetDelete(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "down")
	s := open(t, path)
	for _, text := range []string{"one", "another, longer", ""} {
		if n, err := s.Put(t.Context(), "a/b/c.zip", strings.NewReader(text)); err != nil || n != int64(len(text)) {
			t.Fatalf("Put = %d, %v", n, err)
		}
		if got := read(t, s, "a/b/c.zip"); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	if _, err := s.Put(t.Context(), "x", strings.NewReader("kept")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, open(t, path), "x"); got != "kept" {
		t.Errorf("after reopening: %q", got)
	}
	for range 2 {
		if err := s.Delete(t.Context(), "a/b/c.zip"); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"a/b/c.zip", "a/b", "never/was"} {
		if _, _, err := s.Get(t.Context(), key); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("Get(%q) = %v, want ErrNotFound", key, err)
		}
	}
}

// A body that cannot be read to its end leaves nothing, and what was there before stays.
func TestFailedPutLeavesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	if _, err := s.Put(t.Context(), "k", strings.NewReader("before")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	body := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken))
	if _, err := s.Put(t.Context(), "k", body); !errors.Is(err, broken) {
		t.Errorf("Put = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Put(ctx, "k", strings.NewReader("late")); !errors.Is(err, context.Canceled) {
		t.Errorf("Put = %v", err)
	}
	if got := read(t, s, "k"); got != "before" {
		t.Errorf("got %q", got)
	}
	if left, _ := os.ReadDir(s.incoming.path); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// What a crash left half written is gone after the next start.
func TestOpenRemovesUnfinished(t *testing.T) {
	path := t.TempDir()
	s := open(t, path)
	if err := os.WriteFile(filepath.Join(s.incoming.path, "orphan"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, path)
	if _, err := os.Stat(filepath.Join(s.incoming.path, "orphan")); err != nil {
		t.Errorf("taken from a process that lives: %v", err)
	}
	if err := errors.Join(s.incoming.lock.Close(), again.incoming.lock.Close()); err != nil { // as a process's end would
		t.Fatal(err)
	}
	last := open(t, path)
	if left, _ := os.ReadDir(filepath.Dir(last.incoming.path)); len(left) != 1 {
		t.Errorf("left over: %v", left)
	}
}

// A part is read to its end after its body was replaced and deleted, and says where the body is too short.
func TestRange(t *testing.T) {
	s := open(t, t.TempDir())
	if _, err := s.Range(t.Context(), "k", 0, 1); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("Range = %v, want ErrNotFound", err)
	}
	put := func(text string) {
		if _, err := s.Put(t.Context(), "k", strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	put("0123456789")
	for _, c := range []struct {
		offset, length int64
		want           string
		err            error
	}{{0, 10, "0123456789", nil}, {3, 4, "3456", nil}, {9, 1, "9", nil}, {4, 0, "", nil}, {8, 3, "89", io.ErrUnexpectedEOF}, {20, 1, "", io.ErrUnexpectedEOF}} {
		for _, way := range []func(io.Reader) ([]byte, error){io.ReadAll, func(r io.Reader) ([]byte, error) {
			var b bytes.Buffer
			_, err := r.(io.WriterTo).WriteTo(&b)
			return b.Bytes(), err
		}} {
			body, err := s.Range(t.Context(), "k", c.offset, c.length)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := way(body); string(got) != c.want || !errors.Is(err, c.err) {
				t.Errorf("%d+%d: %q, %v", c.offset, c.length, got, err)
			}
			body.Close()
		}
	}
	body, err := s.Range(t.Context(), "k", 5, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	put("abcdefghij")
	if err := s.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(body); string(got) != "56789" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// writer is a body that writes itself, in pieces of its own size.
type writer struct {
	io.Reader
	pieces, size int
}

func (w *writer) WriteTo(to io.Writer) (n int64, err error) {
	for range w.pieces {
		m, err := to.Write(bytes.Repeat([]byte("x"), w.size))
		if n += int64(m); err != nil {
			return n, err
		}
	}
	return n, nil
}

// A body that writes itself is written by that, also one large enough that the disk begins early.
func TestPutOfAWriter(t *testing.T) {
	s := open(t, t.TempDir())
	n, err := s.Put(t.Context(), "k", &writer{iotest.ErrReader(errors.New("read")), 20, 1 << 20})
	if err != nil || n != 20<<20 {
		t.Fatalf("Put = %d, %v", n, err)
	}
	if got := read(t, s, "k"); len(got) != 20<<20 {
		t.Errorf("got %d bytes", len(got))
	}
}
