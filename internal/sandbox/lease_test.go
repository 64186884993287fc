package sandbox_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"cirro/internal/sandbox"
)

// leased is a function whose credentials end after a time and an invocation's; each has another key.
func leased(b *bench, lasts time.Duration) (*sandbox.Spec, *atomic.Int64) {
	s := b.python("import os\ndef handler(e, c): return os.environ['AWS_ACCESS_KEY_ID']\n")
	var issued atomic.Int64
	s.Credentials = func() sandbox.Credentials {
		return sandbox.Credentials{AccessKeyID: fmt.Sprintf("ASIA%d", issued.Add(1)), SecretAccessKey: "secret",
			SessionToken: "token", Expires: time.Now().Add(s.Timeout + lasts)}
	}
	return s, &issued
}

func TestEnvironmentsEndBeforeTheirCredentials(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	s, _ := leased(b, time.Hour)
	for range 2 {
		if got := string(b.invoke(s, "{}").Payload); got != `"ASIA1"` {
			t.Errorf("within the time: %s", got)
		}
	}
	s, _ = leased(b, -time.Second) // no whole invocation fits in
	s.ID = "short"
	for _, want := range []string{`"ASIA1"`, `"ASIA2"`} {
		if r := b.invoke(s, "{}"); string(r.Payload) != want || r.Init == 0 {
			t.Errorf("after the time: %s, init %v; want %s in a new environment", r.Payload, r.Init, want)
		}
	}
}

// What is kept ready is replaced while nobody asks for it.
func TestKeptEnvironmentsAreRenewed(t *testing.T) {
	t.Parallel()
	b := newBench(t, "", func(o *sandbox.Options) { o.IdleFor = 80 * time.Millisecond })
	s, issued := leased(b, 50*time.Millisecond)
	s.InitializationType = "provisioned-concurrency"
	if n, err := b.fleet.Prepare(context.Background(), s, 1); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	b.log.awaitClosed(t, 2)
	if issued.Load() < 2 {
		t.Errorf("%d credentials", issued.Load())
	}
	if n, err := b.fleet.Prepare(context.Background(), s, 0); n > 1 || err != nil {
		t.Error(n, err)
	}
}
