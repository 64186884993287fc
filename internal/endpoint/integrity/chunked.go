package integrity

import (
	"bufio"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
)

// IncompleteBody is the answer to a body that ends early or is not framed as it should be.
var IncompleteBody = &awsapi.ErrorType{Code: "IncompleteBody", Status: http.StatusBadRequest}

// Chain checks chunk signatures; sigv4.Chain is one.
type Chain interface {
	io.Writer
	CheckChunk(signature string) error
	CheckTrailer(lines, signature string) error
}

// Framing says how an aws-chunked body is framed.
type Framing struct {
	Chain   Chain    // nil to leave signatures unchecked
	Length  int64    // of the data, from X-Amz-Decoded-Content-Length; -1 for unknown
	Trailer []string // names in the X-Amz-Trailer header
}

// MaxLine is the longest line of a frame: a chunk's head or a trailer.
const MaxLine = 4096

// Chunked returns the data of an aws-chunked body.
func Chunked(body io.Reader, f Framing) io.Reader {
	c := &chunked{in: bufio.NewReaderSize(body, MaxLine), framing: f}
	for _, name := range f.Trailer {
		name = strings.ToLower(strings.TrimSpace(name))
		if make := checksums[name]; make != nil {
			c.sums = append(c.sums, sum{name, make()})
		}
	}
	return c
}

type sum struct {
	name string
	hash hash.Hash
}

type chunked struct {
	in        *bufio.Reader
	framing   Framing
	sums      []sum
	left      int64  // of the chunk that is being read
	signature string // of the chunk that is being read
	open      bool   // a chunk is being read
	total     int64
	err       error
	values    map[string]string // of the trailer
}

// Checksums implements awsapi.Verified.
func (c *chunked) Checksums() map[string]string {
	out := make(map[string]string, len(c.sums)+2)
	for _, s := range c.sums {
		out[s.name] = c.values[s.name]
	}
	return out
}

func (c *chunked) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for c.err == nil && c.left == 0 {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.in.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.total += int64(n)
	if c.framing.Chain != nil {
		_, _ = c.framing.Chain.Write(p[:n])
	}
	for i := range c.sums {
		c.sums[i].hash.Write(p[:n])
	}
	if err != nil {
		c.err = incomplete()
	}
	return n, nil
}

// next ends the chunk that was read and reads the head of the one that follows.
func (c *chunked) next() error {
	if c.open {
		if line, err := c.line(); err != nil || line != "" {
			return incomplete()
		}
		if err := c.checkChunk(); err != nil {
			return err
		}
	}
	head, err := c.line()
	if err != nil {
		return incomplete()
	}
	size, extension, _ := strings.Cut(head, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(size), 16, 40)
	if err != nil {
		return incomplete()
	}
	c.signature, _ = strings.CutPrefix(strings.TrimSpace(extension), "chunk-signature=")
	c.left, c.open = int64(n), true
	if n > 0 {
		if c.framing.Length >= 0 && c.total+c.left > c.framing.Length {
			return incomplete()
		}
		return nil
	}
	if err := c.checkChunk(); err != nil {
		return err
	}
	return c.finish()
}

func (c *chunked) checkChunk() error {
	if c.framing.Chain == nil {
		return nil
	}
	return c.framing.Chain.CheckChunk(c.signature)
}

// finish reads the trailer and compares what it says. It returns io.EOF where all is well.
func (c *chunked) finish() error {
	var lines strings.Builder
	c.values = map[string]string{}
	signature := ""
	for range 16 {
		line, err := c.line()
		if errors.Is(err, io.EOF) || err == nil && line == "" {
			break
		}
		if err != nil {
			return err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return incomplete()
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if name == "x-amz-trailer-signature" {
			signature = value
			continue
		}
		c.values[name] = value
		lines.WriteString(name + ":" + value + "\n")
	}
	if len(c.framing.Trailer) > 0 && c.framing.Chain != nil {
		if err := c.framing.Chain.CheckTrailer(lines.String(), signature); err != nil {
			return err
		}
	}
	for _, s := range c.sums {
		value, ok := c.values[s.name]
		if !ok {
			return incomplete()
		}
		if value != base64.StdEncoding.EncodeToString(s.hash.Sum(nil)) {
			return mismatch(s.name)
		}
	}
	if c.framing.Length >= 0 && c.total != c.framing.Length {
		return incomplete()
	}
	return io.EOF
}

// line reads a line without its end. io.EOF stands for an end where no line has begun.
func (c *chunked) line() (string, error) {
	b, err := c.in.ReadSlice('\n')
	switch {
	case err == io.EOF && len(b) == 0:
		if c.left == 0 && c.open {
			return "", io.EOF
		}
		return "", incomplete()
	case err != nil:
		return "", incomplete()
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

func incomplete() error {
	return IncompleteBody.New("The request body terminated unexpectedly")
}
