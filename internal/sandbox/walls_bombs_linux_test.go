package sandbox_test

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"cirro/internal/sandbox"
)

var bombAttempts = []attempt{
	{heavy: true, name: "fork without end", stops: "pids limit of the control group", code: `
n = 0
try:
    while True:
        if os.fork() == 0:
            while True: time.sleep(100)
        n += 1
except OSError as e: out = errno.errorcode[e.errno], n < 1024`, want: "('EAGAIN', True)|Runtime.ExitError|Sandbox.Timedout"},
	{heavy: true, name: "fork children that fork", stops: "pids limit of the control group", code: `
end = time.monotonic() + 1.5
def bomb():
    while time.monotonic() < end:
        try: os.fork()
        except OSError: pass
child = os.fork()
if child == 0: bomb(); time.sleep(1); os._exit(0)
time.sleep(2); out = 'survived'`, want: "survived|Runtime.ExitError|Sandbox.Timedout"},
	{heavy: true, name: "start threads without end", stops: "pids limit of the control group", code: `
gate = threading.Event(); n = 0
try:
    while True: threading.Thread(target=gate.wait, daemon=True).start(); n += 1
except RuntimeError: out = 500 < n < 1024
gate.set()`, want: "True|Runtime.ExitError"},
	{heavy: true, name: "take memory without end", stops: "memory limit of the control group", code: `
hoard = []
while True: hoard.append(bytearray(8 << 20))`, want: "Runtime.ExitError"},
	{heavy: true, name: "take memory that is not a process's own (tmpfs, memfd, pipes)", stops: "memory limit of the control group", code: `
hoard = []
while True:
    fd = os.memfd_create('x'); hoard.append(fd)
    os.write(fd, b'x' * (32 << 20))`, want: "Runtime.ExitError|ENOSPC|EMFILE"},
	{heavy: true, name: "take the kernel's memory (socket buffers)", stops: "memory limit of the control group, open files", code: `
hoard, sent = [], 0
try:
    while True:
        a, b = socket.socketpair(); hoard += [a, b]; a.setblocking(False)
        try:
            while True: sent += a.send(b'x' * 65536)
        except BlockingIOError: pass
except OSError as e: out = errno.errorcode[e.errno]`, want: "EMFILE|ENOBUFS|ENOMEM|Runtime.ExitError"},
	{heavy: true, name: "fill the disk", stops: "/tmp has a fixed size", code: `
size = 0
try:
    with open('/tmp/full', 'wb', 0) as f:
        while True: size += f.write(b'x' * (4 << 20))
except OSError as e: out = errno.errorcode[e.errno], size <= 512 << 20
os.unlink('/tmp/full')`, want: "('ENOSPC', True)"},
	{heavy: true, name: "use up the file system's inodes", stops: "/tmp has a fixed number of them", code: `
n = 0
os.mkdir('/tmp/many')
try:
    while n < 60000: open(f'/tmp/many/{n}', 'w').close(); n += 1
    out = 'bounded'
except OSError as e: out = errno.errorcode[e.errno]
import shutil; shutil.rmtree('/tmp/many')`, want: "ENOSPC"},
	{name: "open files without end", stops: "RLIMIT_NOFILE", code: `
files = []
try:
    while True: files.append(os.open('/dev/null', 0))
except OSError as e: out = errno.errorcode[e.errno], len(files) < 1024
[os.close(f) for f in files]`, want: "('EMFILE', True)"},
	{name: "pass descriptors in flight to hold more than allowed", stops: "the kernel counts them for the user, with RLIMIT_NOFILE", code: `
import array
keep, n = [], 0
try:
    while n < 5000:
        a, b = socket.socketpair(); keep += [a, b]
        for _ in range(50): socket.send_fds(a, [b'x'], [0] * 200); n += 200
except OSError as e: out = errno.errorcode[e.errno]`, want: "ETOOMANYREFS|EMFILE"},
	{name: "flood the log", stops: "a pipe of 64 KiB: who prints waits for who reads", code: `
for _ in range(200): os.write(1, (b'x' * 1000 + b'\n') * 64)
out = 'printed'`, want: "printed"},
	{name: "print one line without end", stops: "records are cut", code: `
for _ in range(256): os.write(2, b'y' * 65536)
out = 'printed'`, want: "printed"},
	{heavy: true, name: "take all the processor time", stops: "cpu limit of the control group", code: `
end = time.monotonic() + 2
def spin():
    while time.monotonic() < end: pass
children = []
for _ in range(16):
    p = os.fork()
    if p == 0: spin(); os._exit(0)
    children.append(p)
[os.waitpid(p, 0) for p in children]
out = 'spun'`, want: "spun", beside: func(w *walls) {
		for range 5 {
			w.answers()
		}
	}},
	{name: "leave a daemon behind that outlives the invocation", stops: "it is the environment's: frozen and ended with it", code: `
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: os.execv('/bin/sleep', ['sleep', '271828'])
    os._exit(0)
os.wait(); out = 'left'`, want: "left", after: func(w *walls) {
		if got := w.try(`out = 'next'`); got != "next" {
			w.t.Errorf("the next invocation says %q", got)
		}
		if got := w.try(`os._exit(1)`); got != "Runtime.ExitError" {
			w.t.Errorf("the end is %q", got)
		}
		for deadline := time.Now().Add(2 * time.Minute); len(running("sleep\x00271828")) > 0; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				w.t.Fatalf("%v outlive the environment", running("sleep\x00271828"))
			}
		}
	}},
	{heavy: true, name: "leave zombies behind", stops: "pids limit; the supervisor reaps orphans", code: `
for _ in range(200):
    if os.fork() == 0: os._exit(0)
out = 'left'`, want: "left", after: func(w *walls) {
		if got := w.try(`out = subprocess.run(['/bin/echo', 'next'], capture_output=True, text=True).stdout`); got != "next\n" {
			w.t.Errorf("the next invocation says %q", got)
		}
	}},
	{name: "go on printing and working after the answer", stops: "the output is the function's own log, and its environment alone is slowed", code: `
def chatter():
    while True: os.write(1, b'chatter\n'); time.sleep(0.001)
threading.Thread(target=chatter, daemon=True).start(); out = 'answered'`, want: "answered", after: func(w *walls) {
		if got := w.try(`out = 'next'`); got != "next" {
			w.t.Errorf("the next invocation says %q", got)
		}
		w.try(`os._exit(1)`)
	}},
	{timeout: 2 * time.Second, name: "never answer", stops: "the function's timeout", code: `
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True: time.sleep(100)`, want: "Sandbox.Timedout", beside: func(w *walls) { w.answers() }},
}

