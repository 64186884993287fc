package pebble

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	openTest(t, dir)
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("opened twice: %v", err)
	}
}

func TestOpenRefusesNewerFormat(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	if err := s.db.Set([]byte{formatSpace}, []byte("99"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a refused directory is not left locked
		if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "newer version of Cirro") {
			t.Errorf("format 99 was opened: %v", err)
		}
	}
}

func TestOpenWhereNothingCanBe(t *testing.T) {
	if _, err := Open("/dev/null/store", Options{}); err == nil {
		t.Error("opened within a file")
	}
}
