package runtimeapi

import (
	"io"
	"sync"
	"time"
)

// Invocation is what a runtime is asked to do.
type Invocation struct {
	RequestID     string
	FunctionARN   string
	TraceID       string
	ClientContext string // JSON, "" for none
	Identity      string // JSON, "" for none
	Tenant        string
	Deadline      time.Time
	Payload       []byte

	// Stream, where not nil, receives the response as it is made. It is called once, before the first
	// byte, with the response's content type.
	Stream func(contentType string) io.Writer
}

// Call is one invocation on its way through a runtime.
type Call struct {
	Invocation
	done    chan struct{}
	outcome Outcome

	streaming sync.Mutex // held while the stream is written to
	detached  bool       // nobody listens to the stream any more
}

// Outcome is how a runtime answered. It is complete once Done is closed.
type Outcome struct {
	Payload     []byte // nil where it went to Invocation.Stream
	Produced    int    // bytes of the response
	ContentType string
	Failure     *Failure // the function failed
	Broken      *Failure // the stream broke off after its first byte
	Began       time.Time
	Ended       time.Time
}

// Failure is an error that a runtime reported.
type Failure struct {
	Type string // "Runtime.ImportModuleError", "ValueError"
	Body []byte // the error as the function's caller sees it, JSON
}

// NewCall makes a Call ready to be given to Runtime.Send.
func NewCall(v Invocation) *Call { return &Call{Invocation: v, done: make(chan struct{})} }

// Done is closed when the runtime has answered.
func (c *Call) Done() <-chan struct{} { return c.done }

// Outcome is the answer, valid after Done.
func (c *Call) Outcome() *Outcome { return &c.outcome }

// Detach makes sure that the stream is not written to any more when it returns, and says whether any
// of the response went there.
func (c *Call) Detach() (began bool) {
	c.streaming.Lock()
	defer c.streaming.Unlock()
	c.detached = true
	return !c.outcome.Began.IsZero()
}

func (c *Call) finish() {
	c.outcome.Ended = time.Now()
	close(c.done)
}
