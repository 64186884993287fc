package express

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// maxAtOnce is how much of a reply is put together for one write.
const maxAtOnce = 64 << 10

// reply is the http.ResponseWriter of a request that is taken.
type reply struct {
	conn   *conn
	header http.Header
	names  []string // of the header, in order

	status   int
	declared int64 // the body's length, -1 where the handler has not said it
	written  int64 // of the body
	typed    bool  // Content-Type is said, or is not to be
	bodiless bool
	last     bool

	out    []byte // what is to be sent: the head and, where the length was declared, of the body
	whole  bool   // the head is complete
	rest   []byte // the body, where its length was not declared
	failed error

	postponed bool
}

// begin makes the reply one to another request.
func (w *reply) begin(c *conn) {
	if w.header == nil {
		w.header = make(http.Header, 8)
	}
	clear(w.header)
	if cap(w.out) > usualBuffer {
		w.out = nil
	}
	*w = reply{conn: c, header: w.header, names: w.names[:0], out: w.out[:0], declared: -1}
}

// Postpone leaves the request to net/http after all, which gets it as it came; the reply is void. A handler does so that
// would have to wait long: net/http tells it when the client goes.
func (w *reply) Postpone() { w.postponed = true }

// Header implements http.ResponseWriter.
func (w *reply) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. Informational replies are left out, as HTTP lets one.
func (w *reply) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return
	}
	w.status = status
	w.bodiless = status == http.StatusNoContent || status == http.StatusNotModified
	w.last = w.conn.server.closing.Load()
	w.out = append(w.out, "HTTP/1.1 "...)
	w.out = strconv.AppendInt(w.out, int64(status), 10)
	w.out = append(append(append(w.out, ' '), http.StatusText(status)...), "\r\n"...)
	for name := range w.header {
		w.names = append(w.names, name)
	}
	slices.Sort(w.names)
	for _, name := range w.names {
		w.line(name, w.header[name])
	}
	if _, said := w.header["Date"]; !said {
		w.out = append(w.out, dateLine(time.Now())...)
	}
	if w.last {
		w.out = append(w.out, "Connection: close\r\n"...)
	}
}

// dated is the Date of a second, as a header.
type dated struct {
	second int64
	line   string
}

var lastDate atomic.Pointer[dated]

// dateLine is the header that tells the time: most replies share it with the one before.
func dateLine(now time.Time) string {
	second := now.Unix()
	if d := lastDate.Load(); d != nil && d.second == second {
		return d.line
	}
	d := &dated{second, "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
	lastDate.Store(d)
	return d.line
}

// line writes a header.
func (w *reply) line(name string, values []string) {
	switch name {
	case "Content-Length":
		if len(values) > 0 && !w.bodiless {
			if n, ok := parseLength(values[0]); ok {
				w.declared = n
			}
		}
		return
	case "Content-Type":
		w.typed = true
	case "Transfer-Encoding":
		return
	case "Connection":
		w.last = w.last || slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, "close") })
		return
	}
	if !httpguts.ValidHeaderFieldName(name) {
		return
	}
	for _, v := range values {
		if strings.ContainsAny(v, "\r\n") {
			v = lineBreaks.Replace(v)
		}
		w.out = append(append(w.out, name...), ": "...)
		w.out = append(append(w.out, strings.Trim(v, " \t")...), "\r\n"...)
	}
}

var lineBreaks = strings.NewReplacer("\n", " ", "\r", " ")

// Write implements http.ResponseWriter.
func (w *reply) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.bodiless {
		return 0, http.ErrBodyNotAllowed
	}
	if w.declared < 0 {
		w.rest = append(w.rest, p...)
		return len(p), nil
	}
	w.written += int64(len(p))
	if w.written > w.declared {
		return 0, http.ErrContentLength
	}
	if w.failed != nil {
		return 0, w.failed
	}
	w.complete(p, w.declared)
	if len(w.out)+len(p) <= maxAtOnce {
		w.out = append(w.out, p...)
		return len(p), nil
	}
	return len(p), w.send(p)
}

// ReadFrom implements io.ReaderFrom: a file whose length was declared goes to the socket within the kernel.
func (w *reply) ReadFrom(r io.Reader) (int64, error) {
	l, ok := r.(*io.LimitedReader)
	if !ok || w.declared < 0 || w.bodiless || w.failed != nil || l.N > w.declared-w.written || l.N <= maxAtOnce {
		return io.Copy(struct{ io.Writer }{w}, r)
	}
	w.complete(nil, w.declared)
	if len(w.out) > 0 {
		if err := w.send(nil); err != nil {
			return 0, err
		}
	}
	n, err := w.conn.ReadFrom(r)
	w.written += n
	w.failed = err
	return n, err
}

// complete ends the head of a reply whose body has a length, and begins as given.
func (w *reply) complete(body []byte, length int64) {
	if w.whole {
		return
	}
	w.whole = true
	if !w.typed && len(body) > 0 {
		w.out = append(append(append(w.out, "Content-Type: "...), http.DetectContentType(body)...), "\r\n"...)
	}
	if !w.bodiless {
		w.out = append(w.out, "Content-Length: "...)
		w.out = append(strconv.AppendInt(w.out, length, 10), "\r\n"...)
	}
	w.out = append(w.out, "\r\n"...)
}

// send sends what is put together, and more.
func (w *reply) send(more []byte) error {
	if len(more) == 0 {
		_, w.failed = w.conn.Conn.Write(w.out)
	} else {
		parts := net.Buffers{w.out, more}
		_, w.failed = parts.WriteTo(w.conn.Conn)
	}
	w.out = w.out[:0]
	return w.failed
}

// end sends what is not sent yet. It returns false where the connection cannot go on.
func (w *reply) end() bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.declared < 0 {
		w.complete(w.rest, int64(len(w.rest)))
		if len(w.out)+len(w.rest) <= maxAtOnce {
			w.out, w.rest = append(w.out, w.rest...), nil
		}
	} else {
		w.complete(nil, w.declared)
	}
	if w.failed == nil && len(w.out)+len(w.rest) > 0 {
		w.send(w.rest)
	}
	w.rest = nil
	return w.failed == nil && !w.last && (w.declared < 0 || w.written == w.declared)
}
