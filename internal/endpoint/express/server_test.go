package express

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// echo answers with what it sees of a request; a path may ask for more.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	switch r.URL.Path {
	case "/quick/none":
		w.WriteHeader(http.StatusNoContent)
		return
	case "/quick/close":
		w.Header().Set("Connection", "close")
	case "/quick/panic":
		panic(http.ErrAbortHandler)
	case "/quick/postponed":
		if w, ok := w.(interface{ Postpone() }); ok {
			w.(http.ResponseWriter).Header().Set("X-Void", "1")
			w.Postpone()
			return
		}
	case "/quick/silent":
		return
	case "/quick/short":
		w.Header().Set("Content-Length", "10")
		io.WriteString(w, "short")
		return
	case "/quick/long":
		w.Header().Set("Content-Length", "3")
		w.Write([]byte("four"))
		w.Write([]byte("abc"))
		return
	case "/quick/error":
		w.Header().Set("X-Odd", "a\r\nb")
		w.Header()["bad name"] = []string{"x"}
		w.Header()["X-Many"] = []string{"1", "2"}
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, "<html>")
		return
	case "/quick/file":
		f, err := os.Open(r.Header.Get("X-File"))
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer f.Close()
		w.Header().Set("Content-Length", r.Header.Get("X-Length"))
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusOK)
		io.CopyN(w, f, 3*maxAtOnce)
		return
	case "/quick/large":
		large := strings.Repeat("x", maxAtOnce+1)
		w.Header().Set("Content-Length", fmt.Sprint(2*len(large)))
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, large)
		io.WriteString(w, large)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprintf(w, "%s %s %s %s %d\n", r.Method, r.URL, r.RequestURI, r.Host, r.ContentLength)
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(w, "%s: %.40q\n", name, r.Header[name])
	}
	fmt.Fprintf(w, "%d bytes: %.40q", len(body), body)
}

// serve serves h; taken counts what went the quick way.
func serve(t *testing.T, h http.HandlerFunc, change ...func(*http.Server)) (s *Server, address string, taken func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	quick := make(chan struct{}, 1000)
	s = &Server{
		HTTP: &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, ok := w.(*reply); ok {
				quick <- struct{}{}
			}
			h(w, r)
		})},
		Takes: func(h *Head) bool {
			return h.Method == "POST" && (strings.HasPrefix(h.Target, "/quick/") || h.Target == "/named" && h.Get("X-Way") == "quick")
		},
	}
	for _, f := range change {
		f(s.HTTP)
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return s, l.Addr().String(), func() int { return len(quick) }
}

var dates = regexp.MustCompile(`Date: [^\r]*`)

// replies sends bytes in pieces and returns all that comes back until the server closes.
func replies(t *testing.T, address string, pieces ...string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, p := range pieces {
		if _, err := io.WriteString(c, p); err != nil {
			break // the server may be done with the connection
		}
	}
	c.(*net.TCPConn).CloseWrite()
	b, _ := io.ReadAll(c) // a server that closes before it has read all resets
	return dates.ReplaceAllString(string(b), "Date: now")
}

func post(path, body string, headers ...string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\n%sContent-Length: %d\r\n\r\n%s", path, strings.Join(headers, ""), len(body), body)
}

