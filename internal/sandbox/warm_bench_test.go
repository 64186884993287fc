package sandbox_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"cirro/internal/sandbox"
	"cirro/internal/sandbox/jail"
)

const echoPython = "def handler(event, context): return event\n"

// median runs f n times and returns the median of its durations.
func median(n int, f func()) time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		began := time.Now()
		f()
		all[i] = time.Since(began)
	}
	slices.Sort(all)
	return all[n/2]
}

// BenchmarkWarm compares the warm invocation of a Python echo with a bare round trip of net/http in
// the same run, by their medians.
func BenchmarkWarm(b *testing.B) {
	modesOfBenchmark(b, func(b *testing.B, m jail.Mode) {
		n := newBench(b, m)
		s := n.python(echoPython)
		s.Memory = 1769
		payload := []byte(`{"key1": "value1", "key2": "value2", "key3": "value3"}`)
		invoke := func() {
			r, err := n.fleet.Invoke(context.Background(), s, &sandbox.Invocation{RequestID: requestID(), InvokedARN: s.ARN, Payload: payload})
			if err != nil || r.FunctionError != "" {
				b.Fatal(err, r)
			}
		}
		invoke()
		trip := roundTrip(b, payload)
		trip()
		var warm, bare time.Duration
		for b.Loop() {
			warm = median(2000, invoke)
			bare = median(2000, trip)
		}
		b.ReportMetric(float64(warm.Nanoseconds())/1000, "µs/invoke")
		b.ReportMetric(float64(bare.Nanoseconds())/1000, "µs/http")
		b.ReportMetric(float64(warm)/float64(bare), "ratio")
	})
}

// roundTrip makes a round trip of net/http over a connection that is kept open.
func roundTrip(b *testing.B, payload []byte) func() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	})}
	go server.Serve(l)
	b.Cleanup(func() { server.Close() })
	url := "http://" + l.Addr().String()
	return func() {
		r, err := http.Post(url, "application/json", bytes.NewReader(payload))
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
}

// BenchmarkWarmClients measures how many invocations a second 16 callers get.
func BenchmarkWarmClients(b *testing.B) {
	modesOfBenchmark(b, func(b *testing.B, m jail.Mode) {
		n := newBench(b, m)
		s := n.python(echoPython)
		s.Memory = 1769
		call := func() {
			r, err := n.fleet.Invoke(context.Background(), s, &sandbox.Invocation{RequestID: requestID(), InvokedARN: s.ARN, Payload: []byte(`{"a": 1}`)})
			if err != nil || r.FunctionError != "" {
				b.Error(err, r)
			}
		}
		many := func(each int) {
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					for range each {
						call()
					}
				})
			}
			wg.Wait()
		}
		many(20)
		total := 0
		began := time.Now()
		for b.Loop() {
			many(500)
			total += 16 * 500
		}
		b.ReportMetric(float64(total)/time.Since(began).Seconds(), "invokes/s")
	})
}

// BenchmarkCold compares a cold start, jail and all, with the interpreter's own start.
func BenchmarkCold(b *testing.B) {
	modesOfBenchmark(b, func(b *testing.B, m jail.Mode) {
		n := newBench(b, m)
		s := n.python(echoPython)
		i := 0
		cold := func() {
			i++
			c := *s
			c.ID += string(rune('a' + i))
			if r, err := n.fleet.Invoke(context.Background(), &c, &sandbox.Invocation{RequestID: requestID(), InvokedARN: s.ARN, Payload: []byte(`{"a": 1}`)}); err != nil || r.FunctionError != "" {
				b.Fatal(err, r)
			}
			n.fleet.Retire(c.ID)
		}
		cold()
		bare := func() {
			if err := exec.Command("/usr/bin/python3.11", "-c", "pass").Run(); err != nil {
				b.Skip(err)
			}
		}
		var start, own time.Duration
		for b.Loop() {
			start = median(40, cold)
			own = median(40, bare)
		}
		b.ReportMetric(float64(start.Microseconds())/1000, "ms/cold")
		b.ReportMetric(float64(own.Microseconds())/1000, "ms/python")
	})
}

func modesOfBenchmark(b *testing.B, f func(b *testing.B, m jail.Mode)) {
	for _, m := range []jail.Mode{jail.Unwalled, jail.AsRoot, jail.Rootless} {
		b.Run(string(m), func(b *testing.B) { f(b, m) })
	}
}
