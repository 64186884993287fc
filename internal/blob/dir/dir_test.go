package dir

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"cirro/internal/blob"
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

func TestBadKeysAreRefused(t *testing.T) {
	s := open(t, t.TempDir())
	for _, key := range []string{"", "/", "/a", "a/", "a//b", "..", "../a", "a/../../b", "a/./b", "a b", "a\x00", "ä", "a\\b"} {
		if _, err := s.Put(t.Context(), key, strings.NewReader("x")); err == nil {
			t.Errorf("Put(%q) succeeded", key)
		}
		if _, _, err := s.Get(t.Context(), key); err == nil || errors.Is(err, blob.ErrNotFound) {
			t.Errorf("Get(%q) = %v", key, err)
		}
		if err := s.Delete(t.Context(), key); err == nil {
			t.Errorf("Delete(%q) succeeded", key)
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
	if left, _ := os.ReadDir(s.incoming); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// What a crash left half written is gone after the next start.
func TestOpenRemovesUnfinished(t *testing.T) {
	path := t.TempDir()
	s := open(t, path)
	if err := os.WriteFile(filepath.Join(s.incoming, "orphan"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(open(t, path).incoming); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

// A reader sees one whole body while others replace it.
func TestReplacementIsWhole(t *testing.T) {
	s := open(t, t.TempDir())
	bodies := [][]byte{bytes.Repeat([]byte("a"), 100_000), bytes.Repeat([]byte("b"), 70_000)}
	put := func(b []byte) {
		if _, err := s.Put(t.Context(), "k", bytes.NewReader(b)); err != nil {
			t.Error(err)
		}
	}
	put(bodies[0])
	var writers sync.WaitGroup
	for _, b := range bodies {
		writers.Go(func() {
			for range 20 {
				put(b)
			}
		})
	}
	for range 50 {
		got := []byte(read(t, s, "k"))
		if !bytes.Equal(got, bodies[0]) && !bytes.Equal(got, bodies[1]) {
			t.Fatalf("a mixture of %d bytes", len(got))
		}
	}
	writers.Wait()
}
