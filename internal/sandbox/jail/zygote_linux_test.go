package jail

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// page is a log that many may write.
type page struct {
	lock sync.Mutex
	text bytes.Buffer
}

func (p *page) Write(b []byte) (int, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.text.Write(b)
}

func (p *page) String() string {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.text.String()
}

// What cannot be started as a zygote is said once, and nobody is kept from going on without.
func TestAZygoteThatFailsIsToldOnce(t *testing.T) {
	var log page
	h, err := Open(t.TempDir(), Options{Mode: mode(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Skipf("this machine gives no jails: %v", err)
	}
	defer h.Close()
	j, err := h.New(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	template := &Template{Key: "k", Command: Command{Path: "/nowhere/at/all"}}
	for range 2 {
		if err := j.(Forker).Hatch(t.Context(), template); !errors.Is(err, ErrNoZygote) {
			t.Fatalf("got %v", err)
		}
		zs := &h.(*walledHost).zygotes
		zs.lock.Lock()
		zs.all["k"].resumes = time.Time{} // at once
		zs.lock.Unlock()
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "/nowhere/at/all") {
		t.Errorf("told %d times: %s", n, log.String())
	}
}

// A zygote that ends after it read what it was asked may have forked.
func TestAZygoteThatIsLost(t *testing.T) {
	h, err := Open(t.TempDir(), Options{Mode: mode(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Skipf("this machine gives no jails: %v", err)
	}
	defer h.Close()
	j, err := h.New(t.Context(), Config{Tmp: 1 << 20, Files: 64})
	if err != nil {
		t.Fatal(err)
	}
	template := &Template{Key: "k", Binds: systemBinds(), Command: Command{Path: "/bin/sh", Env: []string{"PATH=/usr/bin:/bin"},
		Args: []string{"-c", `printf '{"pid":0}' >&3; head -c 1 <&3`}}}
	if err := j.(Forker).Hatch(t.Context(), template); err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if _, err := j.(Forker).Fork(template, Command{Stdout: null, Stderr: null, Control: null}); !errors.Is(err, ErrZygoteLost) {
		t.Errorf("got %v", err)
	}
}
