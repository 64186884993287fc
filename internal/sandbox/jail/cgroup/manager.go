package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Manager makes groups under groups of its own, one in each hierarchy it uses.
type Manager struct {
	place   map[string]place // of its groups, by controller
	unified string           // its group of version 2, "" for none
	dirs    []string         // its groups of version 1
	homes   []string         // in which groups this process is, in the order of dirs
	threads bool             // whether a thread may enter a group of version 1 and come back
}

// place is where a controller's files lie.
type place struct {
	dir string
	v2  bool
}

// Open makes a manager whose groups are called name, and removes with all its processes what one of
// the same name left. A controller that the machine does not have, or that this user may not use, is
// in Missing; no controller at all is no error.
func Open(name string) (*Manager, error) { return open("/", name) }

// The calls that make and remove groups; in tests the kernel behind them is another.
var (
	mkdir = os.Mkdir
	rmdir = syscall.Rmdir
)

func open(root, name string) (*Manager, error) {
	found, err := hierarchies(root)
	if err != nil {
		return nil, err
	}
	m := &Manager{place: map[string]place{}, threads: true}
	// Version 2 first: what it can do is not taken from version 1.
	slices.SortStableFunc(found, func(a, b hierarchy) int {
		if a.v2 == b.v2 {
			return 0
		}
		if a.v2 {
			return -1
		}
		return 1
	})
	for _, h := range found {
		if h.v2 {
			err = m.joinUnified(h, name)
		} else {
			err = m.join(h, name)
		}
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

// join takes the controllers that a hierarchy of version 1 has.
func (m *Manager) join(h hierarchy, name string) error {
	var useful []string
	for _, c := range h.controllers {
		switch c {
		case memory, cpu, cpuacct, pids, freezer:
			if _, taken := m.place[c]; !taken {
				useful = append(useful, c)
			}
		}
	}
	if len(useful) == 0 {
		return nil
	}
	dir, ok, err := claim(h.dir, name)
	if err != nil || !ok {
		return err
	}
	m.dirs, m.homes = append(m.dirs, dir), append(m.homes, h.dir)
	m.threads = m.threads && unix.Access(filepath.Join(h.dir, "tasks"), unix.W_OK) == nil
	for _, c := range useful {
		m.place[c] = place{dir: dir}
	}
	return nil
}

// joinUnified takes what the hierarchy of version 2 has: beside version 1 it may have no controllers,
// but it freezes and counts processor time all the same.
//
// Controllers are given only to groups without processes between them and the root, so that the group
// this process is in may refuse; the groups over it are tried in turn.
func (m *Manager) joinUnified(h hierarchy, name string) error {
	for parent := h.dir; ; parent = filepath.Dir(parent) {
		if enable(parent) != nil && parent == h.dir && vacate(parent) {
			enable(parent)
		}
		dir, ok, err := claim(parent, name)
		if err != nil {
			return err
		}
		if ok {
			enable(dir)
			got := controllersOf(dir)
			if len(got) > 0 || parent == h.top || len(controllersOf(h.top)) == 0 {
				m.takeUnified(dir, got)
				return nil
			}
			rmdir(dir)
		}
		if parent == h.top || !strings.HasPrefix(parent, h.top) {
			return nil
		}
	}
}

func (m *Manager) takeUnified(dir string, controllers []string) {
	m.unified = dir
	for _, c := range controllers {
		m.place[c] = place{dir: dir, v2: true}
	}
	// These two every group of version 2 does by itself, and entering it at birth costs nothing.
	m.place[freezer] = place{dir: dir, v2: true}
	m.place[cpuacct] = place{dir: dir, v2: true}
}

// claim makes the manager's own group in a hierarchy. It is not ok where this user may not.
func claim(parent, name string) (dir string, ok bool, err error) {
	dir = filepath.Join(parent, name)
	if err := Clear(dir); err != nil {
		return "", false, err
	}
	switch err := mkdir(dir, 0o755); {
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, os.ErrNotExist):
		return "", false, nil
	case err != nil:
		return "", false, err
	}
	return dir, true, nil
}

// enable gives the groups under dir the controllers that it has.
func enable(dir string) error {
	var all []string
	for _, c := range controllersOf(dir) {
		all = append(all, "+"+c)
	}
	if len(all) == 0 {
		return nil
	}
	return write(dir, "cgroup.subtree_control", strings.Join(all, " "))
}

// vacate moves this process out of a group, into one under it, if it is alone there: a group that has
// processes cannot hand its controllers on.
func vacate(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	self := strconv.Itoa(os.Getpid())
	if err != nil || strings.TrimSpace(string(b)) != self {
		return false
	}
	leaf := filepath.Join(dir, "cirro")
	if err := mkdir(leaf, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return false
	}
	return write(leaf, "cgroup.procs", self) == nil
}

func controllersOf(dir string) []string {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(strings.Fields(string(b)), func(c string) bool {
		return c != memory && c != cpu && c != pids
	})
}

// Missing names the controllers that its groups lack.
func (m *Manager) Missing() []string {
	var missing []string
	for _, c := range []string{memory, cpu, pids} {
		if _, ok := m.place[c]; !ok {
			missing = append(missing, c)
		}
	}
	return missing
}

// Directories are the manager's own groups.
func (m *Manager) Directories() []string {
	if m.unified == "" {
		return m.dirs
	}
	return append([]string{m.unified}, m.dirs...)
}

// New makes an empty group; its name is unique among those of the manager.
func (m *Manager) New(name string) (*Group, error) {
	g := &Group{manager: m, place: map[string]place{}, unified: -1}
	for _, d := range m.dirs {
		dir := filepath.Join(d, name)
		if err := mkdir(dir, 0o755); err != nil {
			g.Remove()
			return nil, err
		}
		g.dirs = append(g.dirs, dir)
	}
	for c, p := range m.place {
		g.place[c] = place{filepath.Join(p.dir, name), p.v2}
	}
	if m.unified != "" {
		if err := g.openUnified(filepath.Join(m.unified, name)); err != nil {
			g.Remove()
			return nil, err
		}
	}
	return g, nil
}

// Close removes the manager's groups, with all processes in them.
func (m *Manager) Close() error {
	var errs []error
	for _, d := range m.Directories() {
		errs = append(errs, Clear(d))
	}
	return errors.Join(errs...)
}

// Clear kills what runs in a group and in those under it, and removes them. A group that is not there
// is no error.
func Clear(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := Clear(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	// A frozen process does not die in version 1.
	write(dir, "freezer.state", "THAWED")
	if write(dir, "cgroup.kill", "1") != nil {
		killAll(dir)
	}
	return remove(dir)
}

func killAll(dir string) {
	b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	for _, f := range strings.Fields(string(b)) {
		if pid, err := strconv.Atoi(f); err == nil && pid > 1 {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// remove removes a group, once the processes killed in it are gone.
func remove(dir string) error {
	// The kernel does not say when: it takes milliseconds.
	deadline := time.Now().Add(5 * time.Second)
	for {
		err := rmdir(dir)
		switch {
		case err == nil || err == syscall.ENOENT:
			return nil
		case err != syscall.EBUSY || time.Now().After(deadline):
			return fmt.Errorf("remove %s: %w", dir, err)
		}
		time.Sleep(time.Millisecond)
	}
}

// write writes a control file that is there.
func write(dir, file, value string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}
