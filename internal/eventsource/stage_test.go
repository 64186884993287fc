package eventsource

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// full is a store that takes nothing for a while.
type full struct {
	store.Store
	refusals atomic.Int64 // to come
}

func (f *full) Update(ctx context.Context, change func(store.Tx) error) error {
	if f.refusals.Add(-1) >= 0 {
		return errors.New("no space left on device")
	}
	return f.Store.Update(ctx, change)
}

// openStore opens a store for a test.
func openStore(t *testing.T) store.Store {
	t.Helper()
	s, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// hands is a handler that a test plays. It keeps what it was given.
type hands struct {
	play func(ctx context.Context, b *Batch) Outcome

	mu        sync.Mutex
	changed   *sync.Cond
	batches   [][]string // ids of all batches, attempts that failed too
	handled   []string   // ids, as they were
	discarded []string   // ids with their reasons
	results   []string
}

func newHands(play func(context.Context, *Batch) Outcome) *hands {
	h := &hands{play: play}
	h.changed = sync.NewCond(&h.mu)
	return h
}

func well(context.Context, *Batch) Outcome { return Outcome{} }

func ids(records []Record) (all []string) {
	for _, r := range records {
		all = append(all, r.ID)
	}
	return all
}

func (h *hands) Handle(ctx context.Context, b *Batch) Outcome {
	o := h.play(ctx, b)
	h.note(func() {
		h.batches = append(h.batches, ids(b.Records))
		for _, r := range b.Records {
			if o.Err == nil && !slices.Contains(o.Failed, r.ID) {
				h.handled = append(h.handled, r.ID)
			}
		}
	})
	return o
}

func (h *hands) Discard(_ store.Tx, d *Discarded) error {
	h.note(func() {
		for _, r := range d.Records {
			h.discarded = append(h.discarded, fmt.Sprintf("%s %s %d", r.ID, d.Reason, d.Attempts))
		}
	})
	return nil
}

func (h *hands) Report(result string) {
	h.note(func() { h.results = append(h.results, result) })
}

func (h *hands) note(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	h.changed.Broadcast()
}

// await waits until a condition of what was kept holds.
func (h *hands) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.AfterFunc(2*time.Minute, func() { h.note(func() {}) })
	defer late.Stop()
	until := time.Now().Add(2 * time.Minute)
	h.mu.Lock()
	defer h.mu.Unlock()
	for !ok() {
		if time.Now().After(until) {
			t.Fatalf("waited in vain for %s: %+v", what, h.batches)
		}
		h.changed.Wait()
	}
}

// running is a poller that runs.
type running struct {
	*Poller
	t      *testing.T
	cancel context.CancelFunc
	done   chan struct{}
}

// run starts a poller, of a stream where shards are given.
func run(t *testing.T, d Deps, s Source, h Handler, shards *fakeStream) *running {
	t.Helper()
	d.Log = slog.New(slog.DiscardHandler)
	d.Scale = 0.0001
	p, err := New(d, s, h)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{p, t, cancel, make(chan struct{})}
	go func() {
		defer close(r.done)
		if shards == nil {
			p.Run(ctx)
			return
		}
		polling, stop := context.WithCancel(ctx)
		defer stop()
		go func() { <-p.stop; stop() }()
		st := newStream(p)
		st.api = shards
		st.run(polling, ctx)
	}()
	t.Cleanup(r.end)
	return r
}

// end stops the poller and waits for what is under way.
func (r *running) end() {
	r.Stop()
	<-r.done
	r.cancel()
}