// victimRequest is the neighbour's invocation that the attacker knows of.
const victimRequest = "11111111-2222-4000-8000-000000000000"

// running are the processes of this machine whose command line contains a part.
func running(part string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if b, _ := os.ReadFile(f); strings.Contains(string(b), part) {
			found = append(found, f)
		}
	}
	return found
}

var platformAttempts = []attempt{
	{name: "answer for a request that is not its own", stops: "a Runtime API of its own", code: `
out = runtime('POST', f'invocation/{v["victim"]}/response', b'"forged"'), runtime('POST', f'invocation/{v["victim"]}/error', b'{}')`,
		want: "(400, 400)|(403, 403)|(404, 404)", beside: func(w *walls) {
			r, err := w.fleet.Invoke(w.t.Context(), w.neighbour, &sandbox.Invocation{
				RequestID: victimRequest, InvokedARN: w.neighbour.ARN, Payload: []byte(`{"sleep": 0.5}`),
			})
			if err != nil || strings.Contains(string(r.Payload), "forged") || r.FunctionError != "" {
				w.t.Errorf("the neighbour answers %v, %+v", err, r)
			}
		}},
	{name: "answer one request twice", stops: "a request is answered once", code: `
first = runtime('POST', f'invocation/{context.aws_request_id}/response', b'"first"')
second = runtime('POST', f'invocation/{context.aws_request_id}/response', b'"second"')
out = first, second`, want: "first"},
	{name: "take the next invocation away from the runtime", stops: "it is a process of the same function: only its own invocations are there", code: `
def steal():
    try: runtime('GET', 'invocation/next')
    except Exception: pass
[threading.Thread(target=steal, daemon=True).start() for _ in range(20)]
time.sleep(0.1); out = 'asked'`, want: "asked", after: func(w *walls) { w.attacker.ID += "'" /* the environment is its own ruin */ }},
	{name: "send a header without end", stops: "headers of at most 1 MiB", code: `
s = socket.create_connection(('127.0.0.1', 9001)); s.settimeout(10); sent = 0
s.send(b'GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nX-Long: ')
try:
    while sent < 64 << 20: sent += s.send(b'x' * 65536)
    out = 'taken'
except OSError: out = sent < 32 << 20`, want: "True"},
	{name: "send a response without end", stops: "responses of at most 6 MB", code: `
s = socket.create_connection(('127.0.0.1', 9001)); s.settimeout(10); sent = 0
s.send(f'POST /2018-06-01/runtime/invocation/{context.aws_request_id}/response HTTP/1.1\r\nHost: x\r\nContent-Length: 10737418240\r\n\r\n'.encode())
try:
    while sent < 256 << 20: sent += s.send(b'x' * 65536)
    out = 'taken'
except OSError: out = 'cut off'
time.sleep(0.1)`, want: "cut off|Function.ResponseSizeTooLarge Response payload size exceeded maximum allowed payload size (6291556 bytes).",
		after: func(w *walls) { w.try(`os._exit(1)`) }},
	{name: "speak nonsense to the Runtime API", stops: "the server closes the connection", code: `
def say(b):
    s = socket.create_connection(('127.0.0.1', 9001)); s.settimeout(10); s.send(b); s.shutdown(socket.SHUT_WR)
    got = b''
    while (x := s.recv(65536)): got += x
    return got[:12]
out = {say(b)[9:12] for b in (b'\0' * 1000, b'GET\r\n\r\n', b'GET / HTTP/9.9\r\n\r\n', b'POST /2018-06-01/runtime/invocation/../../x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n')} <= {b'400', b'404', b'505', b''}`, want: "True"},
	{name: "open connections without end and say nothing", stops: "open files of the function; the platform has its own limit", code: `
hoard = []
try:
    while True: hoard.append(socket.create_connection(('127.0.0.1', 9001), timeout=2))
except OSError as e: out = e.errno in (errno.EMFILE, None, errno.ETIMEDOUT, errno.ECONNREFUSED)
[s.close() for s in hoard]`, want: "True"},
	{heavy: true, name: "use up the platform's files by connections of many processes", stops: "128 connections to the Runtime API and 512 to the platform, for an environment", code: `
children = []
for n in range(10):
    p = os.fork()
    if p == 0:
        hoard = []
        for i in range(400):
            s = socket.socket(); s.setblocking(False); s.connect_ex(('127.0.0.1', (9001, 4566)[i % 2])); hoard.append(s)
        time.sleep(1.5); os._exit(0)
    children.append(p)
[os.waitpid(p, 0) for p in children]
out = 'opened'`, want: "opened", beside: func(w *walls) {
		for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if list, err := os.ReadDir("/proc/self/fd"); err != nil || len(list) > 3000 {
				w.t.Errorf("the platform has %d files open, %v", len(list), err)
				return
			}
			w.answers()
		}
	}},
	{name: "read another function's credentials from the platform's address", stops: "there is no such page", code: `
def get(path):
    try: return urllib.request.urlopen('http://127.0.0.1:9001' + path, timeout=5).status
    except urllib.error.HTTPError as e: return e.code
import urllib.error
out = {get(p) for p in ('/', '/2018-06-01/runtime/', '/latest/meta-data/', '/2016-04-19/credentials', '/debug/pprof/', '/2018-06-01/runtime/invocation')} <= {403, 404, 405}`, want: "True"},
}
