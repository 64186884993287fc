package jail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// role is the variable that makes this program something else than tests.
const role = "JAIL_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "program":
		compiledProgram()
	case "refused":
		beRefused(os.Args[1])
	case "predecessor":
		beKilled(os.Args[1])
	default:
		os.Exit(m.Run())
	}
}

// mode is what this user's tests are about. As root, TestAsNobody runs them all again without.
func mode() Mode {
	if os.Geteuid() == 0 {
		return AsRoot
	}
	return Rootless
}

// limited skips where this user may not limit what jails use.
func limited(t *testing.T, h Host) {
	t.Helper()
	if missing := h.(*walledHost).groups.Missing(); len(missing) > 0 {
		t.Skipf("this user may not use the control group controllers %v", missing)
	}
}

// systemBinds are the host's directories that programs need.
func systemBinds() []Bind {
	var binds []Bind
	for _, p := range []string{"/usr", "/bin", "/lib", "/lib64"} {
		if _, err := os.Stat(p); err == nil {
			binds = append(binds, Bind{Source: p, Target: p})
		}
	}
	return binds
}

var usual = Limits{Memory: 128 << 20, Pids: 64, Tmp: 64 << 20, Files: 1024}

// made makes and assigns a jail for a test.
func made(t testing.TB, h Host, l Limits, binds ...Bind) Jail {
	t.Helper()
	j, err := h.New(context.Background(), Config{
		Binds: systemBinds(), Listeners: []string{"127.0.0.1:9001"}, Hostname: "cell",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := j.Assign(context.Background(), l, binds); err != nil {
		t.Fatal(err)
	}
	return j
}

// shell runs a script in the jail.
func shell(t testing.TB, j Jail, script string) (string, Exit) {
	t.Helper()
	return output(t, j, Command{Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=/usr/bin:/bin"}})
}

// python runs a script in the jail by the system's Python.
func python(t testing.TB, j Jail, script string) (string, Exit) {
	t.Helper()
	for _, p := range []string{"/usr/bin/python3.11", "/usr/bin/python3.12", "/usr/bin/python3.13", "/usr/bin/python3"} {
		if _, err := os.Stat(p); err == nil {
			return output(t, j, Command{Path: p, Args: []string{"-c", script}})
		}
	}
	t.Skip("there is no Python in /usr/bin")
	return "", Exit{}
}

func TestAsNobody(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this is nobody already")
	}
	if raceDetector {
		t.Skip("the race detector's own memory is more than a process without control groups may have")
	}
	dir := readable(t)
	self := filepath.Join(dir, "jail.test")
	copyFile(t, self, "/proc/self/exe", 0o755)
	args := []string{"-test.v", "-test.skip=TestAsNobody|TestUnwalled", "-test.timeout=15m"}
	c := exec.Command(self, args...)
	c.Dir, c.Env = dir, []string{"TMPDIR=" + dir, "PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// readable is a directory that everybody may use.
func readable(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "walls")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyFile(t testing.TB, to, from string, perm os.FileMode) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, perm); err != nil {
		t.Fatal(err)
	}
}

func TestOpenTakesTheStrongestMode(t *testing.T) {
	h, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if h.Mode() != mode() {
		t.Errorf("the mode is %q, %v; want %q", h.Mode(), h.Warnings(), mode())
	}
}

// beRefused opens a host where the kernel refuses walls: behind the filter that jails have.
func beRefused(dir string) {
	filter, err := seccompFilter()
	if err != nil {
		panic(err)
	}
	program := unix.SockFprog{Len: uint16(len(filter) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&filter[0]))}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		panic(errno)
	}
	h, err := Open(dir, Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h.Mode(), len(h.Warnings()), h.Close())
	_, err = Open(dir, Options{Mode: Rootless})
	fmt.Println(err)
}

func TestWhereTheKernelRefuses(t *testing.T) {
	c := exec.Command("/proc/self/exe", t.TempDir())
	c.Env = append(os.Environ(), role+"=refused")
	out, err := c.CombinedOutput()
	lines := strings.Split(string(out), "\n")
	if err != nil || len(lines) != 3 || lines[0] != "process 2 <nil>" || !strings.HasPrefix(lines[1], "user namespaces are refused here") {
		t.Errorf("%v: %q", err, out)
	}
}

func TestOpenRefusesADirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	h, err := Open(dir, Options{Mode: mode()})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, m := range []Mode{"", mode(), Unwalled} {
		if _, err := Open(dir, Options{Mode: m}); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a second host of mode %q: %v", m, err)
		}
	}
}