// A client cannot tell the quick way from net/http's, but for the order of headers.
func TestAsNetHTTP(t *testing.T) {
	plain := &http.Server{Handler: http.HandlerFunc(echo), ErrorLog: log.New(io.Discard, "", 0)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go plain.Serve(l)
	defer plain.Close()
	last := "GET /end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
	chunked := "POST /quick/c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("0123456789abcdef", 4*maxAtOnce/16)), 0o600); err != nil {
		t.Fatal(err)
	}
	send := func(name string, length int) string {
		return post("/quick/file", "1", "X-File: "+name+"\r\n", fmt.Sprintf("X-Length: %d\r\n", length))
	}
	tests := map[string]struct {
		sent  string
		taken int
	}{
		"file":                    {send(file, 3*maxAtOnce) + post("/quick/a", ""), 2},
		"file that is no file":    {send(t.TempDir(), 1<<20) + post("/quick/a", ""), 1},
		"one":                     {post("/quick/a?b=%20c", "body", "X-a: 1\r\n", "x-A: 2\r\n"), 1},
		"without a body":          {post("/quick/a", ""), 1},
		"pipelined":               {post("/quick/a", "1") + post("/quick/b", "22") + post("/quick/c", ""), 3},
		"of both kinds":           {post("/quick/a", "1") + post("/other", "22") + post("/quick/b", "3") + post("/other", "") + post("/quick/c", "4"), -1},
		"another first":           {post("/other", "xy") + post("/quick/a", "1"), -1},
		"chunked":                 {post("/quick/a", "1") + chunked + post("/quick/b", "2"), 1},
		"waits to be asked":       {post("/quick/a", "body", "Expect: 100-continue\r\n"), 0},
		"closes":                  {post("/quick/a", "1", "Connection: close\r\n") + post("/quick/b", ""), 0},
		"postponed":               {post("/quick/a", "1") + post("/quick/b", "2") + post("/quick/postponed", "33"), 3},
		"postponed among others":  {post("/quick/a", "1") + post("/quick/postponed", "22") + post("/quick/b", "3"), -1},
		"handler closes":          {post("/quick/close", "1") + post("/quick/b", ""), 1},
		"handler panics":          {post("/quick/a", "") + post("/quick/panic", "1") + post("/quick/b", ""), 2},
		"no content":              {post("/quick/none", "1") + post("/quick/a", ""), 2},
		"says nothing":            {post("/quick/silent", "1") + post("/quick/a", ""), 2},
		"less than declared":      {post("/quick/short", "1") + post("/quick/a", ""), 1},
		"more than declared":      {post("/quick/long", "1") + post("/quick/a", ""), 1},
		"error":                   {post("/quick/error", "1"), 1},
		"large reply":             {post("/quick/large", "1") + post("/quick/a", ""), 2},
		"large body":              {post("/quick/a", strings.Repeat("y", maxBody+1)) + post("/quick/a", strings.Repeat("y", maxBody)), -1},
		"long head":               {post("/quick/a", "1", "X: "+strings.Repeat("z", 6000)+"\r\n") + post("/quick/b", "2"), 2},
		"head too long":           {post("/quick/a", "1", "X: "+strings.Repeat("z", maxHead)+"\r\n") + post("/quick/b", "2"), 0},
		"bad target":              {post("/quick/%zz", "1") + post("/quick/b", "2"), 0},
		"HTTP/1.0":                {"GET / HTTP/1.0\r\n\r\n", 0},
		"bare line feeds":         {"GET /a HTTP/1.1\nHost: h\n\n", 0},
		"no host":                 {"POST /quick/a HTTP/1.1\r\n\r\n", 0},
		"two hosts":               {post("/quick/a", "", "Host: g\r\n"), 0},
		"folded":                  {post("/quick/a", "", "A: b\r\n c\r\n"), 0},
		"space before a colon":    {post("/quick/a", "", "A : b\r\n"), 0},
		"no HTTP":                 {"hello\r\n\r\n", 0},
		"HTTP/2":                  {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0},
		"body cut short":          {post("/quick/a", "1") + "POST /quick/a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc", 2},
		"head cut short":          {post("/quick/a", "1") + "POST /quick/a HTTP/1.1\r\nHo", 1},
		"HEAD":                    {"HEAD /other HTTP/1.1\r\nHost: h\r\n\r\n", 0},
		"nothing":                 {"", 0},
		"two lengths":             {post("/quick/a", "1", "Content-Length: 1\r\n"), 0},
		"negative length":         {"POST /quick/a HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 0},
		"length and chunked":      {"POST /quick/a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0},
		"keep-alive said":         {post("/quick/a", "1", "Connection: keep-alive\r\n"), 1},
		"absolute target":         {"POST http://g/quick/a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 0},
		"named by a header":       {post("/named", "1", "x-way: quick\r\n") + post("/named", "2", "X-Way: slow\r\n") + post("/named", "3"), 1},
		"a head within the body":  {post("/other", post("/quick/a", "1")) + post("/quick/b", post("/quick/a", "1")), -1},
		"a control in the header": {post("/quick/a", "", "A: \x01\r\n"), 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, address, taken := serve(t, echo)
			want := sorted(replies(t, l.Addr().String(), tt.sent+last))
			whole := sorted(replies(t, address, tt.sent+last))
			if whole != want {
				t.Errorf("got\n%s\nnet/http\n%s", whole, want)
			}
			if n := taken(); tt.taken >= 0 && n != tt.taken {
				t.Errorf("%d requests were taken, want %d", n, tt.taken)
			}
			for _, size := range []int{1, 7, 100} {
				if len(tt.sent) > 1000*size {
					continue
				}
				var pieces []string
				for piece := range slices.Chunk([]byte(tt.sent+last), size) {
					pieces = append(pieces, string(piece))
				}
				if got := sorted(replies(t, address, pieces...)); got != want {
					t.Errorf("in pieces of %d: got\n%s\nnet/http\n%s", size, got, want)
				}
			}
		})
	}
}

// sorted puts the headers of replies in order.
func sorted(replies string) string {
	parts := strings.Split(replies, "\r\n\r\n")
	for i, p := range parts {
		lines := strings.Split(p, "\r\n")
		if at := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "HTTP/1.") }); at >= 0 {
			slices.Sort(lines[at+1:])
		}
		parts[i] = strings.Join(lines, "\r\n")
	}
	return strings.Join(parts, "\r\n\r\n")
}

