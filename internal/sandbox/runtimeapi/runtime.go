package runtimeapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Prefix is what the paths of this API begin with.
const Prefix = "/2018-06-01/runtime/"

// MaxResponse is how many bytes a buffered response may have, and MaxStream a streamed one.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	MaxResponse = 6*1024*1024 + 100
	MaxStream   = 200 * 1024 * 1024
)

// Runtime is the runtime of one execution environment, as this API sees it. It is an http.Handler for
// the paths under Prefix.
type Runtime struct {
	work       chan *Call
	ready      chan struct{}
	initFailed chan *Failure
	closed     chan struct{}
	closeOnce  sync.Once

	lock    sync.Mutex
	current *Call   // handed out and not answered
	begun   bool    // the runtime asked for an invocation at least once
	parked  []*conn // that wait for an invocation; the last asked last
	ended   bool    // Close was called
}

// New makes a Runtime of which nothing has been heard.
func New() *Runtime {
	return &Runtime{
		work:       make(chan *Call, 1),
		ready:      make(chan struct{}, 1),
		initFailed: make(chan *Failure, 1),
		closed:     make(chan struct{}),
	}
}

// Ready receives a value whenever the runtime asks for its next invocation.
func (rt *Runtime) Ready() <-chan struct{} { return rt.ready }

// InitFailed receives the error with which the runtime's initialization ended.
func (rt *Runtime) InitFailed() <-chan *Failure { return rt.initFailed }

// Send gives the runtime its next invocation. The runtime must have been Ready since the last one.
func (rt *Runtime) Send(c *Call) {
	select {
	case <-rt.ready: // asked twice, as after a broken connection
	default:
	}
	if to := rt.waiting(c); to != nil {
		to.hand(c)
	}
}

// Run does as Send, and may also wait for the answer, at most until a moment: that is quicker where
// there is nothing else to wait for. The call is Done when the answer came.
func (rt *Runtime) Run(c *Call, until time.Time) {
	select {
	case <-rt.ready:
	default:
	}
	switch to := rt.waiting(c); {
	case to == nil:
	case to.watched || len(c.Payload) > maxAtOnce:
		to.hand(c)
	default:
		to.exchange(c, until)
	}
}

// waiting returns the connection that an invocation goes to. Where none of those served here waits, it
// is left for a request that net/http serves.
func (rt *Runtime) waiting(c *Call) *conn {
	rt.lock.Lock()
	defer rt.lock.Unlock()
	last := len(rt.parked) - 1
	if last < 0 {
		rt.work <- c
		return nil
	}
	to := rt.parked[last]
	rt.parked = rt.parked[:last]
	rt.current = c
	return to
}

// park lets a connection wait for an invocation. It returns false where it need not wait or may not.
func (rt *Runtime) park(c *conn) bool {
	rt.lock.Lock()
	defer rt.lock.Unlock()
	if rt.current != nil || rt.ended || len(rt.work) > 0 {
		return false
	}
	rt.begun = true
	rt.parked = append(rt.parked, c)
	select {
	case rt.ready <- struct{}{}:
	default:
	}
	return true
}

// unpark forgets a connection that broke.
func (rt *Runtime) unpark(c *conn) {
	rt.lock.Lock()
	defer rt.lock.Unlock()
	if i := slices.Index(rt.parked, c); i >= 0 {
		rt.parked = slices.Delete(rt.parked, i, i+1)
		c.sent <- struct{}{}
	}
}

// Close ends requests that wait.
func (rt *Runtime) Close() {
	rt.closeOnce.Do(func() {
		rt.lock.Lock()
		parked := rt.parked
		rt.parked, rt.ended = nil, true
		rt.lock.Unlock()
		for _, c := range parked {
			c.dismiss()
		}
		close(rt.closed)
	})
}

// ServeHTTP answers one request of the runtime.
func (rt *Runtime) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, Prefix)
	if path == "invocation/next" {
		if allow(w, r, http.MethodGet) {
			rt.next(w, r)
		}
		return
	}
	if path == "init/error" {
		if allow(w, r, http.MethodPost) {
			rt.initError(w, r)
		}
		return
	}
	if rest, ok := strings.CutPrefix(path, "invocation/"); ok {
		if id, ok := strings.CutSuffix(rest, "/response"); ok {
			if allow(w, r, http.MethodPost) {
				rt.response(w, r, id)
			}
			return
		}
		if id, ok := strings.CutSuffix(rest, "/error"); ok {
			if allow(w, r, http.MethodPost) {
				rt.invocationError(w, r, id)
			}
			return
		}
	}
	http.Error(w, "404 page not found", http.StatusNotFound)
}

