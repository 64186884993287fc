package provided

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzEntrypoint checks programs that are broken in every way: a reason is given, or none.
func FuzzEntrypoint(f *testing.F) {
	self, err := os.Executable()
	if err != nil {
		f.Fatal(err)
	}
	head := make([]byte, 4096)
	file, err := os.Open(self)
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Read(head); err != nil {
		f.Fatal(err)
	}
	f.Add(head)
	f.Add([]byte("#!/bin/sh\n"))
	f.Add([]byte("#!"))
	f.Add([]byte("\x7fELF"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, "bootstrap"), content, 0o755); err != nil {
			t.Fatal(err)
		}
		path, err := Entrypoint(dir, "")
		if (err == nil) != (path == "/var/task/bootstrap") {
			t.Errorf("%q, %v", path, err)
		}
	})
}
