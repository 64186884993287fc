package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
)

// writer collects a Go file.
type writer struct{ bytes.Buffer }

func (w *writer) printf(f string, args ...any) { fmt.Fprintf(&w.Buffer, f, args...) }

// field prints one field of a composite literal unless its value is the zero value.
func (w *writer) field(name string, value any) {
	switch v := value.(type) {
	case string:
		if v != "" {
			w.printf("%s: %q,", name, v)
		}
	case bool:
		if v {
			w.printf("%s: true,", name)
		}
	case int:
		if v != 0 {
			w.printf("%s: %d,", name, v)
		}
	case []string:
		if len(v) > 0 {
			w.printf("%s: %#v,", name, v)
		}
	}
}

func (w *writer) save(path string) error {
	b, err := format.Source(w.Bytes())
	if err != nil {
		_ = os.WriteFile(path+".broken", w.Bytes(), 0o644)
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, b, 0o644)
}
