// Package family says what a family of runtimes (Python, Node.js, custom ones) needs of the host: a
// program to start and the files it needs around it. The families are the packages beside it.
//
// It starts nothing.
package family

import (
	"os"
	"path/filepath"

	"cirro/internal/sandbox/jail"
)

// Family finds the runtimes of one family on this machine.
type Family interface {
	// Find says how the runtime of a Lambda name ("python3.12") runs here. Where this machine has only
	// a neighbour of it, the Runtime carries a warning. It is quick after the first time.
	Find(name string) (*Runtime, error)
}

// Runtime is how a runtime is started inside a jail.
type Runtime struct {
	Binds   []jail.Bind       // of the jail's root
	Path    string            // of the program, inside; "" to look for a bootstrap in the function's code
	Args    []string          // what follows the program's name
	Env     map[string]string // beside what every runtime gets
	Warning string            // for the function's log, "" for none
	Version string            // as INIT_START names it: "python:3.12.v36"
	Ahead   Ahead             // makes programs that wait for a function, nil for none
}

// Directories of the inside, as on AWS.
const (
	Task = "/var/task"    // the function's code
	Opt  = "/opt"         // its layers
	Home = "/var/runtime" // the runtime's own code
	// Compiled is what the runtime compiled of the function in an earlier environment, if that was kept.
	Compiled = "/var/compiled"
)

// System lists the host's directories that any program needs, as they are there: programs, libraries,
// certificates. Home directories, /var and the host's configuration are not among them.
func System() []jail.Bind {
	var binds []jail.Bind
	for _, path := range []string{
		"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
		"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/crypto-policies",
		"/etc/alternatives", "/etc/ld.so.cache", "/etc/mime.types",
		"/nix/store", "/gnu/store",
	} {
		if _, err := os.Stat(path); err == nil {
			binds = append(binds, jail.Bind{Source: path, Target: path})
		}
	}
	return binds
}

// Under says whether path lies in one of the directories that System lists.
func Under(path string) bool {
	for _, dir := range []string{"/usr", "/bin", "/sbin", "/nix/store", "/gnu/store"} {
		if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
			return true
		}
	}
	return false
}
