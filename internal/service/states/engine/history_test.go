package engine

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"cirro/internal/asl"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// TestAFullHistory runs executions that do not end by themselves: event 25,000 is their end, whatever a step records at
// a time.
func TestAFullHistory(t *testing.T) {
	work := map[string]string{
		"states":     `{"Type":"Pass","Next":"C"}`,
		"branches":   `{"Type":"Parallel","Next":"C","ResultPath":null,"Branches":[%s]}`,
		"iterations": `{"Type":"Map","ItemsPath":"$.items","ResultPath":null,"Next":"C","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}}}`,
		"tasks":      `{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","ResultPath":null,"Next":"C"}`,
	}
	var branches []string
	for i := range 7 {
		branches = append(branches, fmt.Sprintf(`{"StartAt":"B%d","States":{"B%[1]d":{"Type":"Pass","End":true}}}`, i))
	}
	work["branches"] = fmt.Sprintf(work["branches"], strings.Join(branches, ","))
	for name, state := range work {
		t.Run(name, func(t *testing.T) {
			m, diagnostics := asl.Parse(fmt.Appendf(nil, `{"StartAt":"A","States":{"A":%s,
				"C":{"Type":"Choice","Choices":[{"Variable":"$.end","IsPresent":true,"Next":"E"}],"Default":"A"},"E":{"Type":"Succeed"}}}`, state))
			if m == nil {
				t.Fatal(diagnostics)
			}
			w := newWorld(t, m, `{"items":[1,2,3,4,5,6,7,8,9,10,11,12,13]}`)
			w.steps = 1_000_000
			w.run()
			lines := strings.Split(w.history(), "\n")
			if last := lines[len(lines)-3]; !strings.HasPrefix(last, "25000 24999 ") || !strings.HasSuffix(last,
				" ExecutionFailed error States.Runtime cause The execution reached the maximum number of history events (25000).") {
				t.Fatal(last)
			}
		})
	}
}

// counting counts what is read of a store, and the largest value that is written.
type counting struct {
	store.Store
	mu            sync.Mutex
	read, largest int
}

type countingReader struct {
	store.Reader
	c *counting
}

func (r countingReader) Get(key []byte) ([]byte, error) {
	r.c.mu.Lock()
	r.c.read++
	r.c.mu.Unlock()
	return r.Reader.Get(key)
}

func (r countingReader) Range(over store.Range) iter.Seq2[store.KV, error] {
	return func(yield func(store.KV, error) bool) {
		for kv, err := range r.Reader.Range(over) {
			r.c.mu.Lock()
			r.c.read++
			r.c.mu.Unlock()
			if !yield(kv, err) {
				return
			}
		}
	}
}

type countingTx struct {
	store.Tx
	c *counting
}

func (tx countingTx) Set(key, value []byte) error {
	tx.c.mu.Lock()
	tx.c.largest = max(tx.c.largest, len(value))
	tx.c.mu.Unlock()
	return tx.Tx.Set(key, value)
}

func (c *counting) View(ctx context.Context, f func(store.Reader) error) error {
	return c.Store.View(ctx, func(r store.Reader) error { return f(countingReader{r, c}) })
}

func (c *counting) Update(ctx context.Context, f func(store.Tx) error) error {
	return c.Store.Update(ctx, func(tx store.Tx) error { return f(countingTx{tx, c}) })
}

// durably runs an execution to its end in a store.
func durably(t *testing.T, m *asl.Machine, input string) *counting {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	c := &counting{Store: st}
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	defer done.Wait()
	defer stop()
	ended := make(chan struct{}, 16) // of a step that is repeated twice
	e := &Engine{Store: c, Log: slog.Default(), Machines: func(Tx, *Run) (*asl.Machine, error) { return m, nil },
		Recorded: func(_ Tx, run *Run, _ []Event) error {
			if run.Status != Running {
				ended <- struct{}{}
			}
			return nil
		}}
	if err := e.Open(ctx); err != nil {
		t.Fatal(err)
	}
	err = c.Update(ctx, func(tx store.Tx) error {
		return e.Begin(tx, &Run{ID: caseID, ARN: "arn:aws:states:us-east-1:000000000000:execution:m:x", Machine: "arn:aws:states:us-east-1:000000000000:stateMachine:m"}, input)
	})
	if err != nil {
		t.Fatal(err)
	}
	done.Go(func() { e.Run(ctx) })
	<-ended
	return c
}

// TestLargeSteps goes through many states with much in their hands: no value in the store gets large.
func TestLargeSteps(t *testing.T) {
	m, diagnostics := asl.Parse(fmt.Appendf(nil, `{"StartAt":"P","States":{"P":{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n, 1)","text.$":"$.text"},"Next":"C"},
		"C":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":64,"Next":"P"}],"Default":"M"},
		"M":{"Type":"Map","ItemsPath":"$.text.list","MaxConcurrency":1000,"ItemSelector":{"text.$":"$.text"},"ResultPath":null,"ItemProcessor":{"StartAt":"I","States":{
			"I":{"Type":"Pass","OutputPath":"$.text.list[0]","End":true}}},"End":true}}}`))
	if m == nil {
		t.Fatal(diagnostics)
	}
	c := durably(t, m, fmt.Sprintf(`{"n":0,"text":{"list":[%s1],"t":%q}}`, strings.Repeat("1,", 100), strings.Repeat("x", 100_000)))
	if most := 3 * stepBytes; c.largest > most {
		t.Errorf("a value of %d bytes, not %d at most", c.largest, most)
	}
}

// TestPagesOfAHistory reads pages of a long history, forwards and backwards: each reads about what it tells, wherever
// it is.
func TestPagesOfAHistory(t *testing.T) {
	m, diagnostics := asl.Parse([]byte(`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"C"},
		"C":{"Type":"Choice","Choices":[{"Variable":"$.end","IsPresent":true,"Next":"E"}],"Default":"A"},"E":{"Type":"Succeed"}}}`))
	if m == nil {
		t.Fatal(diagnostics)
	}
	c := durably(t, m, `{}`)
	for _, reverse := range []bool{false, true} {
		next, seen := int64(0), 0
		for more := true; more; {
			c.read, more = 0, false
			err := c.View(t.Context(), func(r store.Reader) error {
				n := 0
				return History(r, caseID, next, reverse, func(e Event) bool {
					if n++; n > 100 {
						next, more = e.ID, true
						return false
					}
					want := int64(seen + 1)
					if reverse {
						want = MaxEvents - int64(seen)
					}
					if e.ID != want {
						t.Fatalf("event %d, not %d", e.ID, want)
					}
					seen++
					return true
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			if c.read > 4 {
				t.Fatalf("a page reads %d values", c.read)
			}
		}
		if seen != MaxEvents {
			t.Fatalf("%d events, reverse %t", seen, reverse)
		}
	}
}
