package rawio

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"
)

// pair makes two ends of a connection.
func pair(t testing.TB, network string) (a, b net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = t.TempDir() + "/s"
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// A Conn is as good a net.Conn as any.
func TestConn(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				a, b := pair(t, network)
				return New(a), New(b), func() { a.Close(); b.Close() }, nil
			})
		})
	}
	t.Run("no socket", func(t *testing.T) {
		nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
			a, b := net.Pipe()
			return New(a), New(b), func() { a.Close(); b.Close() }, nil
		})
	})
}

// What does not fit into the kernel's buffers is written when there is room.
func TestWriteWaits(t *testing.T) {
	a, b := pair(t, "tcp")
	c := New(a)
	piece := bytes.Repeat([]byte("x"), maxAtOnce)
	const pieces = 200
	wrote := make(chan error, 1)
	go func() {
		for range pieces {
			if n, err := c.Write(piece); n != len(piece) || err != nil {
				wrote <- err
				return
			}
		}
		wrote <- c.Close()
	}()
	n, err := io.Copy(io.Discard, b)
	if n != pieces*maxAtOnce || err != nil {
		t.Errorf("%d bytes came: %v", n, err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

// Errors are those of the net package.
func TestErrors(t *testing.T) {
	read := func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err }
	write := func(c net.Conn) error { _, err := c.Write([]byte("x")); return err }
	for name, tt := range map[string]struct {
		before func(c, other net.Conn)
		do     func(net.Conn) error
		is     error
	}{
		"closed, read":    {func(c, _ net.Conn) { c.Close() }, read, net.ErrClosed},
		"closed, write":   {func(c, _ net.Conn) { c.Close() }, write, net.ErrClosed},
		"late, read":      {func(c, _ net.Conn) { c.SetDeadline(time.Unix(1, 0)) }, read, nil},
		"late, write":     {func(c, _ net.Conn) { c.SetDeadline(time.Unix(1, 0)) }, write, nil},
		"other end, read": {func(_, other net.Conn) { other.Close() }, read, io.EOF},
		"reset, read":     {func(_, other net.Conn) { other.(*net.TCPConn).SetLinger(0); other.Close() }, read, syscall.ECONNRESET},
		"shut, write":     {func(c, _ net.Conn) { c.(*Conn).Conn.(*net.TCPConn).CloseWrite() }, write, syscall.EPIPE},
	} {
		t.Run(name, func(t *testing.T) {
			outcome := func(wrap func(net.Conn) net.Conn) (string, error) {
				a, b := pair(t, "tcp")
				c := wrap(a)
				tt.before(c, b)
				err := tt.do(c)
				// Addresses differ from one connection to the next.
				return strings.NewReplacer(a.LocalAddr().String(), "here", a.RemoteAddr().String(), "there").Replace(err.Error()), err
			}
			got, err := outcome(func(c net.Conn) net.Conn { return New(c) })
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("got %v, want %v", err, tt.is)
			}
			if name == "shut, write" {
				return // the plain connection cannot be told so in this way
			}
			if want, _ := outcome(func(c net.Conn) net.Conn { return c }); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// net/http works on such connections.
func TestHTTP(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	}))
	s.Listener = wrapping{s.Listener}
	s.Start()
	defer s.Close()
	for _, size := range []int{0, 1, maxAtOnce, 10 * maxAtOnce} {
		body := strings.Repeat("x", size)
		res, err := http.Post(s.URL, "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(res.Body); string(got) != body || err != nil {
			t.Errorf("%d bytes became %d: %v", size, len(got), err)
		}
	}
}

type wrapping struct{ net.Listener }

func (l wrapping) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return New(c), nil
}

// BenchmarkRoundTrip compares the two ways.
func BenchmarkRoundTrip(b *testing.B) {
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"net": func(c net.Conn) net.Conn { return c }, "raw": func(c net.Conn) net.Conn { return New(c) },
	} {
		b.Run(name, func(b *testing.B) {
			x, y := pair(b, "tcp")
			one, other := wrap(x), wrap(y)
			go io.Copy(struct{ io.Writer }{other}, struct{ io.Reader }{other})
			p := make([]byte, 100)
			for b.Loop() {
				if _, err := one.Write(p); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(one, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
