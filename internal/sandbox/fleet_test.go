package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cirro/internal/sandbox"
	"cirro/internal/sandbox/jail"
)

// modes are the kinds of jail that this machine gives; the tests run in each.
func modes(t *testing.T, test func(t *testing.T, m jail.Mode)) {
	for _, m := range []jail.Mode{jail.Unwalled, jail.AsRoot, jail.Rootless} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			test(t, m)
		})
	}
}

// bench is a fleet with its log, for one test.
type bench struct {
	t     testing.TB
	fleet *sandbox.Fleet
	log   *logBook
	mode  jail.Mode
	host  jail.Host
}

func newBench(t testing.TB, m jail.Mode, change ...func(*sandbox.Options)) *bench {
	t.Helper()
	dir := t.TempDir()
	host, err := jail.Open(filepath.Join(dir, "jail"), jail.Options{Mode: m})
	if err != nil {
		t.Skipf("this machine gives no jails of mode %s: %v", m, err)
	}
	log := &logBook{}
	o := sandbox.Options{
		Dir: filepath.Join(dir, "fleet"), Log: log, Jail: host,
		Runtimes: filepath.Join(dir, "runtimes"),
		Endpoint: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "the platform: %s", r.URL.Path)
		}),
	}
	for _, c := range change {
		c(&o)
	}
	f, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bench{t, f, log, host.Mode(), host}
}

// logBook is a Log that remembers.
type logBook struct {
	lock    sync.Mutex
	records []string
	streams int
	closed  int
	news    chan struct{} // closed and replaced whenever something happens
}

// changed wakes those who wait. The lock is held.
func (l *logBook) changed() {
	if l.news != nil {
		close(l.news)
	}
	l.news = make(chan struct{})
}

// until waits for a condition, which is evaluated with the lock held.
func (l *logBook) until(t testing.TB, what string, met func() bool) {
	t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		l.lock.Lock()
		ok := met()
		if l.news == nil {
			l.news = make(chan struct{})
		}
		news := l.news
		l.lock.Unlock()
		if ok {
			return
		}
		select {
		case <-news:
		case <-limit:
			t.Errorf("no %s; the log:\n%s", what, strings.Join(l.all(), "\n"))
			return
		}
	}
}

// await waits until n records contain a part.
func (l *logBook) await(t testing.TB, part string, n int) {
	t.Helper()
	l.until(t, part, func() bool {
		found := 0
		for _, r := range l.records {
			if strings.Contains(r, part) {
				found++
			}
		}
		return found >= n
	})
}

// awaitClosed waits until n streams are closed.
func (l *logBook) awaitClosed(t testing.TB, n int) {
	t.Helper()
	l.until(t, "end of an environment", func() bool { return l.closed >= n })
}

type logPage struct{ *logBook }

func (l *logBook) Stream(*sandbox.Spec, string) sandbox.LogStream {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.streams++
	return logPage{l}
}

func (l logPage) Put(_ time.Time, message string) {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.records = append(l.records, message)
	l.changed()
}

func (l logPage) Close() {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.closed++
	l.changed()
}

// all returns what was logged, one record a line.
func (l *logBook) all() []string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return append([]string(nil), l.records...)
}

func (l *logBook) has(part string) bool {
	for _, r := range l.all() {
		if strings.Contains(r, part) {
			return true
		}
	}
	return false
}

// function writes files to a directory that any user may read, and makes a Spec of it.
func (b *bench) function(runtime, handler string, files map[string]string) *sandbox.Spec {
	b.t.Helper()
	return &sandbox.Spec{
		ID: b.t.Name() + handler, ARN: "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
		Function: "f", Version: "$LATEST", Account: "000000000000", Region: "us-east-1",
		Runtime: runtime, Handler: handler, Code: b.tree(files),
		Environment: map[string]string{}, Memory: 256, Tmp: 512, Timeout: time.Minute,
		LogFormat: "Text", LogGroup: "/aws/lambda/f",
		Credentials: func() sandbox.Credentials {
			return sandbox.Credentials{AccessKeyID: "AKIA", SecretAccessKey: "secret", SessionToken: "token"}
		},
	}
}

func (b *bench) tree(files map[string]string) string {
	b.t.Helper()
	dir, err := os.MkdirTemp("", "cirro-code-")
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			b.t.Fatal(err)
		}
	}
	return dir
}

var requests struct {
	sync.Mutex
	n int
}

func requestID() string {
	requests.Lock()
	defer requests.Unlock()
	requests.n++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", requests.n)
}

func (b *bench) invoke(s *sandbox.Spec, payload string) *sandbox.Result {
	b.t.Helper()
	return b.invokeWith(s, &sandbox.Invocation{Payload: []byte(payload)})
}

func (b *bench) invokeWith(s *sandbox.Spec, inv *sandbox.Invocation) *sandbox.Result {
	b.t.Helper()
	if inv.RequestID == "" {
		inv.RequestID = requestID()
	}
	inv.InvokedARN = s.ARN
	inv.TailLog = true
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	r, err := b.fleet.Invoke(ctx, s, inv)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// failed checks that an invocation ended with an error of a type, and returns its message.
func failed(t testing.TB, r *sandbox.Result, kind string) string {
	t.Helper()
	var e struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal(r.Payload, &e); err != nil {
		t.Fatalf("payload %.300q: %v", r.Payload, err)
	}
	if r.FunctionError != "Unhandled" || e.ErrorType != kind {
		t.Errorf("function error %q, payload %s: want a %s", r.FunctionError, r.Payload, kind)
	}
	return e.ErrorMessage
}
