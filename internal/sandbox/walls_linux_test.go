package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"cirro/internal/sandbox"
	"cirro/internal/sandbox/jail"
	"cirro/internal/sandbox/jail/egress"
)

// attempt is one try of a function to get out or to harm a neighbour. docs/isolation.md lists them.
type attempt struct {
	name  string // what is tried
	stops string // what stops it
	code  string // Python that sets out; v has what the attacker may know
	// static says that code names an attempt of testdata/attacker instead, which makes system calls that
	// Python's libraries cannot.
	static bool
	want   string // what out is then, or what error the function ends with; alternatives between "|"
	heavy  bool   // takes seconds: made with CIRRO_LONG=1
	// timeout is the function's where the attempt is about it.
	timeout time.Duration
	// beside runs while the attempt does, and after it: nil only looks whether the neighbour answers.
	beside func(w *walls)
	after  func(w *walls)
}

// area is a part of the page's list.
type area struct {
	title    string
	attempts []attempt
}

// areas are all attempts there are at the level of functions.
func areas() []area {
	return []area{
		{"The neighbour", neighbourAttempts},
		{"The host", hostAttempts},
		{"The network", networkAttempts},
		{"The kernel", kernelAttempts},
		{"System calls of a static program", callAttempts},
		{"Files", fileAttempts},
		{"Using everything up", bombAttempts},
		{"The platform", platformAttempts},
	}
}

// walls is a fleet with an attacker and a neighbour.
type walls struct {
	*bench
	t         *testing.T // of the attempt
	attacker  *sandbox.Spec
	static    *sandbox.Spec // the attacker that is a static program
	neighbour *sandbox.Spec
	facts     map[string]any
}

// TestWalls makes all attempts, in each kind of jail.
func TestWalls(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the numbers of system calls in the attempts are those of amd64")
	}
	for _, m := range []jail.Mode{jail.AsRoot, jail.Rootless} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			w := newWalls(t, m)
			for _, a := range areas() {
				for _, try := range a.attempts {
					t.Run(a.title+"/"+try.name, func(t *testing.T) { w.make(t, try) })
				}
			}
		})
	}
}

func newWalls(t *testing.T, m jail.Mode) *walls {
	t.Helper()
	host, err := jail.Open(filepath.Join(t.TempDir(), "jail"), jail.Options{Mode: m, Egress: egress.Outside})
	if err != nil {
		t.Skipf("this machine gives no jails of mode %s: %v", m, err)
	}
	t.Cleanup(func() {
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &walls{t: t, bench: newBench(t, m, func(o *sandbox.Options) { o.Jail = host })}
	w.attacker = w.python(attackerCode)
	w.attacker.ID, w.attacker.Function, w.attacker.Timeout = "attacker", "attacker", time.Minute
	w.static = w.staticAttacker()
	w.neighbour = w.python(neighbourCode)
	w.neighbour.ID, w.neighbour.Function = "neighbour", "neighbour"
	w.neighbour.Environment = map[string]string{"PLACE": "secret-in-the-environment"}
	w.neighbour.Credentials = func() sandbox.Credentials {
		return sandbox.Credentials{AccessKeyID: "ASIANEIGHBOUR", SecretAccessKey: "neighbours-secret-key", SessionToken: "neighbours-token"}
	}
	link(t, w.attacker.Code, "absolute", "/etc/shadow")
	link(t, w.attacker.Code, "upwards", "../../../../../../../../etc/shadow")
	link(t, w.attacker.Code, "up", "../../../../../../../../")
	w.facts = map[string]any{
		"code": w.neighbour.Code, "data": filepath.Dir(w.attacker.Code), "own": ownAddress(t), "port": listen(t, "0.0.0.0:0"), "victim": victimRequest,
		"abstract": listen(t, "@cirro-walls-"+string(m)+fmt.Sprint(os.Getpid())),
	}
	w.answers()
	w.fork()
	return w
}

// fork waits until the attacker's environment is forked from a zygote: that is the other way into a jail.
func (w *walls) fork() {
	const forked = "0" // the number of a parent outside
	for limit := time.Now().Add(2 * time.Minute); time.Now().Before(limit); {
		if w.try(`out = os.getppid()`) == forked {
			w.t.Log("the attacker is forked from a zygote")
			return
		}
		w.try(`os._exit(1)`)
		time.Sleep(100 * time.Millisecond) // a zygote loads meanwhile
	}
	w.t.Error("there is no zygote to fork from")
}

// attackerCode runs what it is sent. tries names what each of some tries comes to.
const attackerCode = `
import ctypes, errno, mmap, os, resource, signal, socket, stat, struct, subprocess, sys, threading, time, urllib.request, http.client, glob, json, fcntl
libc = ctypes.CDLL(None, use_errno=True)
def outcome(f):
    try: f(); return 'ok'
    except TimeoutError: return 'TimeoutError'
    except OSError as e: return errno.errorcode.get(e.errno, str(e))
    except BaseException as e: return type(e).__name__
def tries(*fs): return ' '.join(sorted({outcome(f) for f in fs}))
def call(number, *args):
    ctypes.set_errno(0)
    r = libc.syscall(*[ctypes.c_long(number)] + [ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
    return 'ok' if r >= 0 else errno.errorcode[ctypes.get_errno()]
def calls(*list): return ' '.join(sorted({call(*c) for c in list}))
def tcp(host, port):
    return outcome(lambda: socket.create_connection((host, port), timeout=30).close())
def reads(*patterns): return [lambda p=p: open(p, 'rb').read() for pattern in patterns for p in (glob.glob(pattern) or [pattern])]
def everywhere(needle):
    found = []
    for p in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline') + glob.glob('/tmp/**', recursive=True):
        try:
            if needle in open(p, 'rb').read(1 << 20): found.append(p)
        except OSError: pass
    return found
def runtime(method, path, body=b'', headers={}):
    c = http.client.HTTPConnection('127.0.0.1', 9001, timeout=30)
    c.request(method, '/2018-06-01/runtime/' + path, body, headers)
    r = c.getresponse()
    return r.status
def handler(event, context):
    space = {**globals(), 'v': event.get('facts'), 'context': context}
    try: exec(event['code'], space)
    except OSError as e: return errno.errorcode.get(e.errno, str(e))
    return str(space['out'])
`

// neighbourCode has secrets in all places, and answers.
const neighbourCode = `
import ctypes, os, socket, threading, time
libc = ctypes.CDLL(None)
memory = b'secret-in-' + b'memory'
priority = os.nice(0)
open('/tmp/secret', 'w').write('secret-in-tmp')
abstract = socket.socket(socket.AF_UNIX); abstract.bind('\0neighbour'); abstract.listen()
port = socket.create_server(('0.0.0.0', 8765))
libc.shmget(4242, 4096, 0o1666)
libc.mq_open(b'/neighbour', os.O_CREAT | os.O_RDWR, 0o666, None)
def handler(event, context):
    time.sleep(event.get('sleep', 0))
    return [os.environ['PLACE'], open('/tmp/secret').read(), memory.decode(), event.get('n'), os.nice(0) - priority]
`

// ownAddress is an address of this machine that is not a loopback one.
func ownAddress(t testing.TB) string {
	t.Helper()
	list, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	return "127.0.0.1" // of a machine without any other
}

// listen makes a service of the host's: nobody who is walled in may reach it.
func listen(t *testing.T, address string) any {
	t.Helper()
	network := "tcp"
	if address[0] == '@' {
		network = "unix"
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Errorf("somebody connected to %s", l.Addr())
			c.Close()
		}
	}()
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		return a.Port
	}
	return address[1:]
}

