package python_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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
	layer   string   // of its eggs
	image   *os.File // that its eggs are made of
}

// packages is the directory with boto3, where this machine has it.
func packages(t testing.TB) string {
	t.Helper()
	for _, dir := range []string{os.Getenv("CIRRO_RUNTIMES"), "../../../bin/runtimes"} {
		if _, err := os.Stat(filepath.Join(dir, "python", "boto3")); err == nil {
			dir, _ = filepath.Abs(dir)
			return dir
		}
	}
	t.Skip("CIRRO_RUNTIMES does not say where boto3 is")
	return ""
}

func newNest(t testing.TB, m jail.Mode, name, packages string) *nest {
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
	r, err := python.New(filepath.Join(dir, "boot"), packages).Find(name)
	if err != nil {
		t.Skip(err)
	}
	return &nest{t: t, host: host, runtime: r}
}

// egg is an interpreter that waits.
type egg struct {
	t       testing.TB
	jail    jail.Jail
	process jail.Process
	control *os.File
	output  *os.File
	files   map[string]string // of the function, beside its handler's
	layer   string            // directory, "" for none
	image   *os.File          // that it is made of, nil for none
	waits   bool
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
	env := []string{"LANG=en_US.UTF-8", "TZ=:UTC", "PATH=/usr/bin:/bin", "LD_LIBRARY_PATH=/var/lang/lib"}
	for k, v := range n.runtime.Env {
		env = append(env, k+"="+v)
	}
	p, err := n.runtime.Ahead.Wait(context.Background(), j, jail.Command{Env: env, Stdout: w, Stderr: w, Control: theirs})
	w.Close()
	theirs.Close()
	if err != nil {
		n.t.Fatal(err)
	}
	return &egg{t: n.t, jail: j, process: p, control: ours, output: r, layer: n.layer, image: n.image}
}

// ready returns when the interpreter waits.
func (e *egg) ready() {
	e.t.Helper()
	if e.waits {
		return
	}
	e.control.SetReadDeadline(time.Now().Add(2 * time.Minute))
	if _, err := e.control.Read(make([]byte, 1)); err != nil {
		out, _ := io.ReadAll(e.output)
		e.t.Fatalf("it does not wait: %v\n%s", err, out)
	}
	e.waits = true
}

// run has an egg run a function whose handler's module ends the process, and returns what that printed.
func (e *egg) run(code string, variables map[string]string) string {
	e.t.Helper()
	e.ready()
	dir := e.t.TempDir()
	files := map[string]string{"app.py": handler, "body.py": code}
	maps.Copy(files, e.files)
	for name, content := range files {
		os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			e.t.Fatal(err)
		}
	}
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	e.assign(dir, 256<<20, variables, nil)
	out, err := io.ReadAll(bufio.NewReader(e.output))
	if err != nil {
		e.t.Fatal(err)
	}
	if x := e.process.Wait(); x.Code != 7 {
		e.t.Errorf("ended with %+v: %s", x, out)
	}
	return strings.TrimSpace(string(out))
}

// handler is a module that runs another and ends the process.
const handler = `
import os, sys
try:
    import body
except BaseException:
    import traceback
    traceback.print_exc()
sys.stdout.flush()
os._exit(7)
`

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

// nests are the jails that an interpreter is forked into.
func nests(t *testing.T, packages string, test func(t *testing.T, n *nest)) {
	for _, m := range []jail.Mode{jail.AsRoot, jail.Rootless} {
		t.Run(string(m), func(t *testing.T) {
			n := newNest(t, m, "python3.11", packages)
			n.hatch()
			test(t, n)
		})
	}
}

