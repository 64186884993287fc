package lambda

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"cirro/internal/sandbox"
	"cirro/internal/store/pebble"
)

// attempts is what a function did with each event, and how much it did at once.
type attempts struct {
	mu        sync.Mutex
	r         *rand.Rand
	done      map[string]int
	now, most int
}

// play ends well, badly, not at all, or when the service does.
func (a *attempts) play(ctx context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
	a.mu.Lock()
	a.now++
	a.most = max(a.most, a.now)
	fate := a.r.IntN(10)
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.now--
	}()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case fate == 0:
		return nil, errors.New("the platform stumbles")
	}
	time.Sleep(time.Millisecond) // so that events meet, and are throttled
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done[string(inv.Payload)]++
	return &sandbox.Result{}, nil
}

// However a function's reservation changes, whatever the platform fails at and however often the service
// stops meanwhile: an event that was accepted runs, and never more of them at once than are allowed.
func TestHistoriesOfThrottledEvents(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 7))
			st, err := pebble.Open(t.TempDir(), pebble.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			a := &attempts{r: rand.New(rand.NewPCG(seed, 8)), done: map[string]int{}}
			blobs := &memoryBlobs{}
			s := newStageOver(t, st, blobs, a.play)
			s.function("f")
			most := 0
			reserve := func() {
				n := 1 + r.IntN(4)
				most = max(most, n)
				s.reserve("f", int32(n))
			}
			reserve()
			sent := 0
			for range 120 {
				switch n := r.IntN(20); {
				case n < 17:
					s.send("f", fmt.Sprint(sent))
					sent++
				case n < 19:
					reserve()
				default:
					s.Close()
					s = newStageOver(t, st, blobs, a.play)
				}
			}
			s.drained()
			if len(a.done) != sent {
				t.Errorf("%d of %d events ran", len(a.done), sent)
			}
			if a.most > most {
				t.Errorf("%d ran at once, at most %d were allowed", a.most, most)
			}
		})
	}
}
