// Package python finds Python interpreters on the host and runs Lambda's python3.* runtimes on them.
//
// It owns the search, the bootstrap, which is the Python program that speaks with the Runtime API, and
// the zygote that such programs are forked from. It starts no function.
package python

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/jail"
)

// programs are the bootstrap and the modules that it imports.
//
//go:embed *.py
var programs embed.FS

// Where things are inside. AWS keeps its interpreter at the same place.
const (
	home     = "/var/lang"
	packages = "/var/packages"
)

// Python is the family of the python3.* runtimes.
type Python struct {
	dir      string // for compiled bootstraps
	packages string // has a directory of packages a version

	lock  sync.Mutex
	found map[string]*family.Runtime
	built map[string]*interpreter // by path
}

// New makes the family. It keeps compiled bootstraps under dir; packages has one directory a version
// ("python3.12"), or one for all others ("python"), with what AWS's runtimes carry (boto3); it may be "".
func New(dir, packages string) *Python {
	return &Python{
		dir: dir, packages: packages,
		found: map[string]*family.Runtime{}, built: map[string]*interpreter{},
	}
}

// interpreter is one that was tried and works.
type interpreter struct {
	Path    string // of the executable, without links
	Prefix  string
	Version [3]int
	boot    string // directory with its compiled bootstrap
}

// Find implements family.Family.
func (p *Python) Find(name string) (*family.Runtime, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if r := p.found[name]; r != nil {
		return r, nil
	}
	var want int
	if _, err := fmt.Sscanf(name, "python3.%d", &want); err != nil {
		return nil, fmt.Errorf("%s is no Python runtime", name)
	}
	var failures []error
	for _, c := range candidates(want) {
		in := p.built[c.path]
		if in == nil {
			var err error
			if in, err = p.build(c.path); err != nil {
				failures = append(failures, err)
				continue
			}
			p.built[c.path] = in
		}
		p.found[name] = p.runtime(name, want, in)
		return p.found[name], nil
	}
	return nil, errors.Join(append([]error{
		fmt.Errorf("no Python interpreter found for %s: install python3.%d", name, want)}, failures...)...)
}

// runtime describes how an interpreter runs inside a jail.
func (p *Python) runtime(name string, want int, in *interpreter) *family.Runtime {
	version := fmt.Sprintf("python3.%d", in.Version[1])
	path := in.Path
	binds := append(family.System(), jail.Bind{Source: in.boot, Target: family.Home})
	if !family.Under(in.Prefix) {
		rel, err := filepath.Rel(in.Prefix, in.Path)
		if err == nil && filepath.IsLocal(rel) {
			binds = append(binds, jail.Bind{Source: in.Prefix, Target: home})
			path = filepath.Join(home, rel)
		}
	}
	for _, name := range []string{version, "python"} {
		if dir := filepath.Join(p.packages, name); p.packages != "" && isDir(dir) {
			binds = append(binds, jail.Bind{Source: dir, Target: packages})
			break
		}
	}
	r := &family.Runtime{
		Binds: binds,
		Path:  path,
		// -B: the code is read-only, and compiling into it is tried in vain.
		Args:    []string{"-B", family.Home + "/bootstrap.pyc", family.Opt, packages},
		Env:     map[string]string{"PYTHONPATH": family.Home},
		Version: fmt.Sprintf("python:3.%d.v%d", in.Version[1], in.Version[2]),
	}
	r.Ahead = newAhead(in, r)
	if in.Version[1] != want {
		r.Warning = fmt.Sprintf("%s is not installed on this machine: the function runs on Python %d.%d.%d instead.",
			name, in.Version[0], in.Version[1], in.Version[2])
	}
	return r
}

// probe prints what an interpreter is, and compiles the bootstrap for it.
const probe = `
import json, os, py_compile, sys
boot, home = sys.argv[1:]
for name in os.listdir(boot):
    py_compile.compile(f"{boot}/{name}", cfile=f"{boot}/{name}c" if name == "bootstrap.py" else None, dfile=f"{home}/{name}",
                       doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
print(json.dumps({"Path": os.path.realpath(sys.executable), "Prefix": os.path.realpath(sys.base_prefix),
                  "Version": list(sys.version_info[:3])}))
`

// build tries an interpreter and makes its directory of boot files, unless that is there from before.
func (p *Python) build(path string) (*interpreter, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	boot := filepath.Join(p.dir, digest(path, st))
	known := filepath.Join(boot, "interpreter.json")
	in := &interpreter{boot: boot}
	if b, err := os.ReadFile(known); err == nil && json.Unmarshal(b, in) == nil {
		return in, nil
	}
	// From before, and not to the end.
	if err := os.RemoveAll(boot); err != nil {
		return nil, err
	}
	if err := os.CopyFS(boot, programs); err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "-I", "-c", probe, boot, family.Home)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s does not work: %w: %s", path, err, strings.TrimSpace(stderr.String()))
	}
	if err := json.Unmarshal(out, in); err != nil {
		return nil, fmt.Errorf("%s does not work: %w", path, err)
	}
	// Written last, and at once: what it says is there.
	if err := os.WriteFile(known+".new", out, 0o644); err != nil {
		return nil, err
	}
	return in, os.Rename(known+".new", known)
}

// digest names what a directory of boot files is made of.
func digest(path string, st os.FileInfo) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %d %d\n", path, st.Size(), st.ModTime().UnixNano())
	files, _ := fs.Glob(programs, "*")
	for _, name := range files {
		b, _ := fs.ReadFile(programs, name)
		fmt.Fprintf(sum, "%s %d\n%s\n", name, len(b), b)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8])
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