// An unprivileged user's interpreters are forked too, and as well walled in.
func TestAsNobody(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this is nobody already")
	}
	dir, err := os.MkdirTemp("", "python")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(dir, "python.test")
	if err := errors.Join(os.Chmod(dir, 0o777), os.WriteFile(self, program, 0o755)); err != nil {
		t.Fatal(err)
	}
	const few = "WalledIn|JustStarted/rootless/(parent|descriptors|threads)|RandomnessIsNotShared|CanBeKilled"
	c := exec.Command(self, "-test.v", "-test.timeout=8m", "-test.run="+few)
	c.Dir, c.Env = dir, []string{"TMPDIR=" + dir, "PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// wall is a program that tells what it is and may. What differs between two processes in any case is
// left out.
const wall = `
import ctypes, os, resource, socket, sys
status = [l.split() for l in open("/proc/self/status")]
for name in "Umask", "Uid", "Gid", "Groups", "Threads", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters", "TracerPid":
    print(next(l for l in status if l[0] == name + ":"))
for name in sorted(os.listdir("/proc/self/ns")):
    if name != "cgroup":  # its own, of the same place
        print(os.readlink("/proc/self/ns/" + name))
print(sorted(open("/proc/self/cgroup")))
print(open("/proc/self/limits").read())
print([(n, os.readlink("/proc/self/fd/" + n).partition(":")[0]) for n in sorted(os.listdir("/proc/self/fd"))[:3]])
print(sorted(os.listdir("/")), os.readlink("/proc/self/root"), os.readlink("/proc/self/exe"))
print(os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid(), os.nice(0), os.uname().nodename, os.getcwd())
print(open("/proc/self/oom_score_adj").read(), open("/proc/self/comm").read(), sorted(open("/proc/self/mountinfo"))[0].split()[4:])
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, *arguments):
    ctypes.set_errno(0)
    r = libc.syscall(*arguments)
    print(name, r if r < 0 else "done", ctypes.get_errno())
class Buffer(ctypes.Structure): _fields_ = [("b", ctypes.c_char * 128)]
b = ctypes.byref(Buffer())
if os.uname().machine == "x86_64":
    for name, *arguments in (
        ("mount", 165, b"x", b"/tmp", b"tmpfs", 0, 0), ("umount", 166, b"/tmp", 0), ("unshare", 272, 0x10000000), ("setns", 308, 0, 0),
        ("pivot_root", 155, b"/", b"/"), ("chroot", 161, b"/"), ("ptrace", 101, 16, 1, 0, 0), ("bpf", 321, 0, b, 128),
        ("keyctl", 250, 0, -3, 0), ("io_uring_setup", 425, 8, b), ("userfaultfd", 323, 0), ("perf_event_open", 298, b, 0, -1, -1, 0),
        ("clone3", 435, b, 88), ("process_vm_readv", 310, 1, b, 1, b, 1, 0), ("kcmp", 312, 1, 1, 0, 0, 0), ("sethostname", 170, b"x", 1),
        ("setuid", 105, 0), ("setgid", 106, 0), ("capset", 126, b, b), ("mknod", 133, b"/tmp/n", 0o20666, 0x501), ("kill 1", 62, 1, 9),
        ("open_by_handle_at", 304, -100, b, 0), ("pidfd_getfd", 438, 0, 0, 0), ("settimeofday", 164, b, 0), ("reboot", 169, 0, 0, 0, 0),
    ):
        attempt(name, *arguments)
def tries(name, f):
    try:
        f()
        print(name, "done")
    except OSError as e:
        print(name, e.errno)
tries("write outside of /tmp", lambda: open("/usr/x", "w"))
tries("write in the root", lambda: open("/x", "w"))
tries("write in /tmp", lambda: open("/tmp/x", "w").write("x"))
tries("write to a device", lambda: open("/dev/null", "w").write("x"))
tries("read memory of the first process", lambda: open("/proc/1/mem", "rb").read(1))
tries("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
tries("vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
tries("own descriptors", lambda: open("/dev/stdout", "w"))
tries("own memory", lambda: open("/proc/self/mem", "rb"))
print([n for n in os.listdir("/proc") if n.isdigit() and n not in ("1", str(os.getpid()))])
`

// A forked program is walled in as one that the first process of its jail starts: told apart by nothing
// that either can see or do.
func TestAForkedInterpreterIsWalledInAsAnother(t *testing.T) {
	nests(t, "", func(t *testing.T, n *nest) {
		e := n.egg()
		forked := e.run(wall, nil)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		env := []string{"LD_LIBRARY_PATH=/var/lang/lib"}
		p, err := e.jail.Start(jail.Command{Path: n.runtime.Path, Args: []string{"-B", "-c", wall}, Env: env, Dir: family.Task, Stdout: w, Stderr: w})
		w.Close()
		if err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		p.Wait()
		started := strings.TrimSpace(string(out))
		if forked != started {
			a, b := strings.Split(forked, "\n"), strings.Split(started, "\n")
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Errorf("forked:  %s\nstarted: %s", a[i], b[i])
				}
			}
			if len(a) != len(b) {
				t.Errorf("forked:\n%s\n\nstarted:\n%s", forked, started)
			}
		}
	})
}

