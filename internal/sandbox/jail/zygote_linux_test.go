package jail

import (
	"bytes"
	"errors"
	"log/slog"
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
