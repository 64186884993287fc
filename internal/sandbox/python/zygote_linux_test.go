package python_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/jail"
	"cirro/internal/sandbox/python"
)

// nest is a host with a runtime of it.
type nest struct {
	t       testing.TB
	host    jail.Host
	runtime *family.Runtime
}

// packages is a directory with a boto3 that takes no time to load, unless CIRRO_RUNTIMES names the real one.
func packages(t testing.TB) string {
	if dir := os.Getenv("CIRRO_RUNTIMES"); dir != "" {
		return dir
	}
	return ""
}

func newNest(t testing.TB, m jail.Mode) *nest {
	t.Helper()
	dir := t.TempDir()
	host, err := jail.Open(filepath.Join(dir, "jail"), jail.Options{Mode: m})
	if err != nil {
		t.Skipf("this machine gives no jails of mode %s: %v", m, err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := python.New(filepath.Join(dir, "boot"), packages(t)).Find("python3.11")
	if err != nil {
		t.Skip(err)
	}
	return &nest{t, host, r}
}

// egg is an interpreter that waits.
type egg struct {
	t       testing.TB
	jail    jail.Jail
	process jail.Process
	control *os.File
	output  *os.File
}

func (n *nest) egg() *egg {
	n.t.Helper()
	j, err := n.host.New(context.Background(), jail.Config{
		Binds: n.runtime.Binds, Hostname: "cell", Tmp: 32 << 20, Files: 512, Listeners: []string{"127.0.0.1:9001"},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		if err := j.Close(); err != nil {
			n.t.Error(err)
		}
	})
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	syscall.SetNonblock(pair[0], true)
	ours, theirs := os.NewFile(uintptr(pair[0]), "control"), os.NewFile(uintptr(pair[1]), "control")
	r, w, err := os.Pipe()
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { ours.Close(); r.Close() })
	env := []string{"LANG=en_US.UTF-8", "TZ=:UTC", "PATH=/usr/bin:/bin"}
	for k, v := range n.runtime.Env {
		env = append(env, k+"="+v)
	}
	p, err := n.runtime.Ahead.Wait(context.Background(), j, jail.Command{Env: env, Stdout: w, Stderr: w, Control: theirs})
	w.Close()
	theirs.Close()
	if err != nil {
		n.t.Fatal(err)
	}
	return &egg{n.t, j, p, ours, r}
}

// run has an egg run a function whose handler's module ends the process, and returns what that printed.
func (e *egg) run(code string, variables map[string]string) string {
	e.t.Helper()
	e.control.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := e.control.Read(make([]byte, 1)); err != nil {
		out, _ := io.ReadAll(e.output)
		e.t.Fatalf("it does not wait: %v\n%s", err, out)
	}
	dir := e.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app.py"), []byte(code+"\nimport sys, os\nsys.stdout.flush()\nos._exit(7)\n"), 0o644); err != nil {
		e.t.Fatal(err)
	}
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	if err := e.jail.Assign(context.Background(), jail.Limits{Memory: 256 << 20, Pids: 64}, []jail.Bind{{Source: dir, Target: family.Task}}); err != nil {
		e.t.Fatal(err)
	}
	v := map[string]string{"LAMBDA_TASK_ROOT": family.Task, "_HANDLER": "app.handler", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"}
	for k, x := range variables {
		v[k] = x
	}
	message, err := json.Marshal(family.Assignment{Environment: v})
	if err != nil {
		e.t.Fatal(err)
	}
	e.control.Write(append(message, '\n'))
	out, err := io.ReadAll(bufio.NewReader(e.output))
	if err != nil {
		e.t.Fatal(err)
	}
	if x := e.process.Wait(); x.Code != 7 {
		e.t.Errorf("ended with %+v: %s", x, out)
	}
	return strings.TrimSpace(string(out))
}

// hatch starts the zygote; where none can be, the test goes on without.
func (n *nest) hatch() {
	n.t.Helper()
	j, err := n.host.New(context.Background(), jail.Config{})
	if err != nil {
		n.t.Fatal(err)
	}
	defer j.Close()
	if err := python.Hatch(n.runtime, j); err != nil {
		n.t.Fatal(err)
	}
}

func TestAForkedInterpreterRunsAFunction(t *testing.T) {
	n := newNest(t, jail.AsRoot)
	n.hatch()
	out := n.egg().run(`
import os, sys
print(os.getpid() < 100, os.getcwd(), sys.argv, sorted(k for k in os.environ))
print(open('/proc/self/status').read())
`, nil)
	t.Log(out)
}
