package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is a directory that looks as a machine's root does, with hierarchies of control groups.
type machine struct {
	t    *testing.T
	root string
}

// newMachine makes one from the text of mountinfo and of /proc/thread-self/cgroup, and is its kernel: it puts
// the files into every new group.
func newMachine(t *testing.T, mountinfo, memberships string) *machine {
	m := &machine{t, t.TempDir()}
	m.write("proc/self/mountinfo", mountinfo)
	m.write("proc/thread-self/cgroup", memberships)
	mkdir = func(dir string, perm os.FileMode) error {
		if err := os.Mkdir(dir, perm); err != nil {
			return err
		}
		m.populate(dir)
		return nil
	}
	rmdir = os.RemoveAll
	t.Cleanup(func() { mkdir, rmdir = os.Mkdir, syscall.Rmdir })
	return m
}

func (m *machine) write(path, content string) {
	m.t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) read(path string) string {
	m.t.Helper()
	b, err := os.ReadFile(filepath.Join(m.root, path))
	if err != nil {
		m.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// populate gives a new group its files, those of version 2 by what its parent hands on.
func (m *machine) populate(dir string) {
	files := map[string]string{"cgroup.procs": "", "tasks": ""}
	if handed, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "cgroup.subtree_control")); err == nil {
		controllers := strings.ReplaceAll(string(handed), "+", "")
		files = map[string]string{
			"cgroup.procs": "", "cgroup.controllers": controllers, "cgroup.subtree_control": "", "cgroup.freeze": "0",
			"cgroup.kill": "", "cgroup.events": "populated 1\nfrozen 1\n", "cpu.stat": "usage_usec 1500\nuser_usec 1000\n",
		}
		if strings.Contains(controllers, memory) {
			files["memory.current"], files["memory.max"], files["memory.peak"] = "1000", "max", "5000"
			files["memory.events"] = "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n"
			files["memory.swap.max"] = "max"
		}
		if strings.Contains(controllers, cpu) {
			files["cpu.max"], files["cpu.weight"] = "max 100000", "100"
		}
		if strings.Contains(controllers, pids) {
			files["pids.current"], files["pids.max"] = "6", "max"
		}
	} else {
		for _, f := range []string{
			"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.shares",
			"pids.max", "freezer.state",
		} {
			files[f] = ""
		}
		files["memory.usage_in_bytes"], files["memory.max_usage_in_bytes"], files["pids.current"] = "1000", "5000", "6"
		files["memory.oom_control"] = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"
		files["cpuacct.usage"] = "1500000"
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			m.t.Fatal(err)
		}
	}
}

const version1Mounts = `24 1 0:21 / /proc rw,relatime - proc proc rw
31 30 0:27 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory
32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
33 30 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
34 30 0:30 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
35 30 0:31 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices
`

const version1Groups = "12:freezer:/\n11:pids:/user.slice\n4:cpu,cpuacct:/user.slice\n3:memory:/user.slice/u\n2:devices:/\n"

const (
	unifiedMount  = "36 30 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
	version2Mount = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
)

// version1 makes the groups of version1Groups.
func version1(m *machine) {
	for _, d := range []string{"memory/user.slice/u", "cpu,cpuacct/user.slice", "pids/user.slice", "freezer"} {
		m.write("sys/fs/cgroup/"+d+"/tasks", "")
	}
}