func link(t *testing.T, dir, name, to string) {
	t.Helper()
	if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// make makes an attempt. The neighbour answers during it and after it.
func (w *walls) make(t *testing.T, a attempt) {
	if a.heavy && os.Getenv("CIRRO_LONG") == "" {
		t.Skip("it takes seconds: set CIRRO_LONG=1")
	}
	w.t, w.bench.t = t, t
	done := make(chan struct{})
	go func() {
		defer close(done)
		if a.beside != nil {
			a.beside(w)
			return
		}
		w.answers()
	}()
	attacker := w.attacker
	if a.timeout > 0 {
		hurried := *w.attacker
		hurried.ID, hurried.Timeout = "hurried", a.timeout
		w.attacker = &hurried
	}
	if a.static {
		w.attacker = w.static
	}
	got := w.try(a.code)
	w.attacker = attacker
	<-done
	if !slices.Contains(strings.Split(a.want, "|"), got) && (a.want != refused || !isRefusal(got)) {
		t.Errorf("it comes to %q; want %q", got, a.want)
	}
	if a.after != nil {
		a.after(w)
	}
	w.answers()
}

// refused is what an attempt comes to of which every part fails with an error of the kernel's.
const refused = "an error"

// isRefusal tells whether words are names of errors, and nothing was ok.
func isRefusal(got string) bool {
	words := strings.FieldsFunc(got, func(r rune) bool { return strings.ContainsRune("(){}[]', ", r) })
	for _, w := range words {
		if !strings.HasPrefix(w, "E") && w != "TimeoutError" && w != "ValueError" || strings.ToUpper(w) != w && !strings.HasSuffix(w, "Error") {
			return false
		}
	}
	return len(words) > 0
}

// try runs code as the attacker, and returns what it set out to, or the error it ended with.
func (w *walls) try(code string) string {
	payload, err := json.Marshal(map[string]any{"code": code, "facts": w.facts})
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := w.run(w.attacker, string(payload))
	if err != nil {
		w.t.Error(err)
		return ""
	}
	if r.FunctionError != "" {
		var e struct{ ErrorType, ErrorMessage string }
		json.Unmarshal(r.Payload, &e)
		if e.ErrorType != "Runtime.ExitError" && e.ErrorType != "Sandbox.Timedout" {
			return e.ErrorType + " " + e.ErrorMessage
		}
		return e.ErrorType
	}
	var out string
	if err := json.Unmarshal(r.Payload, &out); err != nil {
		return string(r.Payload)
	}
	return out
}

func (w *walls) run(s *sandbox.Spec, payload string) (*sandbox.Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	// Whoever asks for the log is answered when the environment has come to rest: the neighbour's next call finds it idle.
	return w.fleet.Invoke(ctx, s, &sandbox.Invocation{RequestID: requestID(), InvokedARN: s.ARN, Payload: []byte(payload),
		TailLog: s == w.neighbour})
}

// answers checks that the neighbour does, in its warm environment, and has what is its own.
func (w *walls) answers() {
	w.t.Helper()
	for n := range 3 {
		r, err := w.run(w.neighbour, fmt.Sprintf(`{"n": %d}`, n))
		want := fmt.Sprintf(`["secret-in-the-environment", "secret-in-tmp", "secret-in-memory", %d, 0]`, n)
		switch {
		case err != nil:
			w.t.Errorf("the neighbour: %v", err)
		case string(r.Payload) != want:
			log := w.log.all()
			w.t.Errorf("the neighbour answers %s; the end of the log: %q", r.Payload, log[max(0, len(log)-6):])
		}
	}
}
