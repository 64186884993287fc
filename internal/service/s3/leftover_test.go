package s3

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"cirro/internal/store"
)

// long reports whether tests may take their time.
func long() bool { return os.Getenv("CIRRO_LONG") != "" }

// spaces are what an object consists of in the store.
var spaces = []string{"object", "version", "null", "body", "parts", "upload", "part", "intent"}

// left counts what is in the store, by space.
func (d *desk) left() map[string]int {
	d.t.Helper()
	n := map[string]int{}
	err := d.Store.View(d.t.Context(), func(r store.Reader) error {
		for _, space := range spaces {
			for _, err := range r.Range(store.Prefix("s3", space)) {
				if err != nil {
					return err
				}
				n[space]++
			}
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// expectNothing checks that nothing is left in the store.
func (d *desk) expectNothing() {
	d.t.Helper()
	if n := d.left(); len(n) > 0 {
		d.t.Errorf("left in the store: %v", n)
	}
}

// files counts the files in a directory.
func files(t testing.TB, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(fmt.Errorf("files: %w", err))
	}
	return n
}
