package sns

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// TestPace calls an endpoint more often than it is to be called.
func TestPace(t *testing.T) {
	p := paces{of: map[subscriptionRef]*rate.Limiter{}}
	now := time.Unix(1000, 0)
	for i, c := range []struct {
		of    string
		later time.Duration
		after time.Duration // 0 where it may be called
	}{{"a", 0, 0}, {"a", 0, time.Second}, {"b", 0, 0}, {"a", 400 * time.Millisecond, 600 * time.Millisecond}, {"a", 600 * time.Millisecond, 0}} {
		now = now.Add(c.later)
		err := p.wait(t.Context(), subscriptionRef{ID: c.of}, 1, now)
		var e *early
		if c.after == 0 && err != nil || c.after > 0 && (!errors.As(err, &e) || e.after.Round(time.Millisecond) != c.after) {
			t.Errorf("call %d: %v, not after %v", i, err, c.after)
		}
	}
}