// children are the processes of this one, by their mode.
func children(t testing.TB) map[string]int {
	t.Helper()
	found := map[string]int{}
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, l := range lists {
		b, _ := os.ReadFile(l)
		for _, pid := range strings.Fields(string(b)) {
			env, _ := os.ReadFile("/proc/" + pid + "/environ")
			cmd, _ := os.ReadFile("/proc/" + pid + "/status")
			if _, mode, ok := strings.Cut(string(env), "CIRRO_AHEAD="); ok && !strings.Contains(string(cmd), "NSpid:\t"+pid+"\t") {
				mode, _, _ = strings.Cut(mode, "\x00")
				found[mode], _ = strconv.Atoi(pid)
			}
		}
	}
	return found
}

func TestAnInterpreterThatWaitedIsAsOneThatWasJustStarted(t *testing.T) {
	ways(t, "", func(t *testing.T, n *nest) {
		for _, c := range []struct{ name, code, want string }{
			{"environment", `print(sorted(os.environ), os.environb.get(b"PYTHONPATH"))`,
				"['AWS_LAMBDA_RUNTIME_API', 'LAMBDA_TASK_ROOT', 'TZ', 'V', '_HANDLER'] None"},
			{"environment of the C library", `import ctypes; g = ctypes.CDLL(None).getenv; g.restype = ctypes.c_char_p; print(g(b"V"), g(b"PYTHONPATH"), g(b"CIRRO_AHEAD"))`,
				"b'w x' None None"},
			{"environment of children", `import subprocess; print(subprocess.check_output(["/usr/bin/env"]).decode().count("\n"))`, "5"},
			{"time zone", `import time; print(time.strftime("%H %Z", time.localtime(0)))`, "09 JST"},
			{"arguments", `print(sys.argv)`, "['/var/runtime/bootstrap.pyc']"},
			{"path", `print(sys.path[:4], [p for p in sys.path if "runtime" in p])`,
				"['/var/task', '/opt/python/lib/python3.11/site-packages', '/opt/python', '/usr/lib/python311.zip'] []"},
			{"module of the platform", `print("zygote" in sys.modules)`, "False"},
			{"main module", `print(sys.modules["__main__"].__file__)`, "/var/runtime/bootstrap.pyc"},
			{"threads", `import threading; print(threading.active_count(), threading.main_thread() is threading.current_thread(), threading.get_native_id() == os.getpid())`, "1 True True"},
			{"a thread signals the main one", `
import signal, threading
got = []
signal.signal(signal.SIGUSR1, lambda *a: got.append(1))
t = threading.Thread(target=lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)); t.start(); t.join()
print(got)`, "[1]"},
			{"signal handlers", `import signal; print([s.name for s in signal.Signals if signal.getsignal(s) not in (signal.SIG_DFL, None)])`, "['SIGINT', 'SIGPIPE', 'SIGXFSZ']"},
			{"signal mask", `import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))`, "set()"},
			{"standard streams", `print(sys.stdin.read() == "", sys.stdout.name, sys.stdout.encoding, sys.stdout.line_buffering, sys.stderr.name, sys.stdout is sys.__stdout__, sys.stdout.seekable())`,
				"True <stdout> utf-8 True <stderr> True False"},
			{"descriptors, the last the connection to the platform", `print(sorted(int(f) for f in os.listdir("/proc/self/fd"))[:-1])`, "[0, 1, 2, 3]"},
			{"parent, which is outside", `print(os.getppid())`, "0"},
			{"umask", `print(oct(os.umask(0)))`, "0o22"},
			{"logging", `import logging; r = logging.getLogger(); print(len(r.handlers), type(r.handlers[0]).__name__, r.level, logging.root.manager.disable)`, "1 LambdaLoggerHandler 30 0"},
			{"logging's clock", `import logging, time; print(abs(time.time() - logging._startTime) < 30)`, "True"},
			{"limit of descriptors", `import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE))`, "(512, 512) (0, 0)"},
			{"garbage collection", `import gc; print(gc.isenabled(), gc.get_threshold())`, "True (700, 10, 10)"},
			{"new processes", `
import multiprocessing, concurrent.futures
with concurrent.futures.ThreadPoolExecutor(2) as e: print(list(e.map(lambda x: x + 1, [1, 2])))
p = os.fork()
if p == 0: os._exit(3)
print(os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]))`, "[2, 3]\n3"},
			{"event loops", `
import asyncio
async def f(): return (await asyncio.gather(asyncio.sleep(0, 1), asyncio.to_thread(lambda: 2)))
print(asyncio.run(f()))`, "[1, 2]"},
		} {
			t.Run(c.name, func(t *testing.T) {
				e := n.egg()
				e.t = t
				if got := e.run("import os, sys\n"+c.code, map[string]string{"TZ": "Asia/Tokyo", "V": "w x"}); got != c.want {
					t.Errorf("got\n%s\nwant\n%s", got, c.want)
				}
			})
		}
	})
}

