package sandbox

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/jail"
)

// Runtimes that compile a function's code when they load it (Node.js) may hand over what they compiled, at
// the end of an environment's initialization. Later environments of the same Spec, and no others, find it in
// the directory family.Compiled, read-only. Nobody else reads it, and no invocation has had a part in it.

// compiledPath is what it is sent to, at the address of the Runtime API.
const compiledPath = "/cirro/compiled"

// compiledFile is its name.
const compiledFile = "code"

// The most bytes that are kept of one Spec, and of all: what was used longest ago goes.
const (
	mostCompiled    = 64 << 20
	mostCompiledAll = 512 << 20
)

// compiling is the time in which an environment may hand over what it compiled.
type compiling struct{ over atomic.Bool }

func (f *Fleet) compiledRoot() string { return filepath.Join(f.options.Dir, "compiled") }

// compiledOf is the directory of a Spec.
func (f *Fleet) compiledOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(f.compiledRoot(), fmt.Sprintf("%x", sum[:16]))
}

// compiledBinds shows an environment what earlier ones of its Spec compiled.
func (f *Fleet) compiledBinds(s *Spec) []jail.Bind {
	if f.options.Jail.Mode() == jail.Unwalled {
		return nil
	}
	dir := f.compiledOf(s.ID)
	now := time.Now()
	if os.Chtimes(filepath.Join(dir, compiledFile), now, now) != nil {
		return nil // there is none
	}
	return []jail.Bind{{Source: dir, Target: family.Compiled}}
}

// takeCompiled takes in what an environment compiled.
func (e *environment) takeCompiled(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodPut:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case e.compiling.over.Load() || e.fleet.options.Jail.Mode() == jail.Unwalled:
		w.WriteHeader(http.StatusForbidden)
	case r.ContentLength <= 0 || r.ContentLength > mostCompiled:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	default:
		err := e.fleet.keepCompiled(e.spec.ID, io.LimitReader(r.Body, r.ContentLength), r.ContentLength, &e.compiling)
		switch {
		case errors.Is(err, errCompiledLate):
			w.WriteHeader(http.StatusForbidden)
		case err != nil:
			w.WriteHeader(http.StatusInternalServerError)
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}
}

var errCompiledLate = errors.New("the initialization is over")

// keepCompiled writes a Spec's file, whole and in time or not at all.
func (f *Fleet) keepCompiled(id string, body io.Reader, size int64, c *compiling) error {
	dir := f.compiledOf(id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := f.trimCompiled(mostCompiledAll-size, dir); err != nil {
		return err
	}
	half, err := os.CreateTemp(f.compiledRoot(), "new-")
	if err != nil {
		return err
	}
	defer os.Remove(half.Name())
	n, err := io.Copy(half, body)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, half.Chmod(0o644), half.Close()); err != nil {
		return err
	}
	if c.over.Load() {
		return errCompiledLate
	}
	return os.Rename(half.Name(), filepath.Join(dir, compiledFile))
}

// dropCompiled forgets what was compiled of a Spec that is no more.
func (f *Fleet) dropCompiled(id string) { os.RemoveAll(f.compiledOf(id)) }

// trimCompiled deletes what was used longest ago until the rest is within a size; one directory is left alone.
func (f *Fleet) trimCompiled(most int64, spared string) error {
	type entry struct {
		path string
		size int64
		used time.Time
	}
	entries, err := os.ReadDir(f.compiledRoot())
	if err != nil {
		return err
	}
	var all []entry
	var total int64
	for _, d := range entries {
		path := filepath.Join(f.compiledRoot(), d.Name())
		st, err := os.Stat(filepath.Join(path, compiledFile))
		if err != nil {
			continue
		}
		total += st.Size()
		if path != spared {
			all = append(all, entry{path, st.Size(), st.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b entry) int { return a.used.Compare(b.used) })
	for _, x := range all {
		if total <= most {
			break
		}
		total -= x.size
		os.RemoveAll(x.path)
	}
	return nil
}
