package python_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/jail"
)

// assign tells an egg what it is to be, with save where it is to be saved.
func (e *egg) assign(code string, memory int64, variables map[string]string, save *family.Save) {
	e.t.Helper()
	binds := []jail.Bind{{Source: code, Target: family.Task}}
	if e.layer != "" {
		binds = append(binds, jail.Bind{Source: e.layer, Target: family.Opt})
	}
	if err := e.jail.Assign(context.Background(), jail.Limits{Memory: memory, Pids: 64}, binds); err != nil {
		e.t.Fatal(err)
	}
	v := map[string]string{"LAMBDA_TASK_ROOT": family.Task, "_HANDLER": "app.handler", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001"}
	maps.Copy(v, variables)
	message, err := json.Marshal(family.Assignment{Environment: v, Save: save, Restore: save == nil && e.image != nil})
	if err != nil {
		e.t.Fatal(err)
	}
	var rights []byte
	if e.image != nil {
		rights = syscall.UnixRights(int(e.image.Fd()))
	}
	conn, err := e.control.SyscallConn()
	if err != nil {
		e.t.Fatal(err)
	}
	conn.Write(func(fd uintptr) bool {
		err = syscall.Sendmsg(int(fd), append(message, '\n'), rights, nil, 0)
		return true
	})
	if err != nil {
		e.t.Fatal(err)
	}
}

// layer makes the directory of a layer of one module, named prepared.
func layer(t testing.TB, code string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "python", "prepared.py")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("import time\ntime.sleep(0.02)\n"+code), 0o644); err != nil {
		t.Fatal(err)
	}
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	return dir
}

// save saves an interpreter that has loaded a layer, and returns what it says of that, and what it printed.
func (n *nest) save(image *os.File, layer string, modules []string, variables map[string]string) (answer, printed string) {
	n.t.Helper()
	n.layer, n.image = layer, image
	e := n.egg()
	e.ready()
	e.assign(n.t.TempDir(), 1<<30, variables, &family.Save{Most: 256 << 20, Modules: modules})
	e.control.SetReadDeadline(time.Now().Add(2 * time.Minute))
	buffer := make([]byte, 512)
	read, err := e.control.Read(buffer)
	if err != nil && err != io.EOF {
		n.t.Fatal(err)
	}
	if err := e.jail.Close(); err != nil {
		n.t.Fatal(err)
	}
	out, _ := io.ReadAll(e.output)
	return strings.TrimSpace(string(buffer[:read])), string(out)
}

// prepare has the eggs of a nest made of an interpreter that loaded a module.
func (n *nest) prepare(code string, variables map[string]string) {
	n.t.Helper()
	image := memory(n.t)
	if answer, out := n.save(image, layer(n.t, code), []string{"prepared"}, variables); answer != "saved" {
		n.t.Fatalf("%s\n%s", answer, out)
	}
	if _, err := unix.FcntlInt(image.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE); err != nil {
		n.t.Fatal(err)
	}
}

func memory(t testing.TB) *os.File {
	t.Helper()
	fd, err := unix.MemfdCreate("image", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "image")
	t.Cleanup(func() { f.Close() })
	return f
}

// ways are the nests, and one whose eggs were saved and are restored.
func ways(t *testing.T, packages string, test func(t *testing.T, n *nest)) {
	nests(t, packages, test)
	t.Run("restored", func(t *testing.T) {
		n := newNest(t, jail.AsRoot, "python3.11", packages)
		n.hatch()
		n.prepare("import asyncio, concurrent.futures, decimal, sqlite3, subprocess, threading\nprint('loaded')", map[string]string{"OLD": "x"})
		test(t, n)
	})
}

// A restored interpreter is walled in as any other.
func TestARestoredInterpreterIsWalledInAsAnother(t *testing.T) {
	n := newNest(t, jail.AsRoot, "python3.11", "")
	n.hatch()
	n.prepare("", nil)
	e := n.egg()
	restored := e.run(wall, nil)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := e.jail.Start(jail.Command{Path: n.runtime.Path, Args: []string{"-B", "-c", wall}, Env: []string{"LD_LIBRARY_PATH=/var/lang/lib"},
		Dir: family.Task, Stdout: w, Stderr: w})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	p.Wait()
	// The C library handles a signal of its own once there was a thread.
	a, b := strings.Split(strings.Replace(restored, "'0000000100000002'", "'0000000000000002'", 1), "\n"), strings.Split(strings.TrimSpace(string(out)), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Errorf("restored: %s\nstarted:  %s", a[i], b[i])
		}
	}
	if len(a) != len(b) {
		t.Errorf("restored:\n%s\n\nstarted:\n%s", restored, out)
	}
}

