// Package blobtest says what any blob.Store must do, as tests.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"cirro/internal/blob"
)

// Run tests a store that has no bodies.
func Run(t *testing.T, s blob.Store) {
	for name, test := range map[string]func(*suite){
		"PutGetDelete": (*suite).testPutGetDelete,
		"BadKeys":      (*suite).testBadKeys,
		"FailedPut":    (*suite).testFailedPut,
		"Replacement":  (*suite).testReplacement,
		"Seek":         (*suite).testSeek,
		"Range":        (*suite).testRange,
		"Large":        (*suite).testLarge,
	} {
		t.Run(name, func(t *testing.T) { test(&suite{t, s}) })
	}
}

type suite struct {
	*testing.T
	s blob.Store
}

func (s *suite) put(key, body string) {
	s.Helper()
	if n, err := s.s.Put(s.Context(), key, strings.NewReader(body)); err != nil || n != int64(len(body)) {
		s.Fatalf("put %s: %d, %v", key, n, err)
	}
}

func (s *suite) read(key string) string {
	s.Helper()
	body, size, err := s.s.Get(s.Context(), key)
	if err != nil {
		s.Fatal(err)
	}
	defer body.Close()
	b, err := io.ReadAll(body)
	if err != nil || int64(len(b)) != size {
		s.Fatalf("read %d bytes of %d: %v", len(b), size, err)
	}
	return string(b)
}

func (s *suite) testPutGetDelete() {
	for _, text := range []string{"one", "another, longer", ""} {
		s.put("a/b/c.zip", text)
		if got := s.read("a/b/c.zip"); got != text {
			s.Errorf("got %q, want %q", got, text)
		}
	}
	s.put("x", "kept")
	for range 2 {
		if err := s.s.Delete(s.Context(), "a/b/c.zip"); err != nil {
			s.Fatal(err)
		}
	}
	for _, key := range []string{"a/b/c.zip", "never/was"} {
		if _, _, err := s.s.Get(s.Context(), key); !errors.Is(err, blob.ErrNotFound) {
			s.Errorf("Get(%q) = %v, want ErrNotFound", key, err)
		}
		if _, err := s.s.Range(s.Context(), key, 0, 1); !errors.Is(err, blob.ErrNotFound) {
			s.Errorf("Range(%q) = %v, want ErrNotFound", key, err)
		}
		if _, err := s.s.Range(s.Context(), key, 0, 0); !errors.Is(err, blob.ErrNotFound) {
			s.Errorf("Range(%q) of nothing = %v, want ErrNotFound", key, err)
		}
	}
	if got := s.read("x"); got != "kept" {
		s.Errorf("got %q", got)
	}
}

func (s *suite) testBadKeys() {
	for _, key := range []string{"", "/", "/a", "a/", "a//b", "..", "../a", "a/../../b", "a/./b", "a b", "a\x00", "ä", "a\\b"} {
		if _, err := s.s.Put(s.Context(), key, strings.NewReader("x")); err == nil {
			s.Errorf("Put(%q) succeeded", key)
		}
		if _, _, err := s.s.Get(s.Context(), key); err == nil || errors.Is(err, blob.ErrNotFound) {
			s.Errorf("Get(%q) = %v", key, err)
		}
		if _, err := s.s.Range(s.Context(), key, 0, 1); err == nil || errors.Is(err, blob.ErrNotFound) {
			s.Errorf("Range(%q) = %v", key, err)
		}
		if err := s.s.Delete(s.Context(), key); err == nil {
			s.Errorf("Delete(%q) succeeded", key)
		}
	}
}

// A body that cannot be read to its end leaves nothing, and what was there before stays.
func (s *suite) testFailedPut() {
	s.put("failed", "before")
	broken := errors.New("broken")
	for _, size := range []int{4, 20 << 20} {
		body := io.MultiReader(bytes.NewReader(make([]byte, size)), iotest.ErrReader(broken))
		if _, err := s.s.Put(s.Context(), "failed", body); !errors.Is(err, broken) {
			s.Errorf("Put of %d bytes = %v", size, err)
		}
	}
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	if _, err := s.s.Put(ctx, "failed", strings.NewReader("late")); !errors.Is(err, context.Canceled) {
		s.Errorf("Put = %v", err)
	}
	if got := s.read("failed"); got != "before" {
		s.Errorf("got %q", got)
	}
}