// draws prints what each generator of the interpreter draws next.
const draws = `
import random, uuid, secrets, ssl, tempfile, os
for x in random.random(), random.Random().random(), random.SystemRandom().random(), uuid.uuid4(), uuid.uuid1(), secrets.token_hex(), ssl.RAND_bytes(16).hex(), os.urandom(8).hex(), next(tempfile._get_candidate_names()): print(x)
`

// drawsDiffer runs draws in three interpreters: none draws what another one drew.
func (n *nest) drawsDiffer(t *testing.T) {
	t.Helper()
	seen := map[string]bool{}
	for range 3 {
		for _, line := range strings.Split(n.egg().run(draws, nil), "\n") {
			if seen[line] {
				t.Errorf("%s was drawn twice", line)
			}
			seen[line] = true
		}
	}
	if len(seen) != 27 {
		t.Errorf("%d draws", len(seen))
	}
}

// What two interpreters draw is never the same.
func TestRandomnessIsNotShared(t *testing.T) {
	nests(t, "", func(t *testing.T, n *nest) { n.drawsDiffer(t) })
}

// A module of the function's own comes before one of the same name that was loaded ahead.
func TestAFunctionsOwnModulesComeFirst(t *testing.T) {
	nests(t, "", func(t *testing.T, n *nest) {
		for _, c := range []struct{ name, file, code, want string }{
			{"of the interpreter", "json.py", "import json; print(json.__file__)", "/var/task/json.py"},
			{"a package of the interpreter", "email/__init__.py", "import email; print(email.__file__)", "/var/task/email/__init__.py"},
			{"of the interpreter, by another module", "queue.py", "import concurrent.futures.thread, sys; print(sys.modules['queue'].__file__)", "/var/task/queue.py"},
			{"a directory that is no package", "email/readme.txt", "import email; print(email.__file__)", "/usr/lib/python3.11/email/__init__.py"},
			{"not loaded ahead", "helper.py", "import helper, json; print(helper.__file__, json.__file__)", "/var/task/helper.py /usr/lib/python3.11/json/__init__.py"},
			{"named as the platform's", "zygote.py", "import zygote; print(zygote.__file__)", "/var/task/zygote.py"},
		} {
			t.Run(c.name, func(t *testing.T) {
				e := n.egg()
				e.t, e.files = t, map[string]string{c.file: ""}
				if got := e.run(c.code, nil); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
			})
		}
	})
}

func TestBoto3LoadedAhead(t *testing.T) {
	nests(t, packages(t), func(t *testing.T, n *nest) {
		variables := map[string]string{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t",
			"AWS_DEFAULT_REGION": "eu-west-3", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}
		for _, c := range []struct{ name, file, code, want string }{
			{"credentials", "", `
import boto3
print(boto3.DEFAULT_SESSION)
c = boto3.client("s3"); k = c._request_signer._credentials.get_frozen_credentials()
print(k.access_key, k.token, c.meta.region_name, c.meta.endpoint_url, boto3.client("sqs", endpoint_url=None, region_name="us-west-2").meta.region_name)`,
				"None\nAKIDEXAMPLE t eu-west-3 http://127.0.0.1:4566 us-west-2"},
			{"nothing baked in", "", `
import os
for k in list(os.environ):
    if k.startswith("AWS_"): del os.environ[k]
import boto3
s = boto3.session.Session()
print(s.get_credentials(), s.region_name)
try: s.client("sqs")
except Exception as e: print(type(e).__name__)`, "None None\nNoRegionError"},
			{"sessions apart", "", `
import boto3
a, b = boto3.session.Session(), boto3.session.Session()
a.events.register("x", lambda **k: 1)
print(a._session is b._session, a._loader is b._loader, b.events.emit("x"), a.client("s3").meta.service_model.service_name, len(a.get_available_services()) > 300)
print(a.client("dynamodb").meta.endpoint_url, sorted(a.get_available_resources())[:2], boto3.resource("s3").Bucket("b").name)
print(len({len(boto3.session.Session()._loader.search_paths) for _ in range(5)}), hasattr(a.client("s3"), "upload_file"), a.client("s3").can_paginate("list_objects_v2"))`,
				"False False [] s3 True\nhttp://127.0.0.1:4566 ['cloudformation', 'cloudwatch'] b\n1 True True"},
			{"a package of the function's own", "urllib3/__init__.py", `
import urllib3, sys
print(urllib3.__file__, "botocore" in sys.modules, "json" in sys.modules)`, "/var/task/urllib3/__init__.py False "},
			{"its own boto3", "boto3/__init__.py", `
import boto3, botocore.session
print(boto3.__file__, botocore.__file__, botocore.session.Session().create_client("s3", "us-east-1").meta.region_name)`,
				"/var/task/boto3/__init__.py /var/packages/botocore/__init__.py us-east-1"},
		} {
			t.Run(c.name, func(t *testing.T) {
				e := n.egg()
				e.t = t
				if c.file != "" {
					e.files = map[string]string{c.file: ""}
				}
				if got := e.run(c.code, variables); !strings.HasPrefix(got, c.want) {
					t.Errorf("got\n%s\nwant\n%s", got, c.want)
				}
			})
		}
	})
}

