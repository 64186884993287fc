package store

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"cirro/internal/store/pebble"
)

// BenchmarkBacklog measures a queue with many messages waiting (CIRRO_BACKLOG of them, or 100,000):
// how long the store takes to be ready to receive after a restart, what the backlog takes in memory,
// and the 99th percentile of sending and receiving a message, as a multiple of that without a backlog.
func BenchmarkBacklog(b *testing.B) {
	backlog := 100_000
	if n, err := strconv.Atoi(os.Getenv("CIRRO_BACKLOG")); err == nil {
		backlog = n
	}
	dir := b.TempDir()
	s, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		b.Fatal(err)
	}
	empty := slowest(b, s)
	before := heap()
	fill(b, s, backlog)
	b.ReportMetric(float64(heap()-before)/float64(backlog), "B/message")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	if s, err = pebble.Open(dir, pebble.Options{}); err != nil {
		b.Fatal(err)
	}
	if err := receive(s, "q"); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(begin).Seconds(), "s/restart")
	b.ReportMetric(float64(slowest(b, s))/float64(empty), "p99/empty")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// slowest returns the 99th percentile of sending a message and receiving one.
func slowest(b *testing.B, s *pebble.Store) time.Duration {
	times := make([]time.Duration, 2000)
	body := make([]byte, valueBytes)
	for i := range times {
		begin := time.Now()
		if err := send(s, "q", body); err != nil {
			b.Fatal(err)
		}
		if err := receive(s, "q"); err != nil {
			b.Fatal(err)
		}
		times[i] = time.Since(begin)
	}
	slices.Sort(times)
	return times[len(times)*99/100]
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
