package cgroup

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The controllers that matter here.
const (
	memory  = "memory"
	cpu     = "cpu"
	cpuacct = "cpuacct"
	pids    = "pids"
	freezer = "freezer"
)

// hierarchy is a mounted tree of groups, of version 1 with some controllers, or of version 2.
type hierarchy struct {
	dir         string // of the group that this process is in
	top         string // where the tree is mounted
	v2          bool
	controllers []string // of version 1; in version 2 a group's own file lists them
}

// hierarchies finds the trees mounted on this machine, under root ("/" but for tests).
func hierarchies(root string) ([]hierarchy, error) {
	mounts, err := readLines(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return nil, err
	}
	// The process's own would be its first thread's, which may be in a group for another host of this
	// program at this moment: see Group.Bear.
	memberships, err := readLines(filepath.Join(root, "proc/thread-self/cgroup"))
	if err != nil {
		return nil, err
	}
	var found []hierarchy
	for _, line := range mounts {
		m, ok := parseMount(line)
		if !ok {
			continue
		}
		for _, line := range memberships {
			controllers, group, ok := parseMembership(line)
			if !ok || !m.holds(controllers) {
				continue
			}
			top := filepath.Join(root, m.point)
			found = append(found, hierarchy{
				dir: filepath.Join(top, m.inside(group)), top: top, v2: m.v2, controllers: controllers,
			})
			break
		}
	}
	return found, nil
}

// mount is a line of /proc/self/mountinfo that mounts a hierarchy.
type mount struct {
	root, point string
	v2          bool
	options     []string // of the file system; version 1 names its controllers there
}

// parseMount reads a line of mountinfo: see proc_pid_mountinfo(5). Other file systems are not ok.
func parseMount(line string) (m mount, ok bool) {
	before, after, ok := strings.Cut(line, " - ")
	if !ok {
		return m, false
	}
	fields, kind := strings.Fields(before), strings.Fields(after)
	if len(fields) < 6 || len(kind) < 3 || kind[0] != "cgroup" && kind[0] != "cgroup2" {
		return m, false
	}
	return mount{
		root: unescape(fields[3]), point: unescape(fields[4]),
		v2: kind[0] == "cgroup2", options: strings.Split(kind[2], ","),
	}, true
}

// unescape undoes mountinfo's octal escapes.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// parseMembership reads a line of /proc/thread-self/cgroup: "4:memory:/group", or "0::/group" in version 2.
func parseMembership(line string) (controllers []string, group string, ok bool) {
	parts := strings.SplitN(line, ":", 3)
	if len(parts) != 3 || !strings.HasPrefix(parts[2], "/") {
		return nil, "", false
	}
	if parts[1] != "" {
		controllers = strings.Split(parts[1], ",")
	}
	return controllers, parts[2], true
}

// holds tells whether the mount shows the tree of these controllers.
func (m mount) holds(controllers []string) bool {
	if m.v2 || len(controllers) == 0 {
		return m.v2 && len(controllers) == 0
	}
	for _, c := range controllers {
		if !slices.Contains(m.options, c) {
			return false
		}
	}
	return true
}

// inside is a group's path under the mount's point; a container may see a part of the tree only.
func (m mount) inside(group string) string {
	if strings.HasPrefix(group, "/..") {
		return "/" // outside of the namespace's own root
	}
	if rest, ok := strings.CutPrefix(group, strings.TrimSuffix(m.root, "/")); ok && (rest == "" || rest[0] == '/') {
		return rest
	}
	return group
}

func readLines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var lines []string
	s := bufio.NewScanner(f)
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return lines, nil
}
