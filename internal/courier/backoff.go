package courier

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"cirro/internal/awsapi"
)

// Backoff says how long to wait between attempts: from Shortest, doubling, to Longest.
type Backoff struct{ Shortest, Longest time.Duration }

// After is the wait after so many attempts, 1 or more, give or take a tenth: what failed together shall not
// come back together.
func (b Backoff) After(attempts int) time.Duration {
	d := b.Longest
	if attempts < 30 {
		d = min(d, b.Shortest<<max(0, attempts-1))
	}
	return Jitter(d)
}

// Jitter is d, give or take a tenth.
func Jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + rand.Float64()/5))
}

// Passing reports whether the error of a call may go away by itself: one of the service's own, or throttling.
func Passing(err error) bool {
	var e *awsapi.Error
	if !errors.As(err, &e) {
		return true
	}
	return e.Type.Code != awsapi.NotImplemented.Code && (e.Type.Server || e.Type.Status == http.StatusTooManyRequests)
}
