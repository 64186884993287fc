package runtimeapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"cirro/internal/sandbox/runtimeapi"
)

const ask = "GET " + runtimeapi.Prefix + "invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"

// client is a runtime that writes bytes as they are.
type client struct {
	net.Conn
	t *testing.T
	r *bufio.Reader
}

func dial(t *testing.T, url string) *client {
	c, err := net.Dial("tcp", strings.Split(strings.TrimPrefix(url, "http://"), "/")[0])
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(2 * time.Minute))
	t.Cleanup(func() { c.Close() })
	return &client{c, t, bufio.NewReader(c)}
}

func (c *client) write(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read(status int) (http.Header, string) {
	c.t.Helper()
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != status {
		c.t.Fatalf("%d %s, %v; want %d", r.StatusCode, body, err, status)
	}
	return r.Header, string(body)
}

func answer(path, body string, headers ...string) string {
	return fmt.Sprintf("POST %sinvocation/%s/%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s",
		runtimeapi.Prefix, id, path, strings.Join(headers, ""), len(body), body)
}

// A runtime that answers and asks in one breath gets both replies, in order, and is at rest by the time
// its answer is seen.
func TestAnswerAndAskTogether(t *testing.T) {
	bothWays(t, func(t *testing.T, server serving) {
		rt, url := server(t)
		c := dial(t, url)
		c.write(ask)
		<-rt.Ready()
		call := run(rt, runtimeapi.Invocation{Payload: []byte("0")})
		for i := range 5 {
			if h, got := c.read(200); got != fmt.Sprint(i) || h.Get("Lambda-Runtime-Aws-Request-Id") != id {
				t.Errorf("%v %s", h, got)
			}
			c.write(answer("response", body(i)) + ask)
			if o := answered(t, <-call); string(o.Payload) != body(i) {
				t.Errorf("payload of %d bytes, want %d", len(o.Payload), len(body(i)))
			}
			<-rt.Ready()
			if i < 4 {
				call = run(rt, runtimeapi.Invocation{Payload: fmt.Append(nil, i+1)})
				c.read(202)
			}
		}
		rt.Close()
		c.read(202)
		c.read(403)
	})
}

// run runs an invocation as one does who waits for nothing but its answer.
func run(rt *runtimeapi.Runtime, v runtimeapi.Invocation) <-chan *runtimeapi.Call {
	calls := make(chan *runtimeapi.Call, 1)
	v.RequestID = id
	go func() {
		c := runtimeapi.NewCall(v)
		rt.Run(c, time.Now().Add(2*time.Minute))
		calls <- c
	}()
	return calls
}

// ready makes a runtime that has answered an invocation and asked for the next.
func ready(t *testing.T, rt *runtimeapi.Runtime, url string) *client {
	c := dial(t, url)
	c.write(ask)
	<-rt.Ready()
	call := run(rt, runtimeapi.Invocation{})
	c.read(200)
	c.write(answer("response", "") + ask)
	answered(t, <-call)
	<-rt.Ready()
	return c
}

// Whoever runs an invocation also gets answers of other kinds, from whoever reads them.
func TestRun(t *testing.T) {
	chunked := fmt.Sprintf("POST %sinvocation/%s/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n", runtimeapi.Prefix, id)
	for name, writes := range map[string][]string{
		"apart":       {answer("response", "one"), ask},
		"halves":      {answer("response", "one")[:50], answer("response", "one")[50:] + ask[:10], ask[10:]},
		"chunked":     {chunked + ask},
		"asked twice": {answer("response", "one") + ask + ask},
	} {
		t.Run(name, func(t *testing.T) {
			rt, url := quick(t)
			c := ready(t, rt, url)
			call := run(rt, runtimeapi.Invocation{})
			c.read(202)
			c.read(200)
			for _, text := range writes {
				c.write(text)
			}
			if o := answered(t, <-call); string(o.Payload) != "one" {
				t.Errorf("%+v", o)
			}
			<-rt.Ready()
			call = run(rt, runtimeapi.Invocation{})
			c.read(202)
			c.read(200)
			if name == "asked twice" {
				c.read(403)
			}
			c.write(answer("response", "two"))
			if o := answered(t, <-call); string(o.Payload) != "two" {
				t.Errorf("%+v", o)
			}
		})
	}
}

// The end of the runtime's program, or of the time, ends the waiting, although its connection is open.
func TestRunEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rt, exited := runtimeapi.New(), make(chan struct{})
	s := runtimeapi.NewServer(rt, rt, exited)
	go s.Serve(l)
	defer s.Close()
	c := ready(t, rt, "http://"+l.Addr().String())
	late := runtimeapi.NewCall(runtimeapi.Invocation{RequestID: id})
	rt.Run(late, time.Now().Add(time.Millisecond))
	c.read(202)
	c.read(200)
	c.write(answer("response", "") + ask)
	answered(t, late)
	<-rt.Ready()
	call := run(rt, runtimeapi.Invocation{})
	c.read(202)
	c.read(200)
	close(exited)
	select {
	case <-(<-call).Done():
		t.Error("there was an answer")
	default:
	}
}

