package platform_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"cirro/internal/platform"
)

func options(t testing.TB, data string) platform.Options {
	t.Helper()
	return platform.Options{Listen: "127.0.0.1:0", Data: data, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func start(t testing.TB, o platform.Options) *platform.Platform {
	t.Helper()
	p, err := platform.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p
}

func TestHealth(t *testing.T) {
	p := start(t, options(t, t.TempDir()))
	for _, path := range []string{"/_cirro/health", "/_localstack/health"} {
		resp, err := http.Get(p.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		var health struct{ Services map[string]string }
		if err := json.NewDecoder(resp.Body).Decode(&health); err != nil || resp.StatusCode != http.StatusOK || health.Services["lambda"] != "running" {
			t.Errorf("%s: %d, %v, %v", path, resp.StatusCode, health, err)
		}
		resp.Body.Close()
	}
}

func TestListensBeyondLoopbackOnlyWithAuthentication(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*platform.Options)
		want string
	}{
		{"all addresses", func(o *platform.Options) { o.Listen = "0.0.0.0:0" }, "--auth"},
		{"no host", func(o *platform.Options) { o.Listen = ":0" }, "--auth"},
		{"a name", func(o *platform.Options) { o.Listen = "example.com:0" }, "--auth"},
		{"no address", func(o *platform.Options) { o.Listen = "4566" }, "--listen"},
		{"no root key", func(o *platform.Options) { o.Auth = true }, "CIRRO_ROOT_ACCESS_KEY_ID"},
	} {
		o := options(t, t.TempDir())
		c.set(&o)
		p, err := platform.Start(t.Context(), o)
		if err == nil {
			p.Close()
			t.Errorf("%s: it started", c.name)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q does not name %s", c.name, err, c.want)
		}
	}
}

func TestTwoPlatformsCannotShareAStore(t *testing.T) {
	data := t.TempDir()
	start(t, options(t, data))
	p, err := platform.Start(t.Context(), options(t, data))
	if err == nil {
		p.Close()
		t.Fatal("a second platform started over the same data")
	}
}

func TestStartFailsWhereTheAddressIsTaken(t *testing.T) {
	p := start(t, options(t, t.TempDir()))
	o := options(t, t.TempDir())
	o.Listen = strings.TrimPrefix(p.URL(), "http://")
	if q, err := platform.Start(t.Context(), o); err == nil {
		q.Close()
		t.Fatal("two platforms serve one address")
	}
}

// call makes an unsigned request to Lambda.
func call(t testing.TB, method, url string, body any) []byte {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequest(method, url, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: %d, %v: %s", method, url, resp.StatusCode, err, out)
	}
	return out
}

// zipped is a package of one Python file.
func zipped(t testing.TB, source string) []byte {
	t.Helper()
	var pkg bytes.Buffer
	z := zip.NewWriter(&pkg)
	w, err := z.Create("app.py")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, source)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return pkg.Bytes()
}

// deploy makes a Python function, waits until it is active, and returns where it is invoked.
func deploy(t testing.TB, p *platform.Platform, name, source string) string {
	t.Helper()
	functions := p.URL() + "/2015-03-31/functions"
	call(t, "POST", functions, map[string]any{"FunctionName": name, "Runtime": "python3.11", "Handler": "app.handler", "Timeout": 60,
		"Role": "arn:aws:iam::000000000000:role/r", "Code": map[string]any{"ZipFile": zipped(t, source)}})
	for !bytes.Contains(call(t, "GET", functions+"/"+name+"/configuration", nil), []byte(`"State":"Active"`)) {
		time.Sleep(10 * time.Millisecond)
	}
	return functions + "/" + name + "/invocations"
}

func TestWhatWasDeployedOutlivesTheProcess(t *testing.T) {
	data := t.TempDir()
	p, err := platform.Start(t.Context(), options(t, data))
	if err != nil {
		t.Fatal(err)
	}
	deploy(t, p, "f", "def handler(event, context): return event\n")
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	p = start(t, options(t, data))
	if got := call(t, "POST", p.URL()+"/2015-03-31/functions/f/invocations", map[string]int{"n": 1}); string(got) != `{"n": 1}` {
		t.Errorf("after a restart the function answers %s", got)
	}
}

// BenchmarkInvoke is a warm invocation of a Python echo over HTTP, all in one process.
func BenchmarkInvoke(b *testing.B) {
	p := start(b, options(b, b.TempDir()))
	url := deploy(b, p, "f", "def handler(event, context): return event\n")
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			call(b, "POST", url, map[string]int{"n": 1})
		}
	})
}
