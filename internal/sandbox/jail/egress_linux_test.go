package jail

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"cirro/internal/sandbox/jail/egress"
)

// withEgress opens a host that lets its jails out.
func withEgress(t testing.TB, m Mode) Host {
	t.Helper()
	h, err := Open(t.TempDir(), Options{Mode: m, Egress: egress.Outside})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, w := range h.Warnings() {
		if strings.Contains(w, "/dev/net/tun") {
			t.Skip(w)
		}
	}
	return h
}

// outside is a network of one other machine: a namespace at the other end of a pair of devices.
type outside struct {
	near, far string // addresses of this machine and of the other
	namespace int
}

func newOutside(t testing.TB) *outside {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("another machine in a namespace needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("there is no ip program to connect a namespace with")
	}
	pid := os.Getpid()
	o := &outside{
		near: fmt.Sprintf("198.18.%d.%d", pid>>6&255, pid<<2&252+1),
		far:  fmt.Sprintf("198.18.%d.%d", pid>>6&255, pid<<2&252+2),
	}
	o.run(t, func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		var err error
		o.namespace, err = unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return err
	})
	t.Cleanup(func() { unix.Close(o.namespace) })
	device, there := fmt.Sprintf("ct%d", pid), fmt.Sprintf("/proc/%d/fd/%d", pid, o.namespace)
	ip(t, "link", "add", device, "type", "veth", "peer", "name", "far", "netns", there)
	t.Cleanup(func() { exec.Command("ip", "link", "del", device).Run() })
	ip(t, "addr", "add", o.near+"/30", "dev", device)
	ip(t, "link", "set", device, "up")
	o.inside(t, func() error {
		ip(t, "addr", "add", o.far+"/30", "dev", "far")
		ip(t, "link", "set", "far", "up")
		ip(t, "link", "set", "lo", "up")
		return nil
	})
	return o
}

func ip(t testing.TB, args ...string) {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Errorf("ip %v: %v: %s", args, err, out)
	}
}

// run runs a function in a thread that is thrown away.
func (o *outside) run(t testing.TB, f func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- f()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// inside runs a function on the other machine.
func (o *outside) inside(t testing.TB, f func() error) {
	t.Helper()
	o.run(t, func() error {
		if err := unix.Setns(o.namespace, unix.CLONE_NEWNET); err != nil {
			return err
		}
		return f()
	})
}

// echo answers every connection and datagram with what it says, in capitals.
func echo(t testing.TB, address string) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Error(err)
		return 0
	}
	t.Cleanup(func() { l.Close() })
	port = l.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b, _ := io.ReadAll(c)
				fmt.Fprintf(c, "%d:%s", len(b), strings.ToUpper(string(b[:min(len(b), 20)])))
			}()
		}
	}()
	u, err := net.ListenPacket("udp", fmt.Sprintf("%s:%d", address, port))
	if err != nil {
		t.Error(err)
		return port
	}
	t.Cleanup(func() { u.Close() })
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, from, err := u.ReadFrom(b)
			if err != nil {
				return
			}
			u.WriteTo([]byte(strings.ToUpper(string(b[:n]))), from)
		}
	}()
	return port
}

// reach is a program that says what comes of talking to addresses.
const reach = `
import socket, sys
def tcp(host, port, data=b'hello'):
    try:
        with socket.create_connection((host, int(port)), timeout=60) as s:
            s.sendall(data); s.shutdown(socket.SHUT_WR)
            got = b''
            while (b := s.recv(65536)): got += b
            return got.decode()
    except OSError as e: return type(e).__name__ + ' ' + str(e.strerror or e)
def udp(host, port, data=b'hello', within=20):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(within)
    try:
        s.connect((host, int(port))); s.send(data)
        return s.recv(65536).decode()[:20]
    except OSError as e: return type(e).__name__
`

func TestAJailReachesTheOutsideAlone(t *testing.T) {
	o := newOutside(t)
	var port int
	o.inside(t, func() error { port = echo(t, o.far); return nil })
	mine := echo(t, "0.0.0.0") // on every address of this machine
	for _, m := range []Mode{AsRoot, Rootless} {
		t.Run(string(m), func(t *testing.T) { reachTheOutside(t, withEgress(t, m), o, port, mine) })
	}
}

