package runtimeapi

import (
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxHead is how long the head of a usual request may be.
const maxHead = 8 << 10

// maxAtOnce is how much may be written to a runtime that waits without the chance that the write waits too.
const maxAtOnce = 16 << 10

const (
	accepted = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n"
	ending   = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: "
)

// conn is a connection on which a runtime makes its usual requests. Its goroutine reads it; what it has
// to be told is written by whoever brings the news. A runtime that asks for the next invocation together
// with its answer leaves nothing to read while it waits: then the goroutine sleeps, and whoever brings
// the next invocation also reads the answer to it. Waking others would cost more than all the rest.
type conn struct {
	net.Conn
	runtime *Runtime
	exited  <-chan struct{} // closed when the runtime's program has ended

	in      [maxHead]byte
	at, end int // of in, what is not yet used

	// owed says that the runtime has not been told that its response was taken, as it asked for the next
	// invocation in the same breath: both replies will go out in one write.
	owed bool
	sent chan struct{} // receives a value when the goroutine is to go on after a request for an invocation

	watched bool // the goroutine reads while it waits
}

// serve reads requests until the connection ends, or until one comes that is not usual: then it returns
// false, and nothing of that request is used up.
func (c *conn) serve() (usual bool) {
	for {
		q, size, ok, err := c.head()
		if err != nil {
			return true
		}
		if !ok || !c.act(q, size) {
			return c.settle() != nil
		}
	}
}

// head waits for the head of the next request and reads it. size is its length; it is not used up.
func (c *conn) head() (q request, size int, ok bool, err error) {
	for {
		if size = headSize(c.in[c.at:c.end]); size > 0 {
			q, ok = parseRequest(c.in[c.at : c.at+size])
			return q, size, ok, nil
		}
		if c.end-c.at == maxHead {
			return q, 0, false, nil
		}
		if err := c.fill(); err != nil {
			return q, 0, false, err
		}
	}
}

// headSize is the length of a head that is there whole, else 0.
func headSize(b []byte) int {
	if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 {
		return i + 4
	}
	return 0
}

// fill reads what there is to read.
func (c *conn) fill() error {
	if c.at > 0 {
		c.end = copy(c.in[:], c.in[c.at:c.end])
		c.at = 0
	}
	n, err := c.Read(c.in[c.end:])
	c.end += n
	if n > 0 {
		return nil
	}
	return err
}

// act does what a request asks for. It returns false, and has done nothing, where that is unusual.
func (c *conn) act(q request, size int) bool {
	if q.ask {
		return c.ask(size)
	}
	call := c.runtime.take(q.id)
	if call == nil {
		return false
	}
	c.at += size
	c.receive(call, q)
	return true
}

// ask waits for an invocation.
func (c *conn) ask(size int) bool {
	c.watched = true
	if !c.runtime.park(c) {
		return false
	}
	c.at += size
	c.wait()
	return true
}

// wait returns once the request for an invocation was answered.
func (c *conn) wait() {
	if c.at == c.end && c.fill() != nil {
		c.runtime.unpark(c)
		return // the next read fails too
	}
	<-c.sent
}

// receive takes an answer.
func (c *conn) receive(call *Call, q request) {
	body, err := c.body(q.length)
	if err != nil && q.failed {
		call.fail("Runtime.TruncatedResponse", "The error could not be read")
		return
	}
	if err != nil {
		call.fail("Runtime.TruncatedResponse", "Response broke off: "+err.Error())
		return
	}
	if c.conclude(call, q, body) {
		c.sleep()
	}
}

// sleep lets others read until there is something for the goroutine. When the runtime's program ends, it
// ends their reading: something else may hold the connection open.
func (c *conn) sleep() {
	select {
	case <-c.sent:
	case <-c.exited:
		c.SetReadDeadline(time.Unix(1, 0))
		<-c.sent
		c.SetReadDeadline(time.Time{})
	}
}

// gone says whether the runtime's program has ended.
func (c *conn) gone() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// conclude ends a call. Where the request for the next invocation came with the answer, that waits
// before anybody learns of the answer: who then looks finds the runtime at rest.
func (c *conn) conclude(call *Call, q request, body []byte) (waits bool) {
	call.take(q, body)
	c.owed = true
	size := headSize(c.in[c.at:c.end])
	if size > 0 {
		next, ok := parseRequest(c.in[c.at : c.at+size])
		if ok && next.ask && size == c.end-c.at {
			c.watched = false
			c.at += size
			if waits = c.runtime.park(c); !waits {
				c.at -= size
			}
		}
	}
	if !waits {
		c.settle()
	}
	call.finish()
	return waits
}

// body reads a request's body.
func (c *conn) body(length int) ([]byte, error) {
	body := make([]byte, length)
	n := copy(body, c.in[c.at:c.end])
	c.at += n
	if _, err := io.ReadFull(c.Conn, body[n:]); err == io.EOF {
		return nil, io.ErrUnexpectedEOF
	} else if err != nil {
		return nil, err
	}
	return body, nil
}

// take makes an answer the call's outcome.
func (c *Call) take(q request, body []byte) {
	if q.failed {
		kind := q.errorType
		if kind == "" {
			kind = typeOf(body)
		}
		c.outcome.Failure = &Failure{Type: kind, Body: body}
		return
	}
	c.outcome.Produced = len(body)
	c.outcome.ContentType = q.contentType
	if out := c.open(q.contentType); out != nil {
		c.pass(out, body)
		return
	}
	c.outcome.Payload = body
}

// settle writes what is owed.
func (c *conn) settle() error {
	if !c.owed {
		return nil
	}
	c.owed = false
	_, err := io.WriteString(c.Conn, accepted)
	return err
}

// outgoing are buffers for what is written.
var outgoing = sync.Pool{New: func() any { return new([]byte) }}

// hand gives a waiting runtime its invocation.
func (c *conn) hand(call *Call) {
	write := func() {
		c.write(call)
		c.sent <- struct{}{}
	}
	if len(call.Payload) > maxAtOnce {
		go write() // it may have to wait until the runtime reads
		return
	}
	write()
}

// exchange gives a waiting runtime its invocation and takes the answer, if that comes before a moment
// and is of the usual kind. All else is left to the goroutine.
func (c *conn) exchange(call *Call, until time.Time) {
	c.SetReadDeadline(until)
	c.write(call)
	for !c.gone() {
		size := headSize(c.in[c.at:c.end])
		if size > 0 {
			if q, ok := parseRequest(c.in[c.at : c.at+size]); ok && c.takeWhole(call, q, size) {
				return
			}
			break
		}
		if c.end-c.at == maxHead || c.fill() != nil {
			break
		}
	}
	c.SetReadDeadline(time.Time{})
	c.sent <- struct{}{}
}

// takeWhole ends a call whose answer was read in one piece, the request for the next invocation
// included. It returns false where the goroutine has to go on.
func (c *conn) takeWhole(call *Call, q request, size int) bool {
	if q.ask || size+q.length > c.end-c.at || c.runtime.take(q.id) != call {
		return false
	}
	body := bytes.Clone(c.in[c.at+size : c.at+size+q.length])
	c.at += size + q.length
	return c.conclude(call, q, body)
}

func (c *conn) write(call *Call) {
	buffer := outgoing.Get().(*[]byte)
	out := (*buffer)[:0]
	if c.owed {
		out, c.owed = append(out, accepted...), false
	}
	out = append(call.appendHead(out), call.Payload...)
	c.Write(out) // an error shows at the next read
	if *buffer = out; cap(out) <= 2*maxAtOnce {
		outgoing.Put(buffer)
	}
}

// appendHead writes the head of an invocation, with the headers' names as net/http writes them.
func (c *Call) appendHead(out []byte) []byte {
	out = append(out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(c.Payload)), 10)
	out = append(out, "\r\nLambda-Runtime-Deadline-Ms: "...)
	out = strconv.AppendInt(out, c.Deadline.UnixMilli(), 10)
	for _, h := range [...]struct{ name, value string }{
		{"\r\nLambda-Runtime-Aws-Request-Id: ", c.RequestID},
		{"\r\nLambda-Runtime-Invoked-Function-Arn: ", c.FunctionARN},
		{"\r\nLambda-Runtime-Trace-Id: ", c.TraceID},
		{"\r\nLambda-Runtime-Client-Context: ", c.ClientContext},
		{"\r\nLambda-Runtime-Cognito-Identity: ", c.Identity},
		{"\r\nLambda-Runtime-Aws-Tenant-Id: ", c.Tenant},
	} {
		if h.value != "" {
			out = append(append(out, h.name...), oneLine(h.value)...)
		}
	}
	return append(out, "\r\n\r\n"...)
}

// oneLine makes a header's value of a text, as net/http does.
func oneLine(s string) string {
	if strings.ContainsAny(s, "\r\n") {
		s = lineBreaks.Replace(s)
	}
	return strings.Trim(s, " \t")
}

var lineBreaks = strings.NewReplacer("\n", " ", "\r", " ")

// dismiss tells a waiting runtime that the environment ends.
func (c *conn) dismiss() {
	var out []byte
	if c.owed {
		out = append(out, accepted...)
	}
	body := ErrorBody("InvalidStateTransition", "The environment is shutting down")
	out = strconv.AppendInt(append(out, ending...), int64(len(body)), 10)
	c.owed = false
	c.Write(append(append(out, "\r\n\r\n"...), body...))
	c.sent <- struct{}{}
}
