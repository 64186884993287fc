package sandbox

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := admission(make(chan struct{}, 1))
		enter := func() (*start, time.Duration) {
			t.Helper()
			began := time.Now()
			s, err := a.enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return s, time.Since(began)
		}
		first, _ := enter()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := a.enter(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("a second place was given: %v", err)
		}
		first.leave()
		first.leave()

		waits, _ := enter()
		waits.computes(func() (time.Duration, bool) { return time.Millisecond, true })
		busy, waited := enter()
		if waited != startLooks {
			t.Errorf("who waited rather than computed kept its place for %v", waited)
		}
		began := time.Now()
		busy.computes(func() (time.Duration, bool) { return time.Since(began), true })
		unknown, waited := enter()
		if waited < startHolds || waited > startHolds+startLooks {
			t.Errorf("who computed kept its place for %v", waited)
		}
		unknown.computes(func() (time.Duration, bool) { return 0, false })
		last, waited := enter()
		if waited < startHolds || waited > startHolds+startLooks {
			t.Errorf("whoever may compute kept its place for %v", waited)
		}
		last.leave()
	})
}
