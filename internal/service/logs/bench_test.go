package logs

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"cirro/internal/awsapi/logs"
)

// BenchmarkIngest: what one invocation logs, from many environments of one function at a time.
func BenchmarkIngest(b *testing.B) {
	f := newFixture(b)
	now := f.millis()
	events := []Event{
		{now, "START RequestId: 8a7c1b1e-1f7e-4b44-9d35-2f0f3c8f6a11 Version: $LATEST\n"},
		{now, "order 17 of customer 4711 accepted\n"},
		{now + 3, "END RequestId: 8a7c1b1e-1f7e-4b44-9d35-2f0f3c8f6a11\n"},
		{now + 3, "REPORT RequestId: 8a7c1b1e-1f7e-4b44-9d35-2f0f3c8f6a11\tDuration: 3.00 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 38 MB\n"},
	}
	var writer atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		stream := fmt.Sprint("s", writer.Add(1))
		for pb.Next() {
			if err := f.Ingest(f.ctx, account, region, "/aws/lambda/f", stream, events); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N*len(events))/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkFilterLogEvents searches events of 16 streams, a million of them in the long mode, for
// what a single one holds.
func BenchmarkFilterLogEvents(b *testing.B) {
	f := newFixture(b)
	total := 50_000
	if os.Getenv("CIRRO_LONG") == "1" {
		total = 1_000_000
	}
	const batch = 50
	start := f.millis()
	for i := 0; i < total; i += batch {
		events := make([]Event, batch)
		for j := range events {
			n := i + j
			events[j] = Event{start + int64(n/10), fmt.Sprintf(`{"level":"INFO","message":"order %d accepted","customer":%d,"latency":%d}`, n, n%5000, n%300)}
		}
		if err := f.Ingest(f.ctx, account, region, "g", fmt.Sprint("s", i/batch%16), events); err != nil {
			b.Fatal(err)
		}
	}
	for _, pattern := range []string{`"order 49999 "`, `{ $.message = "order 49999 *" }`, "%order 49999 %"} {
		b.Run(pattern, func(b *testing.B) {
			for b.Loop() {
				if got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g"), FilterPattern: &pattern}); len(got) != 1 {
					b.Fatalf("found %d", len(got))
				}
			}
			b.ReportMetric(float64(b.N*total)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