func TestStartPassesEverythingOn(t *testing.T) {
	code := readable(t)
	write(t, filepath.Join(code, "hello"), "hello\n")
	j := made(t, openFor(t, mode()), usual, Bind{code, "/var/task"})
	for _, c := range []struct {
		name string
		Command
		out  string
		exit Exit
	}{
		{"arguments", Command{Path: "/bin/echo", Args: []string{"a b", ""}}, "a b \n", Exit{}},
		{"environment", Command{Path: "/usr/bin/env", Env: []string{"A=b=c"}}, "A=b=c\n", Exit{}},
		{"directory", Command{Path: "/bin/cat", Args: []string{"hello"}, Dir: "/var/task"}, "hello\n", Exit{}},
		{"empty input", Command{Path: "/bin/cat"}, "", Exit{}},
		{"code", Command{Path: "/bin/sh", Args: []string{"-c", "exit 7"}}, "", Exit{Code: 7}},
		{"signal", Command{Path: "/bin/sh", Args: []string{"-c", "kill -9 $$"}}, "", Exit{Code: -1, Signal: "killed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if out, exit := output(t, j, c.Command); out != c.out || exit != c.exit {
				t.Errorf("printed %q and ended with %+v; want %q and %+v", out, exit, c.out, c.exit)
			}
		})
	}
	for _, c := range []Command{{Path: "/no/such"}, {Path: "/var/task/hello"}, {Path: "/bin/true", Dir: "/no"}} {
		if p, err := j.Start(c); err == nil {
			t.Errorf("%+v started and ended with %+v", c, p.Wait())
		}
	}
	if out, _ := output(t, j, Command{Path: "/bin/echo", Args: []string{"still here"}}); out != "still here\n" {
		t.Errorf("after failures: %q", out)
	}
}

