package runtimeapi

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

var (
	typeJSON    = []string{"application/json"}
	errTooLarge = errors.New("body too large")
)

// buffered receives a response whole.
func (c *Call) buffered(w http.ResponseWriter, r *http.Request) {
	body, err := readAll(r, MaxResponse)
	switch {
	case errors.Is(err, errTooLarge):
		// The message is the one that callers of Invoke get.
		c.fail("Function.ResponseSizeTooLarge",
			fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", MaxResponse))
		refuseSize(w)
		return
	case err != nil:
		c.fail("Runtime.TruncatedResponse", "Response broke off: "+err.Error())
		return
	}
	c.outcome.Produced = len(body)
	c.outcome.ContentType = r.Header.Get("Content-Type")
	if out := c.open(c.outcome.ContentType); out != nil {
		c.pass(out, body)
	} else {
		c.outcome.Payload = body
	}
	c.finish()
	accept(w)
}

// stream receives a response in the streaming mode, with an error in the trailers if it failed.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
func (c *Call) stream(w http.ResponseWriter, r *http.Request) {
	c.outcome.ContentType = r.Header.Get("Content-Type")
	err := c.copyStream(r.Body)
	if kind := r.Trailer.Get("Lambda-Runtime-Function-Error-Type"); kind != "" {
		body, decodeErr := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
		if decodeErr != nil {
			body = ErrorBody(kind, "")
		}
		c.breakOff(&Failure{Type: kind, Body: body})
	} else if err != nil {
		kind, message := "Runtime.TruncatedResponse", "Response broke off: "+err.Error()
		if errors.Is(err, errTooLarge) {
			kind = "Function.ResponseSizeTooLarge"
			message = fmt.Sprintf("Response payload size exceeded maximum allowed payload size (%d bytes).", c.limit())
		}
		c.breakOff(&Failure{Type: kind, Body: ErrorBody(kind, message)})
	}
	c.finish()
	if errors.Is(err, errTooLarge) {
		refuseSize(w)
		return
	}
	accept(w)
}

// limit is how many bytes a streamed response may have: its caller may want it whole.
func (c *Call) limit() int {
	if c.Stream == nil {
		return MaxResponse
	}
	return MaxStream
}

// breakOff records an error of a stream: where nothing of it went out, it is as any other failure.
func (c *Call) breakOff(f *Failure) {
	if c.outcome.Produced == 0 || c.Stream == nil {
		c.outcome.Failure = f
		return
	}
	c.outcome.Broken = f
}

func (c *Call) copyStream(body io.Reader) error {
	var out io.Writer
	buffer := make([]byte, 32*1024)
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			if c.outcome.Produced == 0 {
				out = c.open(c.outcome.ContentType)
			}
			c.outcome.Produced += n
			if c.outcome.Produced > c.limit() {
				return errTooLarge
			}
			c.deliver(out, buffer[:n])
		}
		if err == io.EOF {
			c.openEmpty()
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// openEmpty starts a stream that ended without a byte.
func (c *Call) openEmpty() {
	if c.outcome.Produced == 0 {
		c.open(c.outcome.ContentType)
	}
}

func (c *Call) deliver(out io.Writer, chunk []byte) {
	if c.Stream == nil {
		c.outcome.Payload = append(c.outcome.Payload, chunk...) // the caller wants the response whole
		return
	}
	if out != nil {
		c.pass(out, chunk)
	}
}

// open starts the caller's stream, where there is one and the caller is not gone.
func (c *Call) open(contentType string) io.Writer {
	c.streaming.Lock()
	defer c.streaming.Unlock()
	c.outcome.Began = time.Now()
	if c.detached || c.Stream == nil {
		return nil
	}
	return c.Stream(contentType)
}

// pass writes to the caller's stream. What the caller no longer takes is dropped: the function runs on.
func (c *Call) pass(out io.Writer, chunk []byte) {
	c.streaming.Lock()
	defer c.streaming.Unlock()
	if !c.detached {
		out.Write(chunk)
	}
}

// readAll reads a body of at most limit bytes.
func readAll(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	if n := r.ContentLength; n >= 0 {
		body := make([]byte, n)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if int64(len(body)) > limit {
		return nil, errTooLarge
	}
	return body, err
}

func accept(w http.ResponseWriter) {
	h := w.Header()
	h["Date"] = nil
	h["Content-Type"] = typeJSON
	w.WriteHeader(http.StatusAccepted)
	io.WriteString(w, "{\"status\":\"OK\"}\n")
}

func refuseRequestID(w http.ResponseWriter) {
	refuse(w, http.StatusBadRequest, "InvalidRequestID", "Invalid request ID")
}

func refuseSize(w http.ResponseWriter) {
	refuse(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge",
		fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", MaxResponse))
}

func refuse(w http.ResponseWriter, status int, kind, message string) {
	w.Header()["Content-Type"] = typeJSON
	w.WriteHeader(status)
	w.Write(ErrorBody(kind, message))
}

// ErrorBody is an error as this API and the function's callers see it. An empty kind is left out.
func ErrorBody(kind, message string) []byte {
	body, _ := json.Marshal(struct {
		Type    string `json:"errorType,omitempty"`
		Message string `json:"errorMessage"`
	}{kind, message})
	return body
}

// typeOf is the type that an error names itself.
func typeOf(body []byte) string {
	var e struct {
		Type string `json:"errorType"`
	}
	if json.Unmarshal(body, &e) != nil || strings.TrimSpace(e.Type) == "" {
		return "Runtime.Unknown"
	}
	return e.Type
}