// A connection goes back to the quick way after a request that was net/http's.
func TestGoesBack(t *testing.T) {
	_, address, taken := serve(t, echo)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	ask := func(path string) {
		io.WriteString(c, post(path, "body"))
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(res.Body); !strings.HasSuffix(string(b), `"body"`) {
			t.Errorf("got %q", b)
		}
	}
	ask("/quick/a")
	if taken() != 1 {
		t.Error("the first was not taken")
	}
	// A request that comes while net/http ends the one before is net/http's too.
	for taken() == 1 {
		ask("/other")
		ask("/quick/a")
	}
}

// Shutdown lets the request under way end, closes what rests, and does not wait for the latter.
func TestShutdown(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	s, address, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/quick/slow" {
			close(began)
			<-goOn
		}
		io.WriteString(w, "done")
	})
	idle, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	io.WriteString(idle, post("/quick/a", ""))
	rest := bufio.NewReader(idle)
	if res, err := http.ReadResponse(rest, nil); err != nil {
		t.Fatal(err)
	} else {
		io.Copy(io.Discard, res.Body)
	}
	busy, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	io.WriteString(busy, post("/quick/slow", ""))
	<-began
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(context.Background()) }()
	if _, err := rest.ReadByte(); err != io.EOF {
		t.Errorf("the connection at rest: %v", err)
	}
	select {
	case err := <-ended:
		t.Errorf("Shutdown did not wait: %v", err)
	default:
	}
	close(goOn)
	res, err := http.ReadResponse(bufio.NewReader(busy), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(res.Body); string(b) != "done" || !res.Close || err != nil {
		t.Errorf("got %q, %v, closes: %v", b, err, res.Close)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Shutdown waits for net/http's request on a connection that was used in both ways.
func TestShutdownWaitsForBoth(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	s, address, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/other" {
			close(began)
			<-goOn
		}
		io.WriteString(w, "done")
	})
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	io.WriteString(c, post("/quick/a", ""))
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, res.Body)
	io.WriteString(c, post("/other", ""))
	<-began
	// Shutdown closes what rests before it first looks whether its context has ended.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(goOn)
	if res, err = http.ReadResponse(r, nil); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(res.Body); string(b) != "done" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}

// Shutdown gives up when its context ends, and Close ends a connection that is in use.
func TestClose(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	s, address, _ := serve(t, func(http.ResponseWriter, *http.Request) {
		close(began)
		<-goOn
	})
	defer close(goOn)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, post("/quick/slow", ""))
	<-began
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	s.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
}

// A head that does not come whole ends the connection, also after requests that were taken.
func TestReadHeaderTimeout(t *testing.T) {
	for _, before := range []string{"", post("/quick/a", ""), post("/other", "")} {
		t.Run(before, func(t *testing.T) {
			t.Parallel()
			// Long enough for a whole head to come in time on a busy machine.
			_, address, _ := serve(t, echo, func(s *http.Server) { s.ReadHeaderTimeout = 3 * time.Second })
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			r := bufio.NewReader(c)
			if before != "" {
				io.WriteString(c, before)
				res, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, res.Body)
			}
			io.WriteString(c, "POST /quick/a HTTP")
			if _, err := r.ReadByte(); err != io.EOF {
				t.Errorf("after %q: %v", before, err)
			}
		})
	}
}

// A connection whose reply broke off is closed, also where net/http looks for HTTP/2 on it.
func TestBrokenReplyEndsTheConnection(t *testing.T) {
	_, address, taken := serve(t, echo, func(s *http.Server) {
		s.Protocols = new(http.Protocols)
		s.Protocols.SetHTTP1(true)
		s.Protocols.SetUnencryptedHTTP2(true)
	})
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, post("/quick/short", "")); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil { // rather than for ever
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(got), "short") || taken() != 1 {
		t.Errorf("%q, %v", got, err)
	}
}
