package jail

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// firstLine is the smallest static program: it prints one line.
func firstLine(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.go"), "package main\n\nimport \"syscall\"\n\nfunc main() { syscall.Write(1, []byte(\"first\\n\")) }\n")
	write(t, filepath.Join(dir, "go.mod"), "module first\n\ngo 1.26\n")
	c := exec.Command("go", "build", "-o", "first", ".")
	c.Dir, c.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// BenchmarkFirstLine takes turns at a static program started plainly and in a new jail, each until its
// first line is read, and reports the medians and 95th percentiles in microseconds. "ready" waits before
// each turn for what the host makes ahead; "rush" does not.
func BenchmarkFirstLine(b *testing.B) {
	code := firstLine(b)
	b.Run("ready", func(b *testing.B) { benchmarkFirstLine(b, openFor(b, mode()), code, stocked) })
	b.Run("rush", func(b *testing.B) { benchmarkFirstLine(b, openFor(b, mode()), code, func(Host) {}) })
}

// stocked waits until a host has ready what it keeps ready.
func stocked(host Host) {
	h := host.(*walledHost)
	for full := false; !full; time.Sleep(time.Millisecond) {
		h.cells.lock.Lock()
		full = len(h.cells.ready) == cellsAhead
		h.cells.lock.Unlock()
		if h.volumes != nil {
			h.volumes.lock.Lock()
			full = full && len(h.volumes.ready[usual.Tmp]) == ahead
			h.volumes.lock.Unlock()
		}
	}
}

func benchmarkFirstLine(b *testing.B, h Host, code string, before func(Host)) {
	warm, err := h.New(context.Background(), Config{})
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(warm.Assign(context.Background(), usual, nil), warm.Close()); err != nil {
		b.Fatal(err)
	}
	var plain, made, assigned, started, whole, closed []time.Duration
	for b.Loop() {
		before(h)
		at := time.Now()
		readLine(b, func(w *os.File) {
			c := exec.Command(filepath.Join(code, "first"))
			c.Stdout = w
			if err := c.Start(); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { c.Wait() })
		})
		plain = append(plain, time.Since(at))

		at = time.Now()
		j, err := h.New(context.Background(), Config{Binds: systemBinds(), Listeners: []string{"127.0.0.1:9001"}})
		if err != nil {
			b.Fatal(err)
		}
		made = append(made, time.Since(at))
		if err := j.Assign(context.Background(), usual, []Bind{{code, "/var/task"}}); err != nil {
			b.Fatal(err)
		}
		assigned = append(assigned, time.Since(at))
		readLine(b, func(w *os.File) {
			if _, err := j.Start(Command{Path: "/var/task/first", Stdout: w}); err != nil {
				b.Fatal(err)
			}
			started = append(started, time.Since(at))
		})
		whole = append(whole, time.Since(at))
		at = time.Now()
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
		closed = append(closed, time.Since(at))
	}
	for _, m := range []struct {
		name string
		d    []time.Duration
	}{{"plain", plain}, {"new", made}, {"assigned", assigned}, {"started", started}, {"jailed", whole}, {"close", closed}} {
		slices.Sort(m.d)
		b.ReportMetric(float64(m.d[len(m.d)/2].Microseconds()), m.name+"-p50-us")
		b.ReportMetric(float64(m.d[len(m.d)*95/100].Microseconds()), m.name+"-p95-us")
	}
	b.ReportMetric(0, "ns/op")
}

// readLine lets start run something that writes to a pipe, and waits for the first of it.
func readLine(b *testing.B, start func(*os.File)) {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	start(w)
	w.Close()
	if _, err := io.ReadFull(r, make([]byte, 6)); err != nil {
		b.Fatal(err)
	}
}