func TestSignalReachesTheProgram(t *testing.T) {
	j := made(t, openFor(t, mode()), usual)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := j.Start(Command{
		Path: "/bin/sh", Args: []string{"-c", "trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.01; done"},
		Env: []string{"PATH=/usr/bin:/bin"}, Stdout: w,
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(r); string(rest) != "bye\n" || p.Wait() != (Exit{Code: 5}) {
		t.Errorf("printed %q and ended with %+v", rest, p.Wait())
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("a signal to what has ended: %v", err)
	}
}

func TestOnlyTmpIsWritable(t *testing.T) {
	code := readable(t)
	if err := os.Chmod(code, 0o777); err != nil {
		t.Fatal(err)
	}
	j := made(t, openFor(t, mode()), usual, Bind{code, "/var/task"}, Bind{code, "/opt"})
	out, _ := shell(t, j, `
		for d in / /usr /usr/bin /etc /dev /var/task /opt /proc /proc/self /var; do
			(: >$d/x) 2>/dev/null && echo "wrote in $d"
		done
		for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/self/oom_score_adj /etc/passwd; do
			(echo 1 >$f) 2>/dev/null && echo "wrote $f"
		done
		mkdir /tmp/d && echo fine >/tmp/d/x && ln -s x /tmp/d/y && cat /tmp/d/y && stat -c %A:%u /tmp && echo x >/dev/null`)
	want := "fine\ndrwxrwxrwt:0\n"
	if mode() == Rootless {
		want = "fine\ndrwxrwxrwt:993\n"
	}
	if out != want {
		t.Errorf("printed %q; want %q", out, want)
	}
}

func TestTheMachineIsOutOfSight(t *testing.T) {
	j := made(t, openFor(t, mode()), usual)
	for _, c := range []struct{ name, script, want string }{
		{"root", `ls -A / | tr '\n' ' '`, ""},
		{"hostname", `cat /proc/sys/kernel/hostname`, "cell\n"},
		{"processes", `cd /proc; echo [0-9]* | wc -w; exec cat /proc/1/cmdline`, "cat: /proc/1/cmdline: No such file or directory\n"},
		{"network", `tail -n +3 /proc/net/dev | cut -d: -f1; tail -n +2 /proc/net/route`, "    lo\n"},
		{"groups", `cut -d: -f3 /proc/self/cgroup | sort -u`, "/\n"},
		{"devices", `ls /dev | tr '\n' ' '`, "fd full null random stderr stdin stdout urandom zero "},
		{"kernel memory", `cat /proc/kcore /proc/keys 2>/dev/null`, ""},
		{"descriptors", `ls /proc/self/fd | tr '\n' ' '`, "0 1 2 3 "}, // 3 is ls's own
		{"host name of itself", `getent hosts cell`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, _ := shell(t, j, c.script)
			switch c.name {
			case "root":
				for _, n := range strings.Fields(out) {
					if !strings.Contains(" bin dev etc lib lib64 proc tmp usr ", " "+n+" ") {
						t.Errorf("/%s is in sight", n)
					}
				}
			case "processes":
				if count, rest, _ := strings.Cut(out, "\n"); rest != c.want || strings.TrimSpace(count) > "4" {
					t.Errorf("printed %q", out)
				}
			case "host name of itself":
				if !strings.Contains(out, "127.0.0.1") {
					t.Errorf("printed %q", out)
				}
			default:
				if out != c.want {
					t.Errorf("printed %q; want %q", out, c.want)
				}
			}
		})
	}
}

func TestProgramsHaveNoRights(t *testing.T) {
	h := openFor(t, mode())
	j := made(t, h, usual)
	out, _ := shell(t, j, `cat /proc/self/status; id -un; ulimit -c`)
	for _, want := range []string{
		"CapInh:\t0000000000000000\n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
		"CapBnd:\t0000000000000000\n", "CapAmb:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n",
		"SigIgn:\t0000000000000000\n", "SigBlk:\t0000000000000000\n", "sbx_user1051\n0\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if mode() == AsRoot {
		other := made(t, h, usual)
		mine, _ := shell(t, j, "id -u")
		theirs, _ := shell(t, other, "id -u")
		if mine == theirs || mine < "1048576" {
			t.Errorf("the users are %q and %q", mine, theirs)
		}
	}
}

// User namespaces lie beside one another: none has rights over another.
func TestUserNamespacesAreApart(t *testing.T) {
	h := openFor(t, Rootless)
	seen := map[string]bool{}
	for range 2 {
		j := made(t, h, usual)
		out, _ := python(t, j, `
import os, fcntl
own = os.open("/proc/self/ns/user", os.O_RDONLY)
print(os.readlink("/proc/self/ns/user"))
for name in "mnt", "pid", "net", "ipc", "uts", "cgroup":
    owner = fcntl.ioctl(os.open("/proc/self/ns/" + name, os.O_RDONLY), 0xb701)
    print(name, os.fstat(owner).st_ino == os.fstat(own).st_ino)
try:
    fcntl.ioctl(own, 0xb702)
    print("the namespace above is in sight")
except PermissionError:
    print("nothing above is in sight")
print(open("/proc/self/uid_map").read().split()[::2])
`)
		name, rest, _ := strings.Cut(out, "\n")
		if seen[name] {
			t.Errorf("two jails are in %s", name)
		}
		seen[name] = true
		want := "mnt True\npid True\nnet True\nipc True\nuts True\ncgroup True\nnothing above is in sight\n['993', '1']\n"
		if rest != want {
			t.Errorf("got\n%s\nwant\n%s", rest, want)
		}
	}
}

func TestForbiddenCalls(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the numbers of the calls are those of amd64")
	}
	j := made(t, openFor(t, mode()), usual)
	out, _ := python(t, j, `
import ctypes, errno, os, socket, signal
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    ctypes.set_errno(0)
    r = libc.syscall(*[ctypes.c_long(a) for a in args])
    print(name, 'ok' if r >= 0 else errno.errorcode[ctypes.get_errno()])
call('mount', 165, 0, 0, 0, 0, 0)
call('umount2', 166, 0, 0)
call('ptrace', 101, 0, 0, 0, 0)
call('unshare', 272, 0x10000000)
call('setns', 308, 0, 0)
call('clone', 56, 0x10000000 | 17, 0, 0, 0, 0)
call('clone3', 435, 0, 0)
call('bpf', 321, 0, 0, 0)
call('keyctl', 250, 0, -3, 0)
call('add_key', 248, 0, 0, 0, 0, 0)
call('io_uring_setup', 425, 1, 0)
call('userfaultfd', 323, 0)
call('perf_event_open', 298, 0, 0, 0, 0, 0)
call('open_by_handle_at', 304, 0, 0, 0)
call('process_vm_readv', 310, 1, 0, 0, 0, 0, 0)
call('pidfd_getfd', 438, 0, 0, 0)
call('open_tree', 428, 0, 0, 0)
call('chroot', 161, 0)
call('settimeofday', 164, 0, 0)
call('reboot', 169, 0, 0, 0, 0)
call('kexec_load', 246, 0, 0, 0, 0)
call('init_module', 175, 0, 0, 0)
call('syslog', 103, 10, 0, 0)
call('unknown', 1000)
call('x32', 0x40000000 + 39)
call('prlimit of another', 302, 1, 7, 0, 0)
call('prlimit of itself', 302, 0, 7, 0, 0)
call('personality', 135, 0xffffffff)
call('uname26', 135, 0x20000)
call('ioctl TIOCSTI', 16, 0, 0x5412, 0)
for f in (40, 38, 17, 16, 1, 2, 10):
    try:
        socket.socket(f, socket.SOCK_RAW if f in (16, 17) else socket.SOCK_SEQPACKET if f == 38 else socket.SOCK_STREAM).close()
        print('socket', f, 'ok')
    except OSError as e:
        print('socket', f, errno.errorcode[e.errno])
`)
	want := `mount EPERM
umount2 EPERM
ptrace EPERM
unshare EPERM
setns EPERM
clone EPERM
clone3 ENOSYS
bpf EPERM
keyctl EPERM
add_key EPERM
io_uring_setup EPERM
userfaultfd EPERM
perf_event_open EPERM
open_by_handle_at EPERM
process_vm_readv EPERM
pidfd_getfd EPERM
open_tree EPERM
chroot EPERM
settimeofday EPERM
reboot EPERM
kexec_load EPERM
init_module EPERM
syslog EPERM
unknown ENOSYS
x32 ENOSYS
prlimit of another EPERM
prlimit of itself ok
personality ok
uname26 EPERM
ioctl TIOCSTI EPERM
socket 40 EAFNOSUPPORT
socket 38 EAFNOSUPPORT
socket 17 EAFNOSUPPORT
socket 16 ok
socket 1 ok
socket 2 ok
socket 10 ok
`
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestForeignArchitecturesAreKilled(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("only amd64 runs another architecture's calls")
	}
	j := made(t, openFor(t, mode()), usual)
	// int 0x80 calls by i386's numbers, of which 20 is getpid.
	_, exit := python(t, j, `
import ctypes, mmap
m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
m.write(b'\xb8\x14\x00\x00\x00\xcd\x80\xc3')
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()
`)
	if exit.Signal != syscall.SIGSYS.String() {
		t.Errorf("ended with %+v; want %v", exit, syscall.SIGSYS)
	}
}

