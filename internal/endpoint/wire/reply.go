package wire

import (
	"net/http"
	"strconv"
	"sync"
)

// Buffer is a reply's body while it is made.
type Buffer struct{ B []byte }

var buffers = sync.Pool{New: func() any { return &Buffer{B: make([]byte, 0, 4096)} }}

// NewBuffer takes an empty buffer from the pool.
func NewBuffer() *Buffer { return buffers.Get().(*Buffer) }

// Free gives the buffer back unless it grew large.
func (b *Buffer) Free() {
	if cap(b.B) <= 64<<10 {
		b.B = b.B[:0]
		buffers.Put(b)
	}
}

// Send writes a whole reply. An empty contentType stands for none.
func Send(w http.ResponseWriter, status int, contentType string, body []byte) error {
	h := w.Header()
	values := [...]string{contentType, strconv.Itoa(len(body))}
	if contentType != "" {
		h["Content-Type"] = values[:1:1]
	} else if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // net/http must not guess one
	}
	if status != http.StatusNoContent && status != http.StatusNotModified && status >= 200 {
		h["Content-Length"] = values[1:]
	}
	w.WriteHeader(status)
	if len(body) == 0 {
		return nil
	}
	_, err := w.Write(body)
	return err
}