func allow(w http.ResponseWriter, r *http.Request, method string) bool {
	if r.Method == method {
		return true
	}
	w.Header().Set("Allow", method)
	http.Error(w, "", http.StatusMethodNotAllowed)
	return false
}

// next waits for an invocation and hands it out.
func (rt *Runtime) next(w http.ResponseWriter, r *http.Request) {
	rt.lock.Lock()
	busy := rt.current != nil
	rt.begun = true
	rt.lock.Unlock()
	if busy {
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "State transition is not allowed")
		return
	}
	select {
	case rt.ready <- struct{}{}:
	default:
	}
	select {
	case c := <-rt.work:
		rt.lock.Lock()
		rt.current = c
		rt.lock.Unlock()
		c.write(w)
	case <-r.Context().Done():
	case <-rt.closed:
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "The environment is shutting down")
	}
}

// The headers' names are written as net/http canonicalizes them, so that no lookup has to.
func (c *Call) write(w http.ResponseWriter) {
	h := w.Header()
	h["Date"] = nil
	h["Content-Type"] = typeJSON
	h["Content-Length"] = []string{strconv.Itoa(len(c.Payload))}
	h["Lambda-Runtime-Aws-Request-Id"] = []string{c.RequestID}
	h["Lambda-Runtime-Deadline-Ms"] = []string{strconv.FormatInt(c.Deadline.UnixMilli(), 10)}
	h["Lambda-Runtime-Invoked-Function-Arn"] = []string{c.FunctionARN}
	for _, optional := range [...]struct{ name, value string }{
		{"Lambda-Runtime-Trace-Id", c.TraceID},
		{"Lambda-Runtime-Client-Context", c.ClientContext},
		{"Lambda-Runtime-Cognito-Identity", c.Identity},
		{"Lambda-Runtime-Aws-Tenant-Id", c.Tenant},
	} {
		if optional.value != "" {
			h[optional.name] = []string{optional.value}
		}
	}
	w.Write(c.Payload)
}

// take returns the invocation that a request answers, and forgets it: one invocation has one answer.
func (rt *Runtime) take(id string) *Call {
	rt.lock.Lock()
	defer rt.lock.Unlock()
	c := rt.current
	if c == nil || c.RequestID != id {
		return nil
	}
	rt.current = nil
	return c
}

func (rt *Runtime) response(w http.ResponseWriter, r *http.Request, id string) {
	c := rt.take(id)
	if c == nil {
		refuseRequestID(w)
		return
	}
	// A body of unknown length is a stream too, even where the runtime does not say so: AWS's library
	// for Go streams in this way.
	switch mode := r.Header.Get("Lambda-Runtime-Function-Response-Mode"); {
	case mode == "streaming" || mode == "" && r.ContentLength < 0:
		c.stream(w, r)
	case mode == "":
		c.buffered(w, r)
	default:
		c.fail("Runtime.InvalidResponseModeHeader", "Invalid response mode header: "+mode)
		refuse(w, http.StatusBadRequest, "Runtime.InvalidResponseModeHeader", "Invalid response mode header: "+mode)
	}
}

// fail ends a call with an error of the platform's about what the runtime did.
func (c *Call) fail(kind, message string) {
	c.outcome.Failure = &Failure{Type: kind, Body: ErrorBody(kind, message)}
	c.finish()
}

func (rt *Runtime) invocationError(w http.ResponseWriter, r *http.Request, id string) {
	c := rt.take(id)
	if c == nil {
		refuseRequestID(w)
		return
	}
	f, ok := readFailure(w, r)
	if !ok {
		c.fail("Runtime.TruncatedResponse", "The error could not be read")
		return
	}
	c.outcome.Failure = f
	c.finish()
	accept(w)
}

func (rt *Runtime) initError(w http.ResponseWriter, r *http.Request) {
	rt.lock.Lock()
	begun := rt.begun
	rt.lock.Unlock()
	if begun {
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "State transition is not allowed")
		return
	}
	f, ok := readFailure(w, r)
	if !ok {
		return
	}
	select {
	case rt.initFailed <- f:
		accept(w)
	default:
		refuse(w, http.StatusForbidden, "InvalidStateTransition", "State transition is not allowed")
	}
}

func readFailure(w http.ResponseWriter, r *http.Request) (*Failure, bool) {
	body, err := readAll(r, MaxResponse)
	if err != nil {
		refuseSize(w)
		return nil, false
	}
	kind := r.Header.Get("Lambda-Runtime-Function-Error-Type")
	if kind == "" {
		kind = typeOf(body)
	}
	return &Failure{Type: kind, Body: body}, true
}