func TestMemoryIsLimited(t *testing.T) {
	h := openFor(t, mode())
	limited(t, h)
	bystander := made(t, h, usual)
	j := made(t, h, Limits{Memory: 64 << 20, Pids: 64, Tmp: 1 << 20, Files: 64})
	if out, exit := python(t, j, `b = bytearray(40 << 20); print(len(b))`); out != "41943040\n" || exit.Code != 0 {
		t.Errorf("within the limit: %q, %+v", out, exit)
	}
	if u, err := j.Usage(); err != nil || u.OOMKills != 0 || u.MemoryPeak < 40<<20 || u.MemoryPeak > 64<<20 || u.CPU <= 0 {
		t.Errorf("within the limit: %+v, %v", u, err)
	}
	if out, exit := python(t, j, `b = bytearray(100 << 20); print(len(b))`); exit.Signal != "killed" {
		t.Errorf("beyond the limit: %q, %+v", out, exit)
	}
	if u, err := j.Usage(); err != nil || u.OOMKills != 1 || u.MemoryPeak > 65<<20 {
		t.Errorf("beyond the limit: %+v, %v", u, err)
	}
	if out, _ := shell(t, j, "echo alive"); out != "alive\n" {
		t.Errorf("after a kill the jail says %q", out)
	}
	if u, _ := bystander.Usage(); u.OOMKills != 0 {
		t.Error("a bystander was killed")
	}
}