// A reader sees one whole body while others replace it.
func (s *suite) testReplacement() {
	bodies := [][]byte{bytes.Repeat([]byte("a"), 100_000), bytes.Repeat([]byte("b"), 70_000)}
	put := func(b []byte) {
		if _, err := s.s.Put(s.Context(), "k", bytes.NewReader(b)); err != nil {
			s.Error(err)
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
		got := []byte(s.read("k"))
		if !bytes.Equal(got, bodies[0]) && !bytes.Equal(got, bodies[1]) {
			s.Fatalf("a mixture of %d bytes", len(got))
		}
	}
	writers.Wait()
}

func (s *suite) testSeek() {
	s.put("seek", "0123456789")
	body, _, err := s.s.Get(s.Context(), "seek")
	if err != nil {
		s.Fatal(err)
	}
	defer body.Close()
	for _, c := range []struct {
		offset int64
		whence int
		at     int64
		want   string
	}{{4, io.SeekStart, 4, "45"}, {1, io.SeekCurrent, 7, "78"}, {-1, io.SeekEnd, 9, "9"}, {0, io.SeekEnd, 10, ""}, {20, io.SeekStart, 20, ""}, {0, io.SeekStart, 0, "01"}} {
		at, err := body.Seek(c.offset, c.whence)
		if err != nil || at != c.at {
			s.Errorf("%+v: at %d, %v", c, at, err)
		}
		if got, err := io.ReadAll(io.LimitReader(body, 2)); string(got) != c.want || err != nil {
			s.Errorf("%+v: %q, %v", c, got, err)
		}
	}
	if _, err := body.Seek(-1, io.SeekStart); err == nil {
		s.Error("went before the beginning")
	}
}

// A part is read to its end after its body was replaced and deleted, and says where the body is too short.
func (s *suite) testRange() {
	s.put("range", "0123456789")
	for _, c := range []struct {
		offset, length int64
		want           string
		err            error
	}{{0, 10, "0123456789", nil}, {3, 4, "3456", nil}, {9, 1, "9", nil}, {4, 0, "", nil}, {8, 3, "89", io.ErrUnexpectedEOF}, {20, 1, "", io.ErrUnexpectedEOF}} {
		body, err := s.s.Range(s.Context(), "range", c.offset, c.length)
		if err != nil {
			s.Fatal(err)
		}
		if got, err := io.ReadAll(body); string(got) != c.want || !errors.Is(err, c.err) {
			s.Errorf("%d+%d: %q, %v", c.offset, c.length, got, err)
		}
		body.Close()
	}
	body, err := s.s.Range(s.Context(), "range", 5, 5)
	if err != nil {
		s.Fatal(err)
	}
	defer body.Close()
	s.put("range", "abcdefghij")
	if err := s.s.Delete(s.Context(), "range"); err != nil {
		s.Fatal(err)
	}
	if got, err := io.ReadAll(body); string(got) != "56789" || err != nil {
		s.Errorf("%q, %v", got, err)
	}
}

// A body that does not fit into one part of an upload, and whose length nobody knows before.
func (s *suite) testLarge() {
	large := make([]byte, 33<<20+1)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(large) // it never fails
	if n, err := s.s.Put(s.Context(), "large", iotest.OneByteReader(io.LimitReader(bytes.NewReader(large), 3))); err != nil || n != 3 {
		s.Errorf("put %d bytes, %v", n, err)
	}
	if n, err := s.s.Put(s.Context(), "large", io.MultiReader(bytes.NewReader(large[:100]), bytes.NewReader(large[100:]))); err != nil || n != int64(len(large)) {
		s.Fatalf("put %d bytes, %v", n, err)
	}
	if got := s.read("large"); got != string(large) {
		s.Errorf("got %d other bytes", len(got))
	}
	body, err := s.s.Range(s.Context(), "large", 15<<20, 4<<20)
	if err != nil {
		s.Fatal(err)
	}
	defer body.Close()
	if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, large[15<<20:19<<20]) {
		s.Errorf("got %d other bytes, %v", len(got), err)
	}
}
