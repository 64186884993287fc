package runtimeapi

import (
	"net/http"
	"sync"
)

// The paths that a runtime of a function with SnapStart uses besides.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks.html
const (
	RestoreNext  = Prefix + "restore/next"
	RestoreError = Prefix + "restore/error"
)

// Restore is the pause that a runtime makes between its initialisation and its first invocation, so that a
// snapshot can be taken of it. It is an http.Handler for RestoreNext, which the runtime waits in and which
// Release answers, and for RestoreError, which reports a hook that failed after it.
type Restore struct {
	reached  chan struct{}
	released chan struct{}
	failed   chan *Failure

	reach, release sync.Once
}

// NewRestore makes a Restore of which the runtime has not heard.
func NewRestore() *Restore {
	return &Restore{reached: make(chan struct{}), released: make(chan struct{}), failed: make(chan *Failure, 1)}
}

// Reached is closed when the runtime has come to the pause.
func (p *Restore) Reached() <-chan struct{} { return p.reached }

// Failed receives the error with which the runtime's way back from the pause ended.
func (p *Restore) Failed() <-chan *Failure { return p.failed }

// Release ends the pause, even before it is reached. It may be called more than once.
func (p *Restore) Release() { p.release.Do(func() { close(p.released) }) }

// ServeHTTP answers one request of the runtime.
func (p *Restore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case RestoreNext:
		if allow(w, r, http.MethodGet) {
			p.next(w, r)
		}
	case RestoreError:
		if allow(w, r, http.MethodPost) {
			p.fail(w, r)
		}
	default:
		http.NotFound(w, r)
	}
}

// next waits for the end of the pause. The answer is empty, as AWS's is.
func (p *Restore) next(w http.ResponseWriter, r *http.Request) {
	p.reach.Do(func() { close(p.reached) })
	select {
	case <-p.released:
		w.WriteHeader(http.StatusOK)
	case <-r.Context().Done():
	}
}

func (p *Restore) fail(w http.ResponseWriter, r *http.Request) {
	select {
	case <-p.released:
	default:
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "State transition is not allowed")
		return
	}
	f, ok := readFailure(w, r)
	if !ok {
		return
	}
	select {
	case p.failed <- f:
		accept(w)
	default:
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "State transition is not allowed")
	}
}