func TestProcessesAreLimited(t *testing.T) {
	h := openFor(t, mode())
	limited(t, h)
	l := usual
	l.Pids = 20
	j := made(t, h, l)
	out, exit := python(t, j, `
import os, signal
n = 0
try:
    for n in range(1000):
        if os.fork() == 0:
            os.close(1); os.close(2)
            signal.pause()
except BlockingIOError:
    print(n)
`)
	if out != "19\n" || exit.Code != 0 {
		t.Errorf("forked %q times, %+v; want 19 beside the first", out, exit)
	}
	// The first has ended: there is room for one again, and no more.
	if _, err := j.Start(Command{Path: "/bin/sleep", Args: []string{"1000"}}); err != nil {
		t.Errorf("within the limit: %v", err)
	}
	if _, err := j.Start(Command{Path: "/bin/true"}); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("over the limit: %v", err)
	}
}

func TestLooseLimitsWithoutControlGroups(t *testing.T) {
	h := openFor(t, mode())
	if missing := h.(*walledHost).groups.Missing(); len(missing) < 3 {
		if mode() == AsRoot {
			return // TestAsNobody comes here again
		}
		t.Skip("this user may use control groups")
	}
	if len(h.Warnings()) < 3 {
		t.Errorf("the warnings are %q", h.Warnings())
	}
	l := usual
	l.Memory, l.Pids = 64<<20, 20
	j := made(t, h, l)
	if out, exit := python(t, j, `b = bytearray(60 << 20); bytearray(600 << 20)`); exit.Code != 1 || !strings.Contains(out, "MemoryError") {
		t.Errorf("beyond the limit: %q, %+v", out, exit)
	}
	out, _ := python(t, j, `
import os, signal
n = 0
try:
    for n in range(100):
        if os.fork() == 0:
            os.close(1); os.close(2)
            signal.pause()
except BlockingIOError: pass
print(10 < n < 40)
`)
	if out != "True\n" {
		t.Errorf("beyond the limit: %q", out)
	}
}

func TestProcessorTimeIsLimited(t *testing.T) {
	h := openFor(t, mode())
	limited(t, h)
	l := usual
	l.CPU = 0.1
	j := made(t, h, l)
	python(t, j, `
import time
while time.process_time() < 0.05: pass
`)
	if n := throttled(t, j); n == 0 {
		t.Error("a busy program was never throttled")
	}
	if err := j.SetCPU(0); err != nil {
		t.Fatal(err)
	}
	before := throttled(t, j)
	python(t, j, `
import time
while time.process_time() < 0.05: pass
`)
	if n := throttled(t, j); n != before {
		t.Errorf("throttled %d times without a limit", n-before)
	}
}

// What is made ahead leaves the processor to what is in use, until it is in use itself.
func TestWhatIsMadeAheadYieldsTheProcessor(t *testing.T) {
	h := openFor(t, mode())
	weight := func(j Jail) string {
		dir := j.(*walledJail).group.Directory("cpu")
		for _, file := range []string{"cpu.shares", "cpu.weight"} {
			if b, err := os.ReadFile(filepath.Join(dir, file)); err == nil && dir != "" {
				return strings.TrimSpace(string(b))
			}
		}
		t.Skip("this machine does not divide the processor's time among groups for this user")
		return ""
	}
	open := func(ahead bool) Jail {
		j, err := h.New(t.Context(), Config{Binds: systemBinds(), Tmp: usual.Tmp, Files: usual.Files, Ahead: ahead})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { j.Close() })
		return j
	}
	inUse, ahead := open(false), open(true)
	if a, b := weight(ahead), weight(inUse); a == b {
		t.Errorf("both have the weight %s", a)
	}
	if err := ahead.Assign(t.Context(), usual, nil); err != nil {
		t.Fatal(err)
	}
	if a, b := weight(ahead), weight(inUse); a != b {
		t.Errorf("in use its weight is %s; want %s", a, b)
	}
}

