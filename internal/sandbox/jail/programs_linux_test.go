package jail

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestPrograms runs what functions are made of, as they come.
func TestPrograms(t *testing.T) {
	h := openFor(t, mode())
	l := usual
	l.Memory = 512 << 20
	for _, c := range []struct {
		name string
		path string // outside and inside
		root string // what it needs beside the system's directories
		args []string
		want string
	}{
		{"python", "/usr/bin/python3.11", "", []string{"-c", pythonProgram}, pythonWant},
		{"python elsewhere", pyenv(), filepath.Dir(filepath.Dir(pyenv())), []string{"-c", pythonProgram}, pythonWant},
		{"node", "/usr/bin/node", "", []string{"-e", nodeProgram}, "49995000 from the worker child 42\n"},
		{"perl", "/usr/bin/perl", "", []string{"-e", `print "fork ", (fork // die) ? "parent" : exit, "\n"; wait`}, "fork parent\n"},
		{"shell", "/bin/sh", "", []string{"-c", `printf 'b\na\n' | sort | while read x; do echo "<$x>"; done; cat <<.
here
.
f=$(mktemp) && echo $(basename $(dirname $f))`}, "<a>\n<b>\nhere\ntmp\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := os.Stat(c.path); err != nil {
				t.Skipf("this machine has no %s: %v", c.name, err)
			}
			var binds []Bind
			if c.root != "" {
				binds = []Bind{{c.root, c.root}}
			}
			j := made(t, h, l, binds...)
			out, exit := output(t, j, Command{Path: c.path, Args: c.args, Dir: "/tmp", Env: []string{"PATH=/usr/bin:/bin", "HOME=/tmp"}})
			if out != c.want || exit.Code != 0 {
				t.Errorf("printed %q and ended with %+v; want %q", out, exit, c.want)
			}
		})
	}
}

// pyenv is an interpreter in a directory of its own, "/" where there is none.
func pyenv() string {
	found, _ := filepath.Glob(filepath.Join(os.Getenv("HOME"), ".pyenv/versions/3.11*/bin/python3"))
	if len(found) == 0 {
		return "/no/python3"
	}
	return found[0]
}

const pythonProgram = `
import sys, os, subprocess, threading, sqlite3, multiprocessing, tempfile, ssl, socket, json, ctypes, time
t = threading.Thread(target=lambda: print('thread')); t.start(); t.join()
print(subprocess.run(['/bin/echo', 'child'], capture_output=True, text=True).stdout.strip())
db = sqlite3.connect('/tmp/x.db'); db.execute('create table t (x)'); db.execute('insert into t values (1)'); db.commit()
print(db.execute('select count(*) from t').fetchone())
ctx = multiprocessing.get_context('fork')
a, b = ctx.Pipe()
p = ctx.Process(target=lambda: b.send('process')); p.start(); print(a.recv()); p.join()
try: multiprocessing.Queue()
except OSError as e: print('no semaphores')
ssl.create_default_context()
s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()
c = socket.create_connection(s.getsockname()); s.accept()[0].sendall(b'net'); print(c.recv(3).decode())
print(os.path.expanduser('~'), os.cpu_count() > 0, time.tzname[0])
sys.stdout.flush()
`

const pythonWant = "thread\nchild\n(1,)\nprocess\nno semaphores\nnet\n/tmp True UTC\n"

const nodeProgram = `
const { Worker } = require('worker_threads'), { execSync } = require('child_process'), fs = require('fs');
let sum = 0; const f = (x) => x + 0; for (let i = 0; i < 10000; i++) sum += f(i);
fs.writeFileSync('/tmp/x', '42');
new Worker("require('worker_threads').parentPort.postMessage('from the worker')", { eval: true }).on('message', (m) =>
  console.log(sum, m, execSync('echo child').toString().trim(), fs.readFileSync('/tmp/x', 'utf8')));
`

// compiledProgram is the Go program that TestCompiledProgram runs inside: this one, in another role.
func compiledProgram() {
	var g sync.WaitGroup
	for range 100 {
		g.Go(func() { os.Getpid() })
	}
	g.Wait()
	r, err := http.Get("http://localhost:9001/next")
	if err != nil {
		panic(err)
	}
	b, _ := io.ReadAll(r.Body)
	out, err := exec.Command("/bin/echo", "child").Output()
	fmt.Printf("%s %s%v\n", b, out, err)
}

// TestCompiledProgram runs a Go program with many goroutines, a child and a client of the listener.
func TestCompiledProgram(t *testing.T) {
	code := readable(t)
	copyFile(t, filepath.Join(code, "bootstrap"), "/proc/self/exe", 0o755)
	j := made(t, openFor(t, mode()), usual, Bind{code, "/var/task"})
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) })}
	defer s.Close()
	go s.Serve(j.Listener(0))
	out, exit := output(t, j, Command{Path: "/var/task/bootstrap", Env: []string{role + "=program"}})
	if out != "/next child\n<nil>\n" || exit.Code != 0 {
		t.Errorf("printed %q and ended with %+v", out, exit)
	}
}

func TestManyJailsAtOnce(t *testing.T) {
	h := openFor(t, mode())
	for i := range 12 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			j := made(t, h, usual)
			if out, _ := shell(t, j, "echo $((20+1)) >/tmp/x; cat /tmp/x; id -u >/dev/null"); strings.TrimSpace(out) != "21" {
				t.Errorf("printed %q", out)
			}
		})
	}
}