func TestLimitsByVersion(t *testing.T) {
	type files map[string]string
	for _, c := range []struct {
		name          string
		mounts, group string
		prepare       func(*machine)
		yielding      files
		usual         files
		limited       files
		frozen        files
		born          files
		unified       bool
	}{
		{
			name: "version 1", mounts: version1Mounts, group: version1Groups, prepare: version1,
			yielding: files{"cpu,cpuacct/user.slice/c/1/cpu.shares": "20"},
			usual:    files{"cpu,cpuacct/user.slice/c/1/cpu.shares": "1024"},
			limited: files{
				"memory/user.slice/u/c/1/memory.limit_in_bytes": "65001000", "memory/user.slice/u/c/1/memory.memsw.limit_in_bytes": "65001000",
				"cpu,cpuacct/user.slice/c/1/cpu.cfs_quota_us": "10000", "cpu,cpuacct/user.slice/c/1/cpu.cfs_period_us": "20000",
				"pids/user.slice/c/1/pids.max": "70",
			},
			frozen: files{"freezer/c/1/freezer.state": "FROZEN"},
			born: files{
				"memory/user.slice/u/c/1/tasks": "0", "memory/user.slice/u/tasks": "0", "freezer/c/1/tasks": "0",
				"freezer/tasks": "0", "pids/user.slice/tasks": "0", "cpu,cpuacct/user.slice/tasks": "0",
			},
		},
		{
			name: "hybrid", mounts: version1Mounts + unifiedMount, group: version1Groups + "0::/user.slice\n", unified: true,
			prepare: func(m *machine) {
				version1(m)
				m.write("sys/fs/cgroup/unified/cgroup.controllers", "hugetlb\n")
				m.write("sys/fs/cgroup/unified/user.slice/cgroup.controllers", "hugetlb\n")
				m.write("sys/fs/cgroup/unified/user.slice/cgroup.subtree_control", "")
			},
			limited: files{
				"memory/user.slice/u/c/1/memory.limit_in_bytes": "65001000",
				"cpu,cpuacct/user.slice/c/1/cpu.cfs_quota_us":   "10000", "pids/user.slice/c/1/pids.max": "70",
			},
			frozen: files{"unified/user.slice/c/1/cgroup.freeze": "1"},
			born:   files{"memory/user.slice/u/c/1/tasks": "0"},
		},
		{
			name: "version 2", mounts: version2Mount, group: "0::/\n", unified: true,
			prepare: func(m *machine) {
				m.write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n")
				m.write("sys/fs/cgroup/cgroup.subtree_control", "")
			},
			yielding: files{"c/1/cpu.weight": "2"},
			usual:    files{"c/1/cpu.weight": "100"},
			limited: files{
				"c/1/memory.max": "65001000", "c/1/memory.swap.max": "0", "c/1/cpu.max": "10000 20000", "c/1/pids.max": "70",
				"cgroup.subtree_control": "+cpu +memory +pids",
			},
			frozen: files{"c/1/cgroup.freeze": "1"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			machine := newMachine(t, c.mounts, c.group)
			c.prepare(machine)
			check := func(what string, want files) {
				t.Helper()
				for f, content := range want {
					if got := machine.read("sys/fs/cgroup/" + f); got != content {
						t.Errorf("%s: %s has %q; want %q", what, f, got, content)
					}
				}
			}
			m, err := open(machine.root, "c")
			if err != nil || m.Missing() != nil {
				t.Fatal(err, m.Missing())
			}
			g, err := m.New("1")
			if err != nil {
				t.Fatal(err)
			}
			if (g.Descriptor() >= 0) != c.unified {
				t.Errorf("the descriptor is %d", g.Descriptor())
			}
			if err := g.Bear(func() (int, error) { return 4242, nil }); err != nil {
				t.Error(err)
			}
			check("born", c.born)
			if err := g.Yield(true); err != nil {
				t.Error(err)
			}
			check("yielding", c.yielding)
			if err := g.Yield(false); err != nil {
				t.Error(err)
			}
			check("usual", c.usual)
			if err := g.Limit(Limits{Memory: 65e6, CPU: 0.5, Pids: 64}); err != nil {
				t.Fatal(err)
			}
			check("limited", c.limited)
			u, err := g.Usage()
			if want := (Usage{MemoryPeak: 4000, OOMKills: 2, CPU: 1500 * time.Microsecond}); err != nil || u != want {
				t.Errorf("the usage is %+v, %v; want %+v", u, err, want)
			}
			if err := g.Freeze(true); err != nil {
				t.Error(err)
			}
			check("frozen", c.frozen)
			if err := g.Remove(); err != nil {
				t.Error(err)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
			filepath.WalkDir(machine.root, func(p string, d fs.DirEntry, err error) error {
				if d.Name() == "c" {
					t.Errorf("%s is left", p)
				}
				return err
			})
		})
	}
}

func TestLiftingTheLimitOfTheProcessor(t *testing.T) {
	machine := newMachine(t, version2Mount, "0::/\n")
	machine.write("sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n")
	machine.write("sys/fs/cgroup/cgroup.subtree_control", "")
	m, _ := open(machine.root, "c")
	g, err := m.New("1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cores float64
		want  string
	}{{2, "40000 20000"}, {0.01, "1000 20000"}, {0, "max 20000"}} {
		if err := g.LimitCPU(c.cores); err != nil {
			t.Error(err)
		}
		if got := machine.read("sys/fs/cgroup/c/1/cpu.max"); got != c.want {
			t.Errorf("%v cores are %q; want %q", c.cores, got, c.want)
		}
	}
}

// In version 2 a group with processes hands no controllers on.
func TestGroupsThatRefuseToHandOn(t *testing.T) {
	const controllers = "cpu memory pids\n"
	prepare := func(t *testing.T) *machine {
		m := newMachine(t, version2Mount, "0::/system.slice/s\n")
		for _, d := range []string{"", "system.slice/", "system.slice/s/"} {
			m.write("sys/fs/cgroup/"+d+"cgroup.controllers", controllers)
		}
		m.write("sys/fs/cgroup/cgroup.subtree_control", "")
		m.write("sys/fs/cgroup/system.slice/cgroup.subtree_control", "")
		// A directory cannot be written to: it stands for the kernel's refusal.
		if err := os.Mkdir(filepath.Join(m.root, "sys/fs/cgroup/system.slice/s/cgroup.subtree_control"), 0o755); err != nil {
			t.Fatal(err)
		}
		return m
	}
	t.Run("the group above is taken", func(t *testing.T) {
		machine := prepare(t)
		machine.write("sys/fs/cgroup/system.slice/s/cgroup.procs", "1\n2\n")
		m, err := open(machine.root, "c")
		if err != nil || m.Missing() != nil {
			t.Fatal(err, m.Missing())
		}
		if want := []string{filepath.Join(machine.root, "sys/fs/cgroup/system.slice/c")}; !reflect.DeepEqual(m.Directories(), want) {
			t.Errorf("the groups are %q; want %q", m.Directories(), want)
		}
	})
	t.Run("a process that is alone makes room", func(t *testing.T) {
		machine := prepare(t)
		machine.write("sys/fs/cgroup/system.slice/s/cgroup.procs", strconv.Itoa(os.Getpid())+"\n")
		if _, err := open(machine.root, "c"); err != nil {
			t.Fatal(err)
		}
		if got := machine.read("sys/fs/cgroup/system.slice/s/cirro/cgroup.procs"); got != strconv.Itoa(os.Getpid()) {
			t.Errorf("moved %q", got)
		}
	})
}

func TestWithoutRights(t *testing.T) {
	machine := newMachine(t, version1Mounts+unifiedMount, version1Groups+"0::/\n")
	version1(machine)
	machine.write("sys/fs/cgroup/unified/cgroup.controllers", "")
	mkdir = func(string, os.FileMode) error { return os.ErrPermission }
	m, err := open(machine.root, "c")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{memory, cpu, pids}; !reflect.DeepEqual(m.Missing(), want) {
		t.Errorf("missing are %q; want %q", m.Missing(), want)
	}
	g, err := m.New("1")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Limit(Limits{Memory: 1, CPU: 1, Pids: 1}); err != nil {
		t.Error(err)
	}
	if u, err := g.Usage(); err != nil || u != (Usage{}) {
		t.Errorf("the usage is %+v, %v", u, err)
	}
	if err := g.Freeze(true); !errors.Is(err, ErrNoFreezer) {
		t.Errorf("freezing says %v", err)
	}
	if err := errors.Join(g.Remove(), m.Close()); err != nil {
		t.Error(err)
	}
}

func TestMemberships(t *testing.T) {
	for _, c := range []struct {
		line        string
		controllers []string
		group       string
		ok          bool
	}{
		{"0::/a:b", nil, "/a:b", true},
		{"4:cpu,cpuacct:/", []string{"cpu", "cpuacct"}, "/", true},
		{"9:name=systemd:/x", []string{"name=systemd"}, "/x", true},
		{"", nil, "", false},
		{"4:cpu", nil, "", false},
		{"4:cpu:relative", nil, "", false},
	} {
		controllers, group, ok := parseMembership(c.line)
		if !reflect.DeepEqual(controllers, c.controllers) || group != c.group || ok != c.ok {
			t.Errorf("%q is %q %q %v", c.line, controllers, group, ok)
		}
	}
}

// A container may see its own part of a tree only.
func TestPathsInsideAMount(t *testing.T) {
	for _, c := range []struct{ root, group, want string }{
		{"/", "/a/b", "/a/b"},
		{"/docker/1", "/docker/1", ""},
		{"/docker/1", "/docker/1/x", "/x"},
		{"/docker/1", "/docker/11", "/docker/11"},
		{"/", "/../../x", "/"},
	} {
		if got := (mount{root: c.root}).inside(c.group); got != c.want {
			t.Errorf("%s in %s is %s; want %s", c.group, c.root, got, c.want)
		}
	}
}

func FuzzMount(f *testing.F) {
	for _, l := range strings.Split(version1Mounts+unifiedMount+version2Mount+`1 2 0:1 / /a\040b rw - cgroup c rw,cpu`, "\n") {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, line string) {
		m, ok := parseMount(line)
		if ok && (m.v2 != strings.Contains(line, "- cgroup2 ") && !m.v2) {
			t.Errorf("%q is %+v", line, m)
		}
		if !ok && !reflect.DeepEqual(m, mount{}) {
			t.Errorf("%q is not one, but %+v", line, m)
		}
	})
}

func FuzzMembership(f *testing.F) {
	for _, l := range strings.Split(version1Groups+"0::/a", "\n") {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if controllers, group, ok := parseMembership(line); ok && !strings.HasPrefix(group, "/") {
			t.Errorf("%q is in %q of %q", line, group, controllers)
		}
	})
}