// throttled is how often the processes of a jail had to wait for their share.
func throttled(t *testing.T, j Jail) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(j.(*walledJail).group.Directory("cpu"), "cpu.stat"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(string(b), "\n") {
		var n int
		if _, err := fmt.Sscanf(l, "nr_throttled %d", &n); err == nil {
			return n
		}
	}
	t.Fatalf("no nr_throttled in %q", b)
	return 0
}

func TestTmpIsLimitedAndNotMemory(t *testing.T) {
	h := openFor(t, mode())
	l := usual
	l.Memory, l.Tmp = 32<<20, 64<<20
	j := made(t, h, l)
	out, _ := shell(t, j, `
		dd if=/dev/zero of=/tmp/f bs=1M count=64 status=none && stat -c %s /tmp/f
		dd if=/dev/zero of=/tmp/g bs=1M count=16 status=none
		rm /tmp/f /tmp/g; dd if=/dev/zero of=/tmp/f bs=1M count=64 status=none && echo again; rm /tmp/f`)
	if want := "67108864\ndd: error writing '/tmp/g': No space left on device\nagain\n"; out != want {
		t.Errorf("printed %q; want %q", out, want)
	}
	if u, _ := j.Usage(); u.OOMKills != 0 {
		t.Errorf("%d kills for memory", u.OOMKills)
	}
}

// A function of 128 MB can fill the 512 MB of its /tmp.
func TestTmpIsLargerThanMemory(t *testing.T) {
	if os.Getenv("CIRRO_LONG") == "" {
		t.Skip("it writes a gigabyte: set CIRRO_LONG=1")
	}
	h := openFor(t, mode())
	l := usual
	l.Tmp = 512 << 20
	j := made(t, h, l)
	at := time.Now()
	out, exit := python(t, j, `
import os
for size in 400, 600, 512:
    try:
        with open('/tmp/f', 'wb') as f:
            for _ in range(size): f.write(b'x' * (1 << 20))
        print(size, 'ok')
    except OSError as e:
        print(size, e.strerror)
    os.unlink('/tmp/f')
with open('/tmp/f', 'wb') as f:
    for _ in range(512): f.write(b'x' * (1 << 20))
`)
	if want := "400 ok\n600 No space left on device\n512 ok\n"; out != want || exit.Code != 0 {
		t.Errorf("printed %q and ended with %+v; want %q", out, exit, want)
	}
	u, err := j.Usage()
	t.Log(time.Since(at), u, err)
	at = time.Now()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	t.Log("closed in", time.Since(at))
}

func TestDescriptorsAreLimited(t *testing.T) {
	l := usual
	l.Files = 50
	j := made(t, openFor(t, mode()), l)
	if out, _ := shell(t, j, "ulimit -n; ulimit -Hn"); out != "50\n50\n" {
		t.Errorf("printed %q", out)
	}
}

