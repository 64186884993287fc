package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// objects is a load of signed requests on objects, each whole in memory but for its body, which all have in common.
type objects struct {
	host    string
	heads   [][]byte
	body    []byte // of a PUT, repeated until there are size bytes
	size    int64
	once    *atomic.Int64 // how many were sent, where each is sent once
	credits aws.Credentials
}

// piece is how much of a body is written or read at a time.
const piece = 1 << 20

func runObjects(args []string) {
	flags := flag.NewFlagSet("objects", flag.ExitOnError)
	to := flags.String("url", "", "the bucket, and what keys begin with")
	method := flags.String("method", http.MethodGet, "PUT or GET")
	query := flags.String("query", "", "a query string; the url has no key then")
	keys := flags.Int("keys", 1, "how many objects there are")
	size := flags.Int64("size", 0, "bytes of an object")
	clients := flags.Int("clients", 1, "connections, each with one request under way")
	period := flags.Duration("for", 5*time.Second, "how long to measure; 0 to send each request once")
	warmup := flags.Duration("warmup", time.Second, "how long to send before measuring")
	access := flags.String("access", "test", "access key")
	secret := flags.String("secret", "test", "secret key")
	if err := flags.Parse(args); err != nil {
		log.Fatal(err)
	}
	u, err := url.Parse(*to)
	if err != nil {
		log.Fatal(err)
	}
	o := &objects{host: u.Host, size: *size, credits: aws.Credentials{AccessKeyID: *access, SecretAccessKey: *secret}}
	if *method == http.MethodPut {
		o.body = make([]byte, min(*size, piece))
		for i := range o.body {
			o.body[i] = byte(rand.Uint32())
		}
	}
	for i := range *keys {
		target := fmt.Sprintf("%s%08d", *to, i)
		if *query != "" {
			target = *to + "?" + *query
		}
		o.heads = append(o.heads, o.sign(*method, target))
	}
	if *period == 0 {
		o.once, *warmup, *period = new(atomic.Int64), 0, 24*time.Hour
	}
	if err := json.NewEncoder(os.Stdout).Encode(o.measure(*clients, *warmup, *period)); err != nil {
		log.Fatal(err)
	}
}

// sign makes the head of a request.
func (o *objects) sign(method, target string) []byte {
	r, err := http.NewRequest(method, target, nil)
	if err != nil {
		log.Fatal(err)
	}
	const unsigned = "UNSIGNED-PAYLOAD"
	r.Header.Set("X-Amz-Content-Sha256", unsigned)
	if method == http.MethodPut {
		r.ContentLength = o.size
	}
	signer := v4.NewSigner(func(s *v4.SignerOptions) { s.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(context.Background(), o.credits, r, unsigned, "s3", "us-east-1", time.Now()); err != nil {
		log.Fatal(err)
	}
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, r.URL.RequestURI(), r.URL.Host)
	for name, values := range r.Header {
		b = fmt.Appendf(b, "%s: %s\r\n", name, values[0])
	}
	if method == http.MethodPut {
		b = fmt.Appendf(b, "Content-Length: %d\r\n", o.size)
	}
	return append(b, "\r\n"...)
}

func (o *objects) measure(clients int, warmup, period time.Duration) figures {
	begin := time.Now().Add(warmup)
	end := begin.Add(period)
	var mu sync.Mutex
	var all []time.Duration
	var failed int
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			times, bad, err := o.client(begin, end)
			if err != nil {
				log.Fatalf("load: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			all, failed = append(all, times...), failed+bad
		})
	}
	wg.Wait()
	if len(all) == 0 {
		log.Fatal("load: no request ended within the time")
	}
	took := min(period, time.Since(begin))
	if o.size > piece {
		took = time.Since(begin) // the last one counts, too, and is long
	}
	slices.Sort(all)
	ms := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))]) / float64(time.Millisecond) }
	return figures{PerSecond: float64(len(all)) / took.Seconds(), P50: ms(0.5), P99: ms(0.99), Requests: len(all), Failed: failed}
}

func (o *objects) next() []byte {
	if o.once == nil {
		return o.heads[rand.IntN(len(o.heads))]
	}
	if n := o.once.Add(1); n <= int64(len(o.heads)) {
		return o.heads[n-1]
	}
	return nil
}

func (o *objects) client(begin, end time.Time) (times []time.Duration, failed int, err error) {
	c, err := net.Dial("tcp", o.host)
	if err != nil {
		return nil, 0, err
	}
	defer func() { c.Close() }()
	r := bufio.NewReaderSize(c, 16<<10)
	waste := make([]byte, piece)
	for {
		at := time.Now()
		head := o.next()
		if at.After(end) || head == nil {
			return times, failed, nil
		}
		if err := o.send(c, head); err != nil {
			return nil, 0, err
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return nil, 0, err
		}
		for err == nil {
			_, err = resp.Body.Read(waste)
		}
		if err != io.EOF {
			return nil, 0, err
		}
		if at.After(begin) {
			times = append(times, time.Since(at))
			if resp.StatusCode != http.StatusOK {
				failed++
			}
		}
		if resp.Close {
			c.Close()
			if c, err = net.Dial("tcp", o.host); err != nil {
				return nil, 0, err
			}
			r.Reset(c)
		}
	}
}

// send sends a request.
func (o *objects) send(c net.Conn, head []byte) error {
	parts := net.Buffers{head, o.body}
	_, err := parts.WriteTo(c)
	for left := o.size - int64(len(o.body)); left > 0 && len(o.body) > 0 && err == nil; left -= piece {
		_, err = c.Write(o.body[:min(left, piece)])
	}
	return err
}
