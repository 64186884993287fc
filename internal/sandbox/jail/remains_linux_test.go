package jail

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// remains is what jails may leave on a machine, but for what is there anyway.
func remains(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	add := func(pattern string, keep func(string) bool) {
		names, _ := filepath.Glob(pattern)
		for _, n := range names {
			if keep(n) {
				found = append(found, n)
			}
		}
	}
	any := func(string) bool { return true }
	add(filepath.Join(dir, "*"), func(n string) bool { return filepath.Base(n) != "lock" })
	if strings.HasPrefix(dir, "/") {
		// A loop device's file has no name any more: it shows where it was.
		add("/sys/block/loop*/loop/backing_file", func(n string) bool {
			b, _ := os.ReadFile(n)
			return strings.HasPrefix(string(b), dir)
		})
	}
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for _, l := range strings.Split(string(mounts), "\n") {
		if strings.Contains(l, dir) {
			found = append(found, l)
		}
	}
	name := groupName(dir)
	add("/sys/fs/cgroup/"+name, any)
	filepath.WalkDir("/sys/fs/cgroup", func(p string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == name {
			found = append(found, p)
			return filepath.SkipDir
		}
		return nil
	})
	return slices.Compact(found)
}

// gone waits for what the kernel frees after the last process has ended.
func gone(t *testing.T, what string, left func() []string) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		found := left()
		if len(found) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %q are left", what, found)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestNothingIsLeft(t *testing.T) {
	dir := t.TempDir()
	h, err := Open(dir, Options{Mode: mode()})
	if err != nil {
		t.Fatal(err)
	}
	j, err := h.New(context.Background(), Config{Binds: systemBinds(), Listeners: []string{"127.0.0.1:9001"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Assign(context.Background(), usual, nil); err != nil {
		t.Fatal(err)
	}
	shell(t, j, "echo x >/tmp/x; sleep 1000 >/dev/null 2>&1 & sleep 1000 >/dev/null 2>&1 &")
	unassigned, err := h.New(context.Background(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	started := family(t, os.Getpid())
	if len(started) < 2 {
		t.Errorf("of two jails there are the processes %v", started)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if err := h.Close(); err != nil { // with the other jail
		t.Error(err)
	}
	if err := unassigned.Close(); err != nil {
		t.Error(err)
	}
	if _, err := h.New(context.Background(), Config{}); err == nil {
		t.Error("a closed host made a jail")
	}
	gone(t, "after Close", func() []string { return remains(t, dir) })
	gone(t, "after Close", func() []string { return alive(started) })
}

// family are the processes that a process started, and those that they did.
func family(t *testing.T, of int) []*os.Process {
	t.Helper()
	var found []*os.Process
	children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", of))
	for _, c := range children {
		b, _ := os.ReadFile(c)
		for _, f := range strings.Fields(string(b)) {
			pid, _ := strconv.Atoi(f)
			p, err := os.FindProcess(pid)
			if err != nil {
				t.Fatal(err)
			}
			found = append(append(found, p), family(t, pid)...)
		}
	}
	return found
}

// alive are those of processes that have not ended.
func alive(all []*os.Process) []string {
	var found []string
	for _, p := range all {
		if p.Signal(syscall.Signal(0)) == nil {
			found = append(found, strconv.Itoa(p.Pid))
		}
	}
	return found
}

// beKilled is the predecessor that TestKilledPredecessor kills: this program, in another role.
func beKilled(dir string) {
	h, err := Open(dir, Options{Mode: mode()})
	for _, frozen := range []bool{false, true} {
		var j Jail
		if err == nil {
			j, err = h.New(context.Background(), Config{Binds: systemBinds()})
		}
		if err == nil {
			err = j.Assign(context.Background(), usual, nil)
		}
		if err == nil {
			_, err = j.Start(Command{Path: "/bin/sh", Args: []string{"-c", "sleep 31415 & sleep 31415"}, Env: []string{"PATH=/bin"}})
		}
		if err == nil && frozen {
			err = j.Freeze()
		}
	}
	fmt.Println("started", err)
	select {}
}

func TestKilledPredecessor(t *testing.T) {
	dir := t.TempDir()
	c := exec.Command("/proc/self/exe", dir)
	c.Env = append(os.Environ(), role+"=predecessor")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "started <nil>\n" {
		t.Errorf("the predecessor says %q", line)
	}
	before := sleepers()
	for limit := time.Now().Add(2 * time.Minute); len(before) < 2 && time.Now().Before(limit); before = sleepers() {
		time.Sleep(5 * time.Millisecond)
	}
	c.Process.Kill()
	c.Wait()
	if len(before) < 2 {
		t.Fatalf("the predecessor ran %q", before)
	}
	h, err := Open(dir, Options{Mode: mode()})
	if err != nil {
		t.Fatal(err)
	}
	gone(t, "after a predecessor's death", sleepers)
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	gone(t, "after a predecessor's death", func() []string { return remains(t, dir) })
}

// sleepers are the programs that the predecessor runs.
func sleepers() []string {
	var found []string
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, l := range lines {
		if b, _ := os.ReadFile(l); strings.Contains(string(b), "31415") {
			found = append(found, strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return found
}

func TestNoDescriptorIsLost(t *testing.T) {
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	cycle := func() {
		h, err := Open(t.TempDir(), Options{Mode: mode()})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			j, err := h.New(context.Background(), Config{Binds: systemBinds(), Listeners: []string{"127.0.0.1:9001"}})
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Assign(context.Background(), usual, nil); err != nil {
				t.Fatal(err)
			}
			output(t, j, Command{Path: "/bin/true"})
			if p, err := j.Start(Command{Path: "/no/such"}); err == nil {
				t.Errorf("started %v", p)
			}
			if err := j.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
	cycle() // what Go opens once and keeps
	before := open()
	cycle()
	gone(t, "after two hosts", func() []string {
		if after := open(); after > before {
			return []string{fmt.Sprintf("%d descriptors instead of %d", after, before)}
		}
		return nil
	})
}
