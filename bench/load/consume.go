package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// handle stands for the receipt handle of a message in the request that deletes it.
const handle = "%HANDLE%"

// consumer receives messages and deletes them, each with the handle that it was received with.
type consumer struct {
	host    string
	first   []byte // nil for none
	receive []byte
	head    []byte // of the request that deletes
	then    string // its body
}

// consumed are what one consumer measured.
type consumed struct {
	figures
	Empty int `json:"empty"` // receives that got nothing
}

func (c *consumer) measure(clients int, warmup, period time.Duration) consumed {
	begin := time.Now().Add(warmup)
	end := begin.Add(period)
	var mu sync.Mutex
	var all []time.Duration
	var f consumed
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			w := worker{consumer: c}
			if err := w.run(begin, end); err != nil {
				log.Fatalf("load: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			all, f.Failed, f.Empty = append(all, w.times...), f.Failed+w.failed, f.Empty+w.empty
		})
	}
	wg.Wait()
	if len(all) == 0 {
		log.Fatal("load: no message was received")
	}
	slices.Sort(all)
	ms := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))]) / float64(time.Millisecond) }
	f.PerSecond, f.P50, f.P99, f.Requests = float64(len(all))/period.Seconds(), ms(0.5), ms(0.99), len(all)
	return f
}

// worker is one of its connections.
type worker struct {
	*consumer
	conn   net.Conn
	in     *bufio.Reader
	times  []time.Duration // from a receive to the end of its delete
	failed int
	empty  int
}

func (w *worker) run(begin, end time.Time) (err error) {
	if w.conn, err = net.Dial("tcp", w.host); err != nil {
		return err
	}
	defer func() { w.conn.Close() }()
	w.in = bufio.NewReaderSize(w.conn, 64<<10)
	for {
		if w.first != nil {
			if _, _, err := w.ask(w.first); err != nil {
				return err
			}
		}
		at := time.Now()
		if at.After(end) {
			return nil
		}
		status, body, err := w.ask(w.receive)
		if err != nil {
			return err
		}
		receipt, ok := receiptOf(body)
		if !ok {
			w.empty++
			continue
		}
		body = []byte(strings.ReplaceAll(w.then, handle, receipt))
		deleted, _, err := w.ask(fmt.Appendf(bytes.Clone(w.head), "Content-Length: %d\r\n\r\n%s", len(body), body))
		if err != nil {
			return err
		}
		if at.After(begin) {
			w.times = append(w.times, time.Since(at))
			if status != http.StatusOK || deleted != http.StatusOK {
				w.failed++
			}
		}
	}
}

func (w *worker) ask(request []byte) (status int, body []byte, err error) {
	if _, err := w.conn.Write(request); err != nil {
		return 0, nil, err
	}
	resp, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err == nil && resp.Close {
		w.conn.Close()
		if w.conn, err = net.Dial("tcp", w.host); err == nil {
			w.in.Reset(w.conn)
		}
	}
	return resp.StatusCode, body, err
}

// receiptOf finds the first receipt handle of a reply, as it is in JSON.
func receiptOf(body []byte) (string, bool) {
	_, rest, ok := bytes.Cut(body, []byte(`"ReceiptHandle":`))
	if !ok {
		return "", false
	}
	rest = bytes.TrimLeft(rest, " \"")
	receipt, _, ok := bytes.Cut(rest, []byte(`"`))
	return string(receipt), ok
}
