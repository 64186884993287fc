package sandbox_test

import (
	"context"
	"os"
	"runtime"
	"sync"
	"testing"

	"cirro/internal/sandbox"
)

// TestEndurance invokes functions 200,000 times and starts 200 environments: what the platform holds must
// not grow with that.
func TestEndurance(t *testing.T) {
	if os.Getenv("CIRRO_LONG") == "" {
		t.Skip("takes a minute: CIRRO_LONG=1 runs it")
	}
	b := newBench(t, "")
	s := b.python(echoPython)
	s.Memory = 1769
	payload := []byte(`{"key": "value"}`)
	invoke := func(s *sandbox.Spec) {
		r, err := b.fleet.Invoke(context.Background(), s, &sandbox.Invocation{RequestID: "r", InvokedARN: s.ARN, Payload: payload})
		if err != nil || r.FunctionError != "" {
			t.Error(err, r)
		}
	}
	run := func(times int) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range times / 4 {
					invoke(s)
				}
			})
		}
		wg.Wait()
		for range times / 1000 {
			other := *s
			other.ID = requestID()
			invoke(&other)
			b.fleet.Retire(other.ID)
		}
		b.log.lock.Lock()
		b.log.records = nil // the test's own
		b.log.lock.Unlock()
	}
	held := func() (bytes uint64, goroutines int) {
		eventually(t, "retired environments are gone", func() bool { return b.fleet.Live() <= 4 })
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, runtime.NumGoroutine()
	}
	run(20_000)
	before, routines := held()
	run(200_000)
	after, later := held()
	t.Logf("heap %d and %d KB, goroutines %d and %d", before>>10, after>>10, routines, later)
	if after > before+1<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	if later > routines+20 {
		t.Errorf("there were %d goroutines, and are %d", routines, later)
	}
}
