// Package node finds Node.js on the host and runs Lambda's nodejs* runtimes on it.
//
// It owns the search and the bootstrap, the program that speaks with the Runtime API. It starts no
// function.
package node

import (
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/jail"
)

//go:embed bootstrap.mjs
var bootstrap []byte

// The modules that a waiting program loads.
//
//go:embed warm.cjs
var warmCommon []byte

//go:embed warm.mjs
var warmModule []byte

// Where things are inside. AWS keeps its node at the same place.
const (
	home     = "/var/lang"
	packages = "/var/packages"
)

// Node is the family of the nodejs* runtimes.
type Node struct {
	dir      string // for the bootstrap
	packages string // has a directory of packages a runtime

	lock    sync.Mutex
	found   map[string]*family.Runtime
	all     []program // nil until searched
	failure error
}

// program is a node that was tried and works.
type program struct {
	path    string // without links
	version [3]int
}

// New makes the family. It keeps its bootstrap under dir; packages has one directory a runtime
// ("nodejs20.x") with a node_modules of what AWS's runtimes carry, and may be "" or lack some.
func New(dir, packages string) *Node {
	return &Node{dir: dir, packages: packages, found: map[string]*family.Runtime{}}
}

// Find implements family.Family.
func (n *Node) Find(name string) (*family.Runtime, error) {
	n.lock.Lock()
	defer n.lock.Unlock()
	if r := n.found[name]; r != nil {
		return r, nil
	}
	var major int
	if _, err := fmt.Sscanf(name, "nodejs%d.x", &major); err != nil {
		return nil, fmt.Errorf("%s is no Node.js runtime", name)
	}
	if n.all == nil {
		n.all, n.failure = n.programs()
	}
	if len(n.all) == 0 {
		return nil, errors.Join(fmt.Errorf("no Node.js found for %s: install node %d", name, major), n.failure)
	}
	// The exact version, else the nearest newer one, else the nearest older one.
	distance := func(p program) int {
		if p.version[0] >= major {
			return p.version[0] - major
		}
		return 1000 + major - p.version[0]
	}
	best := slices.MinFunc(n.all, func(a, b program) int { return distance(a) - distance(b) })
	r, err := n.runtime(name, major, best)
	if err != nil {
		return nil, err
	}
	n.found[name] = r
	return r, nil
}

// runtime describes how a node runs inside a jail.
func (n *Node) runtime(name string, major int, p program) (*family.Runtime, error) {
	boot := filepath.Join(n.dir, fmt.Sprintf("%x", sha256.Sum256(bootstrap))[:16])
	if err := os.MkdirAll(boot, 0o755); err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{
		"index.mjs": bootstrap, "warm.cjs": warmCommon, "warm.mjs": warmModule,
	} {
		if err := os.WriteFile(filepath.Join(boot, name), content, 0o644); err != nil {
			return nil, err
		}
	}
	binds := append(family.System(), jail.Bind{Source: boot, Target: family.Home})
	path := p.path
	if !family.Under(path) {
		prefix := filepath.Dir(filepath.Dir(path))
		binds = append(binds, jail.Bind{Source: prefix, Target: home})
		path = filepath.Join(home, "bin", filepath.Base(path))
	}
	modules := []string{
		fmt.Sprintf("%s/nodejs/node%d/node_modules", family.Opt, major), family.Opt + "/nodejs/node_modules",
		family.Home + "/node_modules", family.Home, family.Task,
	}
	if dir := filepath.Join(n.packages, name); n.packages != "" && isDir(dir) {
		binds = append(binds, jail.Bind{Source: dir, Target: packages})
		modules = slices.Insert(modules, 2, packages+"/node_modules")
	}
	r := &family.Runtime{
		Binds:   binds,
		Path:    path,
		Args:    []string{family.Home + "/index.mjs"},
		Env:     map[string]string{"NODE_PATH": strings.Join(modules, ":")},
		Version: fmt.Sprintf("nodejs:%d.v%d", p.version[0], p.version[1]),
	}
	r.Ahead = &family.Program{
		Name: r.Version + " " + strings.Join(modules, ":"), Path: path, Args: append(r.Args, "--wait"), Applied: applied,
	}
	if p.version[0] != major {
		r.Warning = fmt.Sprintf("%s is not installed on this machine: the function runs on Node.js %d.%d.%d instead.",
			name, p.version[0], p.version[1], p.version[2])
	}
	return r, nil
}

// applied says whether Node.js looks at a variable when it starts, and never again.
// https://nodejs.org/api/cli.html#environment-variables
func applied(name string) bool {
	switch name {
	case "SSL_CERT_FILE", "SSL_CERT_DIR", "UV_THREADPOOL_SIZE", "UV_USE_IO_URING", "NO_COLOR", "FORCE_COLOR":
		return true
	}
	return strings.HasPrefix(name, "NODE_") && name != "NODE_ENV"
}

// programs lists the nodes of this machine.
func (n *Node) programs() ([]program, error) {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	dirs = append(dirs, "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
	homeDir, _ := os.UserHomeDir()
	for _, pattern := range []string{
		filepath.Join(homeDir, ".nvm/versions/node/*/bin"),
		filepath.Join(homeDir, ".local/share/fnm/node-versions/*/installation/bin"),
		filepath.Join(homeDir, ".volta/tools/image/node/*/bin"),
		"/opt/node*/bin",
	} {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	var all []program
	var failures []error
	seen := map[string]bool{}
	for _, dir := range dirs {
		path, err := filepath.EvalSymlinks(filepath.Join(dir, "node"))
		if err != nil || seen[path] {
			continue
		}
		seen[path] = true
		p, err := n.probe(path)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		all = append(all, p)
	}
	return all, errors.Join(failures...)
}

// probe asks a node for its version, unless that is known from before.
func (n *Node) probe(path string) (program, error) {
	p := program{path: path}
	st, err := os.Stat(path)
	if err != nil {
		return p, err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", path, st.Size(), st.ModTime().UnixNano()))
	known := filepath.Join(n.dir, fmt.Sprintf("%x.version", sum[:8]))
	if out, err := os.ReadFile(known); err == nil && p.read(out) == nil {
		return p, nil
	}
	cmd := exec.Command(path, "--version")
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	out, err := cmd.Output()
	if err == nil {
		err = p.read(out)
	}
	if err != nil {
		return p, fmt.Errorf("%s does not work: %w", path, err)
	}
	return p, errors.Join(os.MkdirAll(n.dir, 0o755), os.WriteFile(known, out, 0o644))
}

// read takes the version from what node prints: v20.11.1.
func (p *program) read(version []byte) error {
	_, err := fmt.Sscanf(string(version), "v%d.%d.%d", &p.version[0], &p.version[1], &p.version[2])
	return err
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
