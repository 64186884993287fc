// Command fastecho is the echo as a static binary whose client of the Runtime API is a plain socket: what
// a runtime written for speed costs, next to echo, which is AWS's library for Go on net/http.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
)

const next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\n\r\n"

func main() {
	c, err := net.Dial("tcp", os.Getenv("AWS_LAMBDA_RUNTIME_API"))
	if err != nil {
		log.Fatal(err)
	}
	r := bufio.NewReaderSize(c, 64<<10)
	out := []byte(next)
	for {
		if _, err := c.Write(out); err != nil {
			log.Fatal(err)
		}
		if len(out) > len(next) { // the reply to the last response, which comes before the next invocation
			if _, _, err := read(r); err != nil {
				log.Fatal(err)
			}
		}
		id, event, err := read(r)
		if err != nil {
			log.Fatal(err)
		}
		out = fmt.Appendf(out[:0], "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: runtime\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s%s", id, len(event), event, next)
	}
}

// read reads a reply: the invocation's id, where it is one, and the body.
func read(r *bufio.Reader) (id string, body []byte, err error) {
	length := 0
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return "", nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return "", nil, err
			}
		case bytes.EqualFold(name, []byte("Lambda-Runtime-Aws-Request-Id")):
			id = string(value)
		}
	}
	body = make([]byte, length)
	_, err = io.ReadFull(r, body)
	return id, body, err
}