// What a module did when it was loaded is there, and what must differ differs.
func TestWhatIsRestored(t *testing.T) {
	n := newNest(t, jail.AsRoot, "python3.11", "")
	n.hatch()
	n.prepare(`
import atexit, ctypes, os, random, signal, socket, ssl, sys, tempfile, threading, uuid, queue
big = bytearray(b"x" * (8 << 20))
deep = [[[i] for i in range(100)] for _ in range(100)]
got = []
signal.signal(signal.SIGUSR1, lambda *a: got.append("signal"))
signal.signal(signal.SIGUSR2, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
os.umask(0o27)
os.environ["SET"] = "by the module"
os.environ["CHANGED"] = "by the module"
os.chdir("/tmp")
os.makedirs("/tmp/d/e"); open("/tmp/d/e/f", "w").write("content"); os.symlink("e/f", "/tmp/d/l"); os.chmod("/tmp/d", 0o500)
file = open(__file__); file.seek(7)
mine = open("/tmp/d/e/f"); mine.seek(3)
null = open("/dev/null", "w")
one, other = socket.socketpair()
local = threading.local(); local.x = 5
lock = threading.RLock(); lock.acquire()
drawn = random.random(), ssl.RAND_bytes(8), next(tempfile._get_candidate_names()), uuid.uuid1()
number = os.getpid()
done = threading.Thread(target=lambda: got.append("thread")); done.start(); done.join()
callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x + 1)
forked = []
os.register_at_fork(after_in_child=lambda: forked.append(1))
`, map[string]string{"CHANGED": "before", "OLD": "gone", "SAME": "1"})
	for _, c := range []struct{ name, code, want string }{
		{"memory", `print(len(big), big[:3], big[-1:], sum(map(len, deep)))`, `8388608 bytearray(b'xxx') bytearray(b'x') 10000`},
		{"memory is written to", `big[5000000:5000003] = b"abc"; print(big[5000000:5000004], len([bytearray(5000) for _ in range(2000)]))`, `bytearray(b'abcx') 2000`},
		{"signals", `os.kill(os.getpid(), signal.SIGUSR1); os.kill(os.getpid(), signal.SIGUSR2); print(got, signal.pthread_sigmask(signal.SIG_BLOCK, []))`,
			`['thread', 'signal'] {<Signals.SIGHUP: 1>}`},
		{"umask", `print(oct(os.umask(0)))`, "0o27"},
		{"variables", `print(*(os.environ.get(n) for n in ("SET", "CHANGED", "OLD", "SAME", "NEW")))`, "by the module after None 1 2"},
		{"directory", `print(os.getcwd())`, "/tmp"},
		{"files in /tmp", `print(open("/tmp/d/l").read(), oct(os.stat("/tmp/d").st_mode), os.readlink("/tmp/d/l"))`, "content 0o40500 e/f"},
		{"open files", `print(file.read(4), mine.read(), null.write("x"), os.get_inheritable(file.fileno()))`, "time tent 1 False"},
		{"sockets", `print(one.recv(1), one.fileno() != other.fileno())`, "b'' True"},
		{"threads", `
print(local.x, lock._is_owned(), threading.active_count(), threading.get_native_id() == os.getpid(), number != os.getpid())
t = threading.Thread(target=lambda: got.append(2)); t.start(); t.join(); print(got)`, "5 True 1 True True\n['thread', 2]"},
		{"functions of C", `print(callback(4))`, "5"},
		{"functions of forks", `print(len(forked) >= 2)`, "True"},
		{"children", `import subprocess; print(subprocess.check_output(["/bin/sh", "-c", "echo $SET $PWD"]).decode().strip())`, "by the module /tmp"},
		{"the standard library's draws", `print(random.random() != drawn[0], ssl.RAND_bytes(8) != drawn[1], next(tempfile._get_candidate_names()) != drawn[2])`, "True True True"},
		{"descriptors, the last the connection to the platform", `
import fcntl
print(len(os.listdir("/proc/self/fd")) - 2, [os.readlink(f"/proc/self/fd/{n}").partition(":")[0] for n in (0, 1, 2)], max(map(int, os.listdir("/proc/self/fd"))) < 20)`,
			"8 ['/dev/null', 'pipe', 'pipe'] True"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := n.egg()
			e.t = t
			got := e.run("from prepared import *\nimport os, signal\n"+c.code, map[string]string{"CHANGED": "after", "SAME": "1", "NEW": "2"})
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// No two that are made of one draw the same, even of generators that were used before.
func TestRestoredRandomnessIsNotShared(t *testing.T) {
	n := newNest(t, jail.AsRoot, "python3.11", "")
	n.hatch()
	n.prepare(draws, nil)
	n.drawsDiffer(t)
}

func TestWhatCannotBeSaved(t *testing.T) {
	n := newNest(t, jail.AsRoot, "python3.11", "")
	n.hatch()
	for _, c := range []struct{ name, code, why string }{
		{"thread", `import threading; threading.Thread(target=time.sleep, args=(60,), daemon=True, name="ticker").start()`, "the thread 'ticker' is running"},
		{"thread without a name", `import _thread; begun = _thread.allocate_lock(); begun.acquire(); _thread.start_new_thread(lambda: (begun.release(), time.sleep(60)), ()); begun.acquire()`, "a thread is running"},
		{"thread of a library", `
import ctypes
c = ctypes.CDLL(None); n = ctypes.c_ulong()
c.pthread_create(ctypes.byref(n), None, ctypes.cast(c.pause, ctypes.c_void_p), None)`, "a thread of a library is running"},
		{"child", `import subprocess; p = subprocess.Popen(["/bin/sleep", "60"])`, "a child process is running"},
		{"timer", `import signal; signal.setitimer(signal.ITIMER_REAL, 60)`, "a timer is set"},
		{"shared memory", `import mmap; m = mmap.mmap(-1, 4096)`, "memory is shared with others"},
		{"pipe", `import os; p = os.pipe()`, "pipe is open, which cannot be kept"},
		{"epoll", `import select; p = select.epoll()`, "anon_inode is open, which cannot be kept"},
		{"server", `import socket; s = socket.create_server(("127.0.0.1", 0))`, "a socket is listening"},
		{"file that is gone", `import os; f = open("/tmp/x", "w"); os.remove("/tmp/x")`, "the file /tmp/x (deleted) is open, and cannot be opened again"},
		{"too large", `b = b"x" * (300 << 20)`, "it takes more than 256 MB"},
		{"too much in /tmp", `open("/tmp/x", "wb").truncate(250 << 20)`, "it takes more than 256 MB with what is in /tmp"},
		{"error", `raise ValueError("no\nluck")`, `prepared cannot be imported by itself: ValueError('no\nluck')`},
		{"end", `raise SystemExit(0)`, "prepared cannot be imported by itself: SystemExit(0)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n.t = t
			if answer, out := n.save(memory(t), layer(t, c.code), []string{"prepared"}, nil); answer != "declined: "+c.why {
				t.Errorf("got  %s\nwant %s\n%s", answer, c.why, out)
			}
		})
	}
	t.Run("quick", func(t *testing.T) {
		n.t = t
		if answer, _ := n.save(memory(t), layer(t, ""), []string{"json"}, nil); answer != "declined: its packages are loaded quickly" {
			t.Error(answer)
		}
	})
}

// A snapshot is written by who may be hostile. It harms who reads it, and that is of the same function.
func TestHostileSnapshots(t *testing.T) {
	n := newNest(t, jail.AsRoot, "python3.11", "")
	n.hatch()
	n.prepare("x = 1", nil)
	st, err := n.image.Stat()
	if err != nil {
		t.Fatal(err)
	}
	whole := make([]byte, st.Size())
	if _, err := n.image.ReadAt(whole, 0); err != nil {
		t.Fatal(err)
	}
	other := newNest(t, jail.AsRoot, "python3.11", "")
	other.hatch()
	bystander := n.egg()
	for _, c := range []struct {
		name  string
		image func() []byte
		goes  bool // on, as any other
	}{
		{"empty", func() []byte { return nil }, true},
		{"nonsense", func() []byte { return bytes.Repeat([]byte("nonsense"), 1<<16) }, true},
		{"cut off", func() []byte { return whole[:len(whole)/2] }, true},
		{"a table of nonsense", func() []byte {
			b := bytes.Clone(whole)
			var head []any
			if err := json.Unmarshal(bytes.TrimSpace(b[:4096]), &head); err != nil {
				t.Fatal(err)
			}
			at := int(head[1].(float64))
			copy(b[at:], bytes.Repeat([]byte{0xa5}, int(head[2].(float64))))
			return b
		}, false},
		{"memory of nonsense", func() []byte {
			b := bytes.Clone(whole)
			for i := 8192; i < len(b)*3/4; i++ {
				b[i] ^= 0x5a
			}
			return b
		}, false},
		{"another's", func() []byte { return whole }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			from := n
			if c.name == "another's" {
				from = other
			}
			image := memory(t)
			image.Write(c.image())
			e := from.egg()
			e.t, e.layer, e.image = t, n.layer, image
			e.ready()
			code := t.TempDir()
			os.Chmod(code, 0o755)
			os.WriteFile(filepath.Join(code, "app.py"), []byte("print('well')\nraise SystemExit(7)"), 0o644)
			e.assign(code, 64<<20, nil, nil)
			out, _ := io.ReadAll(e.output)
			x := e.process.Wait()
			if well := strings.HasPrefix(string(out), "well"); well != c.goes {
				t.Errorf("ended with %+v: %s", x, out)
			}
		})
	}
	if got := bystander.run("import prepared; print(prepared.x)", nil); got != "1" {
		t.Error(got)
	}
}

// Interpreters differ in what they keep where.
func TestEveryInterpreterIsRestored(t *testing.T) {
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
			n.prepare(`
import bz2, lzma, sqlite3, xml.dom.minidom, unittest, multiprocessing, http.server, boto3, fractions, difflib, pydoc
base = sqlite3.connect(":memory:"); base.execute("create table t (x)"); base.execute("insert into t values (42)")
client = boto3.client("s3", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
`, nil)
			for range 3 {
				e := n.egg()
				e.t = t
				if got := e.run(`
import threading, gc, prepared
t = threading.Thread(target=lambda: print("a thread")); t.start(); t.join()
print(prepared.base.execute("select x from t").fetchone(), len(prepared.client.generate_presigned_url("get_object", {"Bucket": "b", "Key": "k"})) > 100, gc.collect() >= 0)
`, nil); got != "a thread\n(42,) True True" {
					t.Errorf("got %s", got)
				}
			}
		})
	}
}
