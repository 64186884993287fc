package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"cirro/internal/asl"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

const loop = `{"StartAt":"P","States":{"P":{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n, 1)"},"Next":"C"},
	"C":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":%d,"Next":"W"}],"Default":"S"},"W":{"Type":"Wait","Seconds":0,"Next":"P"},"S":{"Type":"Succeed"}}}`

// BenchmarkStandard runs 200 executions at a time of a Pass, a Choice and a Wait of no time, in a loop, durably.
func BenchmarkStandard(b *testing.B) {
	const rounds = 50
	m, diagnostics := asl.Parse(fmt.Appendf(nil, loop, rounds))
	if m == nil {
		b.Fatal(diagnostics)
	}
	st, err := pebble.Open(b.TempDir(), pebble.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	ctx, stop := context.WithCancel(b.Context())
	var done sync.WaitGroup
	defer done.Wait()
	defer stop()
	var ended sync.WaitGroup
	e := &Engine{Store: st, Log: slog.Default(), Machines: func(Tx, *Run) (*asl.Machine, error) { return m, nil },
		Recorded: func(_ Tx, run *Run, events []Event) error {
			if run.Status != Running {
				ended.Done()
			}
			return nil
		}}
	if err := e.Open(ctx); err != nil {
		b.Fatal(err)
	}
	done.Go(func() { e.Run(ctx) })
	slots := make(chan struct{}, 200)
	b.ResetTimer()
	for i := range b.N {
		slots <- struct{}{}
		ended.Add(1)
		go func() {
			defer func() { <-slots }()
			err := st.Update(ctx, func(tx store.Tx) error {
				return e.Begin(tx, &Run{ID: fmt.Sprint(i), ARN: "arn:aws:states:us-east-1:000000000000:execution:m:x", Machine: "arn:aws:states:us-east-1:000000000000:stateMachine:m"}, `{"n":0}`)
			})
			if err != nil {
				b.Error(err)
			}
		}()
	}
	ended.Wait()
	b.ReportMetric(float64(b.N)*(3*rounds)/b.Elapsed().Seconds(), "transitions/s")
}

// BenchmarkExpress runs executions of five Pass states in memory.
func BenchmarkExpress(b *testing.B) {
	m, diagnostics := asl.Parse([]byte(`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"C"},"C":{"Type":"Pass","Next":"D"},"D":{"Type":"Pass","Next":"E"},"E":{"Type":"Pass","End":true}}}`))
	if m == nil {
		b.Fatal(diagnostics)
	}
	e := &Engine{Log: slog.Default(), Scale: 1, key: []byte("key"), Clock: time.Now, Random: func() float64 { return 0 },
		Machines: func(Tx, *Run) (*asl.Machine, error) { return m, nil }}
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if out, err := e.Express(b.Context(), &Run{ID: "r"}, `{"n":1,"text":"hello"}`); err != nil || out.Run.Status != Succeeded {
				b.Error(out, err)
			}
		}
	})
	b.ReportMetric(float64(b.N)*5/b.Elapsed().Seconds(), "transitions/s")
}
