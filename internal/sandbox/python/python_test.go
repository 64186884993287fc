package python

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNearestInterpreterFirst(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"python3.9", "python3.11", "python3.13", "python3.10", "python3", "python3.12-config"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("\x7fELF"+name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// A shim is a script.
	if err := os.WriteFile(filepath.Join(dir, "python3.12"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	var got []string
	for _, c := range candidates(12) {
		if filepath.Dir(c.path) == dir {
			got = append(got, filepath.Base(c.path))
		}
	}
	if want := "python3.13 python3.11 python3.10 python3.9"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %s", got, want)
	}
}

func TestInterpreterIsKnownTheSecondTime(t *testing.T) {
	dir := t.TempDir()
	first, err := New(dir, "").Find("python3.11")
	if err != nil {
		t.Skip(err)
	}
	compiled, err := filepath.Glob(filepath.Join(dir, "*", "bootstrap.pyc"))
	if err != nil || len(compiled) != 1 {
		t.Fatalf("compiled %q, %v", compiled, err)
	}
	before, err := os.Stat(compiled[0])
	if err != nil {
		t.Fatal(err)
	}
	second, err := New(dir, "").Find("python3.11")
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(compiled[0])
	if err != nil {
		t.Fatal(err)
	}
	if first.Path == second.Path && !before.ModTime().Equal(after.ModTime()) {
		t.Error("the bootstrap was compiled again")
	}
}

func TestNoPythonRuntime(t *testing.T) {
	for _, name := range []string{"python2.7", "nodejs20.x", "python3.x", ""} {
		if r, err := New(t.TempDir(), "").Find(name); err == nil {
			t.Errorf("%q runs as %+v", name, r)
		}
	}
}
