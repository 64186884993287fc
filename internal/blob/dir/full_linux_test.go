package dir

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFull puts more than a disk of 16 MiB holds.
func TestFull(t *testing.T) {
	path := t.TempDir()
	if err := unix.Mount("tmpfs", path, "tmpfs", 0, "size=16m"); err != nil {
		if errors.Is(err, unix.EPERM) {
			t.Skip("a small disk can only be mounted by root")
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := open(t, path)
	body := bytes.Repeat([]byte("x"), 10<<20)
	put := func(key string) error {
		_, err := s.Put(t.Context(), key, bytes.NewReader(body))
		return err
	}
	if err := put("a"); err != nil {
		t.Fatal(err)
	}
	if err := put("b"); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path) {
		t.Errorf("a body for which there is no room: %v", err)
	}
	if left, err := os.ReadDir(s.incoming.path); err != nil || len(left) > 0 {
		t.Errorf("it left %d files, %v", len(left), err)
	}
	if got := read(t, s, "a"); got != string(body) {
		t.Errorf("the body that was there has %d bytes", len(got))
	}
	if err := s.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := put("b"); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}