// Interpreters differ in how they fork.
func TestEveryInterpreterForks(t *testing.T) {
	found := map[string]bool{}
	for _, name := range []string{"python3.10", "python3.11", "python3.12", "python3.13"} {
		n := newNest(t, jail.AsRoot, name, packages(t))
		if found[n.runtime.Version] {
			continue
		}
		found[n.runtime.Version] = true
		t.Run(n.runtime.Version, func(t *testing.T) {
			n.t = t
			n.hatch()
			for range 2 {
				e := n.egg()
				e.t = t
				if got := e.run(`
import threading, boto3, random
t = threading.Thread(target=lambda: print("a thread")); t.start(); t.join()
c = boto3.client("s3", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
print(len(c.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"})) > 100, "zygote" not in open("/proc/self/environ").read())
`, nil); got != "a thread\nTrue False" {
					t.Errorf("got %s", got)
				}
			}
			if children(t)["zygote"] == 0 {
				t.Error("there was no zygote")
			}
		})
	}
}

func TestForkedInterpretersOutliveTheirZygote(t *testing.T) {
	nests(t, "", func(t *testing.T, n *nest) {
		before := n.egg()
		pid := children(t)["zygote"]
		if pid == 0 {
			t.Fatal("there is no zygote")
		}
		zygote, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		before.ready() // until then it has the zygote's connection too
		zygote.Kill()
		for zygote.Signal(syscall.Signal(0)) == nil { // until the host has taken it away
			time.Sleep(time.Millisecond)
		}
		// What is asked for meanwhile is started without.
		if got := n.egg().run("print('without')", nil); got != "without" {
			t.Error(got)
		}
		if got := before.run("print('from before')", nil); got != "from before" {
			t.Error(got)
		}
		n.hatch()
		if again := children(t)["zygote"]; again == 0 || again == pid {
			t.Errorf("the zygote is process %d after %d", again, pid)
		}
		if got := n.egg().run("print('from the next')", nil); got != "from the next" {
			t.Error(got)
		}
	})
}

func TestForkedInterpretersCanBeKilled(t *testing.T) {
	nests(t, "", func(t *testing.T, n *nest) {
		e := n.egg()
		if err := e.process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if x := e.process.Wait(); x.Signal != syscall.SIGTERM.String() {
			t.Errorf("ended with %+v", x)
		}
		if err := e.process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("a signal to the dead: %v", err)
		}
		e = n.egg()
		e.ready()
		if err := e.jail.Close(); err != nil {
			t.Fatal(err)
		}
		if x := e.process.Wait(); x.Signal != syscall.SIGKILL.String() {
			t.Errorf("ended with %+v with its jail", x)
		}
		e = n.egg()
		e.ready()
		e.control.Close() // never assigned
		if x := e.process.Wait(); x.Code != 0 || x.Signal != "" {
			t.Errorf("ended with %+v when it was not wanted", x)
		}
	})
}

func TestManyForksAtOnce(t *testing.T) {
	nests(t, "", func(t *testing.T, n *nest) {
		var all sync.WaitGroup
		for i := range 25 {
			e := n.egg()
			all.Go(func() {
				if got := e.run("import os; print(os.environ['N'])", map[string]string{"N": strconv.Itoa(i)}); got != strconv.Itoa(i) {
					t.Errorf("%d printed %s", i, got)
				}
			})
		}
		all.Wait()
	})
}