func TestJailsAreApart(t *testing.T) {
	h := openFor(t, mode())
	a, b := made(t, h, usual), made(t, h, usual)
	if _, err := a.Start(Command{Path: "/bin/sleep", Args: []string{"4242"}}); err != nil {
		t.Fatal(err)
	}
	shell(t, a, "echo secret >/tmp/secret")
	out, _ := shell(t, b, "ls -A /tmp; ls /proc | grep -c '^[0-9]'; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
	if strings.Contains(out, "secret") || strings.Contains(out, "4242") {
		t.Errorf("one jail sees of another: %q", out)
	}
	if out, _ := shell(t, a, "cat /tmp/secret"); out != "secret\n" {
		t.Errorf("/tmp does not last: %q", out)
	}
}

func TestTheSupervisorCannotBeHarmed(t *testing.T) {
	j := made(t, openFor(t, mode()), usual)
	out, _ := python(t, j, `
import ctypes, os
libc = ctypes.CDLL(None)
for n in range(1, 65):
    for pid in range(1, 12):
        if pid == os.getpid(): continue
        try: os.kill(pid, n)
        except OSError: pass
        libc.syscall(234, 1, pid, n)
print('tried')
`)
	if out != "tried\n" {
		t.Errorf("printed %q", out)
	}
	if out, exit := shell(t, j, "echo alive; ls /proc/1 /proc/2 2>&1 | wc -l; cat /proc/1/environ /proc/1/maps 2>/dev/null"); exit.Code == 0 || !strings.HasPrefix(out, "alive\n2\n") {
		t.Errorf("printed %q, %+v", out, exit)
	}
}

// A supervisor that needed a thread more when the programs have used up their share would end the jail.
func TestTheSupervisorNeedsNoMoreThreads(t *testing.T) {
	j := made(t, openFor(t, mode()), usual)
	threads := func() int {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", j.(*walledJail).process.pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := threads()
	var starters sync.WaitGroup
	for range 4 {
		starters.Go(func() {
			for range 10 {
				p, err := j.Start(Command{Path: "/bin/true"})
				if err != nil {
					t.Error(err)
					return
				}
				p.Wait()
			}
		})
	}
	starters.Wait()
	if after := threads(); after > before {
		t.Errorf("%d threads became %d", before, after)
	}
}

func TestOrphansAreReaped(t *testing.T) {
	j := made(t, openFor(t, mode()), usual)
	shell(t, j, "for i in 1 2 3 4 5 6 7 8; do (true & ) ; done")
	deadline := time.Now().Add(2 * time.Minute)
	for {
		out, _ := shell(t, j, "cat /proc/[0-9]*/stat | grep -c ' Z '")
		if out == "0\n" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%q zombies", out)
		}
	}
}

func TestTheListenerIsReachedInside(t *testing.T) {
	j := made(t, openFor(t, mode()), usual)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s from %s", r.URL.Path, r.Host)
	})}
	defer s.Close()
	go s.Serve(j.Listener(0))
	out, _ := python(t, j, `
import urllib.request
print(urllib.request.urlopen('http://127.0.0.1:9001/2018-06-01/runtime').read().decode())
try: urllib.request.urlopen('http://10.0.0.1/', timeout=5)
except OSError as e: print(e)
`)
	if want := "/2018-06-01/runtime from 127.0.0.1:9001\n<urlopen error [Errno 101] Network is unreachable>\n"; out != want {
		t.Errorf("printed %q; want %q", out, want)
	}
}

func TestFreezeAndThaw(t *testing.T) {
	j := made(t, openFor(t, mode()), usual)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := j.Start(Command{Path: "/usr/bin/yes", Stdout: w, Stderr: os.Stderr})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Freeze(); err != nil {
		t.Fatal(err)
	}
	// What the pipe held is read; then nothing comes from what is frozen.
	r.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := io.Copy(io.Discard, r); !os.IsTimeout(err) {
		t.Errorf("while frozen: %v", err)
	}
	r.SetReadDeadline(time.Time{})
	if err := j.Thaw(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 1<<20)); err != nil {
		t.Errorf("after the thaw: %v, %+v", err, p.Wait())
	}
	if err := j.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Errorf("close what is frozen: %v", err)
	}
}

func TestCloseEndsPrograms(t *testing.T) {
	j := made(t, openFor(t, mode()), usual)
	p, err := j.Start(Command{Path: "/bin/sleep", Args: []string{"1000"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if e := p.Wait(); e != (Exit{Code: -1, Signal: "killed"}) {
		t.Errorf("ended with %+v", e)
	}
	if _, err := j.Start(Command{Path: "/bin/true"}); err == nil {
		t.Error("a program started in a closed jail")
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("a signal to what has ended: %v", err)
	}
}

func TestAssignNamesWhatIsMissing(t *testing.T) {
	j, err := openFor(t, mode()).New(context.Background(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	err = j.Assign(context.Background(), usual, []Bind{{"/no/such/directory", "/var/task"}})
	if err == nil || !strings.Contains(err.Error(), "/no/such/directory: no such file or directory") {
		t.Errorf("the error is %v", err)
	}
}