// reachTheOutside talks to the other machine, and to all that a jail may not reach.
func reachTheOutside(t *testing.T, h Host, o *outside, port, mine int) {
	j, other := made(t, h, usual), made(t, h, usual)
	if _, err := other.Start(Command{Path: "/usr/bin/python3.11", Args: []string{"-c", "import socket; s = socket.create_server(('0.0.0.0', 7777)); s.accept()"}}); err != nil {
		t.Fatal(err)
	}
	script := reach + fmt.Sprintf(`
import threading
far, near, port, mine = %q, %q, %d, %d
print('far', tcp(far, port), udp(far, port))
print('much', tcp(far, port, b'x' * 3000000), udp(far, port, b'y' * 9000))
print('nobody', tcp(far, 1), udp(far, 1, within=1))
for a in near, '127.0.0.1', '127.1.2.3', '0.0.0.0', '169.254.169.254', '169.254.76.1', '224.0.0.1':
    print(a, tcp(a, mine), udp(a, mine, within=1 if a == '224.0.0.1' else 20))
print('jail', tcp('169.254.76.1', 7777))
print('six', tcp('::1', mine), tcp('fd00:ec2::254', 80))
s = socket.create_server(('127.0.0.1', 8123)); c = socket.create_connection(('127.0.0.1', 8123)); s.accept()[0].sendall(b'own'); print('own', c.recv(3).decode())
got = []
many = [threading.Thread(target=lambda: got.append(tcp(far, port))) for _ in range(50)]
[m.start() for m in many]; [m.join() for m in many]
print('many', set(got))
`, o.far, o.near, port, mine)
	want := strings.Join([]string{
		"far 5:HELLO HELLO",
		"much 3000000:" + strings.Repeat("X", 20) + " " + strings.Repeat("Y", 20),
		"nobody ConnectionRefusedError Connection refused TimeoutError",
		o.near + " ConnectionRefusedError Connection refused ConnectionRefusedError",
		"127.0.0.1 ConnectionRefusedError Connection refused ConnectionRefusedError",
		"127.1.2.3 ConnectionRefusedError Connection refused ConnectionRefusedError",
		"0.0.0.0 ConnectionRefusedError Connection refused ConnectionRefusedError",
		"169.254.169.254 ConnectionRefusedError Connection refused ConnectionRefusedError",
		"169.254.76.1 ConnectionRefusedError Connection refused ConnectionRefusedError",
		"224.0.0.1 OSError Network is unreachable TimeoutError",
		"jail ConnectionRefusedError Connection refused",
		"six ConnectionRefusedError Connection refused OSError Network is unreachable",
		"own own",
		"many {'5:HELLO'}",
	}, "\n") + "\n"
	if out, exit := python(t, j, script); out != want {
		t.Errorf("got %+v\n%s\nwant\n%s", exit, out, want)
	}
}

func TestWhatAJailSeesOfItsNetwork(t *testing.T) {
	h := withEgress(t, mode())
	j := made(t, h, usual)
	out, _ := shell(t, j, "cat /etc/resolv.conf; tail -n +2 /proc/net/route | cut -f1-3; tail -n +3 /proc/net/dev | cut -d: -f1; cat /proc/net/if_inet6 | grep egress")
	if want := "nameserver 169.254.78.1\negress0\t00000000\t00000000\n    lo\negress0\n"; out != want {
		t.Errorf("printed %q; want %q", out, want)
	}
}

func TestWithoutEgressThereIsNoDevice(t *testing.T) {
	h, err := Open(filepath.Join(t.TempDir(), "jails"), Options{Mode: mode(), Egress: egress.None})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	j := made(t, h, usual)
	out, _ := python(t, j, reach+`print(tcp('203.0.113.1', 80))`)
	if out != "OSError Network is unreachable\n" {
		t.Errorf("printed %q", out)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

// A name is asked for over both protocols, of a resolver on the host's loopback.
func TestNamesAreAnswered(t *testing.T) {
	h := withEgress(t, mode())
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	tcp, err := net.Listen("tcp", udp.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			udp.WriteTo(answerName(b[:n]), from)
		}
	}()
	go func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 512)
			n, _ := c.Read(b)
			a := answerName(b[2:n])
			c.Write(append([]byte{byte(len(a) >> 8), byte(len(a))}, a...))
			c.Close()
		}
	}()
	h.(*walledHost).gate.Resolvers = func() []string { return []string{"127.0.0.1:1", udp.LocalAddr().String()} }
	j := made(t, h, usual)
	out, _ := python(t, j, reach+`
print(socket.gethostbyname('somewhere.example'), socket.getaddrinfo('other.example', 80, socket.AF_INET, socket.SOCK_STREAM)[0][4])
q = b'\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03one\x07example\0\0\x01\0\x01'
s = socket.create_connection(('169.254.78.1', 53)); s.sendall(len(q).to_bytes(2, 'big') + q); print(s.recv(512)[-4:])
print(tcp('169.254.78.1', 54))
`)
	if want := "192.0.2.99 ('192.0.2.99', 80)\nb'\\xc0\\x00\\x02c'\nConnectionRefusedError Connection refused\n"; out != want {
		t.Errorf("printed %q; want %q", out, want)
	}
}

// answerName answers a question for an address with 192.0.2.99, and any other with nothing.
func answerName(question []byte) []byte {
	end := 12
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	end += 5
	a := append([]byte(nil), question[:end]...)
	a[2], a[3], a[7], a[9], a[11] = 0x81, 0x80, 0, 0, 0
	if question[end-3] == 1 {
		a[7] = 1
		a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 99)
	}
	return a
}

// Where the machine gives no device, jails are made without a way out, and the host says so.
func TestAMissingDeviceIsAWarning(t *testing.T) {
	if unix.Access("/dev/net/tun", unix.R_OK|unix.W_OK) == nil {
		t.Skip("this user may open /dev/net/tun; as nobody the test is made where that may not")
	}
	h, err := Open(t.TempDir(), Options{Mode: mode(), Egress: egress.Outside})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if all := strings.Join(h.Warnings(), "\n"); !strings.Contains(all, "Functions reach the platform alone, and nothing outside: open /dev/net/tun: ") {
		t.Errorf("the warnings are %q", all)
	}
	j := made(t, h, usual)
	if out, _ := python(t, j, reach+`print(tcp('203.0.113.1', 80))`); out != "OSError Network is unreachable\n" {
		t.Errorf("printed %q", out)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}
