package python

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// candidate is an executable that looks like an interpreter.
type candidate struct {
	path  string
	minor int
}

var interpreterName = regexp.MustCompile(`^python3\.(\d+)$`)

// candidates lists the interpreters of this machine, the best for Python 3.minor first: the exact
// version, then newer ones, the nearest first, then older ones.
func candidates(minor int) []candidate {
	var all []candidate
	seen := map[string]bool{}
	for _, dir := range directories() {
		entries, _ := filepath.Glob(filepath.Join(dir, "python3.*"))
		for _, path := range entries {
			m := interpreterName.FindStringSubmatch(filepath.Base(path))
			if m == nil || isScript(path) {
				continue
			}
			real, err := filepath.EvalSymlinks(path)
			if err != nil || seen[real] {
				continue
			}
			seen[real] = true
			n, _ := strconv.Atoi(m[1])
			all = append(all, candidate{path, n})
		}
	}
	distance := func(c candidate) int {
		if c.minor >= minor {
			return c.minor - minor
		}
		return 1000 + minor - c.minor
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return distance(a) - distance(b) })
	return all
}

// directories lists where interpreters are: on the PATH, in the usual places, and where pyenv and uv
// put theirs.
func directories() []string {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	dirs = append(dirs, "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin", "/var/lang/bin")
	homeDir, _ := os.UserHomeDir()
	pyenv := os.Getenv("PYENV_ROOT")
	if pyenv == "" {
		pyenv = filepath.Join(homeDir, ".pyenv")
	}
	uv := os.Getenv("UV_PYTHON_INSTALL_DIR")
	if uv == "" {
		uv = filepath.Join(homeDir, ".local/share/uv/python")
	}
	for _, pattern := range []string{
		filepath.Join(pyenv, "versions/*/bin"),
		filepath.Join(uv, "cpython-*/bin"),
		"/opt/python*/bin",
	} {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	return dirs
}

// isScript says whether a file is a script, as pyenv's shims are: they start slowly and need their
// surroundings.
func isScript(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return true
	}
	defer f.Close()
	head := make([]byte, 2)
	n, _ := f.Read(head)
	return n < 2 || bytes.Equal(head, []byte("#!"))
}