// body is longer than what is read at once, and then shorter.
func body(i int) string { return strings.Repeat("x", 40_000>>(6*i)) }

// What is not usual goes over to net/http in the middle of a connection, and nothing is lost.
func TestGoingOver(t *testing.T) {
	rt, url := quick(t)
	c := dial(t, url)
	c.write(ask)
	first := send(rt, runtimeapi.Invocation{})
	c.read(200)
	chunked := fmt.Sprintf("POST %sinvocation/%s/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n", runtimeapi.Prefix, id)
	c.write(answer("response", "one") + chunked[:20])
	if o := answered(t, first); string(o.Payload) != "one" {
		t.Errorf("first: %q", o.Payload)
	}
	c.read(202)
	c.write(chunked[20:] + ask)
	c.read(400)
	second := send(rt, runtimeapi.Invocation{})
	c.read(200)
	c.write(chunked + ask)
	if o := answered(t, second); string(o.Payload) != "two" {
		t.Errorf("second: %q", o.Payload)
	}
	c.read(202)
	third := send(rt, runtimeapi.Invocation{})
	c.read(200)
	c.write(answer("error", "{}", "Lambda-Runtime-Function-Error-Type: E\r\n"))
	if o := answered(t, third); o.Failure == nil || o.Failure.Type != "E" {
		t.Errorf("third: %+v", o)
	}
}

// An invocation goes to the connection that asked last, if the one before broke.
func TestBrokenConnection(t *testing.T) {
	bothWays(t, func(t *testing.T, server serving) {
		rt, url := server(t)
		c := dial(t, url)
		c.write(ask)
		<-rt.Ready()
		c.Close()
		c = dial(t, url)
		c.write(ask)
		<-rt.Ready()
		send(rt, runtimeapi.Invocation{Payload: []byte("{}")})
		c.read(200)
	})
}

// A payload greater than what a socket holds does not keep its sender waiting.
func TestLargeInvocation(t *testing.T) {
	bothWays(t, func(t *testing.T, server serving) {
		rt, url := server(t)
		c := dial(t, url)
		c.write(ask)
		<-rt.Ready()
		large := strings.Repeat("x", 6<<20)
		send(rt, runtimeapi.Invocation{Payload: []byte(large)})
		if _, body := c.read(200); body != large {
			t.Errorf("%d bytes", len(body))
		}
	})
}

func TestResponseBreaksOff(t *testing.T) {
	bothWays(t, func(t *testing.T, server serving) {
		rt, url := server(t)
		c := dial(t, url)
		c.write(ask)
		call := send(rt, runtimeapi.Invocation{})
		c.read(200)
		whole := answer("response", "one two")
		c.write(whole[:len(whole)-3])
		c.Close()
		if f := answered(t, call).Failure; f == nil || string(f.Body) != `{"errorType":"Runtime.TruncatedResponse","errorMessage":"Response broke off: unexpected EOF"}` {
			t.Errorf("%+v", f)
		}
	})
}

// Values that would break the head are put on one line.
func TestInvocationOnOneLine(t *testing.T) {
	bothWays(t, func(t *testing.T, server serving) {
		rt, url := server(t)
		c := dial(t, url)
		c.write(ask)
		<-rt.Ready()
		send(rt, runtimeapi.Invocation{ClientContext: "{\r\n\"a\": 1}\n"})
		if h, _ := c.read(200); h.Get("Lambda-Runtime-Client-Context") != `{  "a": 1}` {
			t.Errorf("%q", h)
		}
	})
}
