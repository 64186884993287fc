// Command load is the load generator of the benchmarks, and the yardstick that they compare with.
//
//	load serve                              a bare net/http server that echoes request bodies; prints its address
//	load run -url URL -clients N -for 5s    POSTs a body over N keep-alive connections, prints figures as JSON
//	load fill -url URL -clients N -keys M   POSTs it until each of M keys was sent once
//	load burst -url URL -clients N          POSTs it once over each of N connections at one moment
//	load consume -url URL -clients N        POSTs it to receive a message, and -then to delete that, until -for is over;
//	                                        where there is a -first, that is sent before each
//	load objects -url URL -method PUT …     PUTs or GETs S3 objects, each with a signature
//
// It writes ready-made bytes to plain sockets, so that on a small machine the generator costs little of
// what it measures.
package main

import (
	"bufio"
	"bytes"
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
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("usage: load serve | load run -url URL … | load burst -url URL …")
	}
	switch os.Args[1] {
	case "serve":
		serve()
	case "run", "burst", "fill", "consume":
		run(os.Args[1], os.Args[2:])
	case "objects":
		runObjects(os.Args[2:])
	default:
		log.Fatalf("load: unknown command %q", os.Args[1])
	}
}

func serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("http://%s\n", l.Addr())
	log.Fatal(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = w.Write(b)
	})))
}

// headers is a repeatable flag.
type headers []string

func (h *headers) String() string     { return strings.Join(*h, ", ") }
func (h *headers) Set(s string) error { *h = append(*h, s); return nil }

// figures are what one run measured.
type figures struct {
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Requests  int     `json:"requests"`
	Failed    int     `json:"failed"` // any status but 200
}

func run(mode string, args []string) {
	flags := flag.NewFlagSet(mode, flag.ExitOnError)
	to := flags.String("url", "", "where to POST to")
	clients := flags.Int("clients", 1, "connections, each with one request under way")
	period := flags.Duration("for", 5*time.Second, "how long to measure")
	warmup := flags.Duration("warmup", time.Second, "how long to send before measuring")
	body := flags.String("body", "{}", "the request's body")
	keys := flags.Int("keys", 1, "each "+token+" and each "+same+" in the body becomes a number below this")
	then := flags.String("then", "", "the body of the request that follows, in which "+handle+" is the receipt handle received")
	first := flags.String("first", "", "the body of a request that comes before each receive and is not measured")
	var extra, thenExtra, firstExtra headers
	flags.Var(&extra, "header", "a header line; may be repeated")
	flags.Var(&thenExtra, "then-header", "the same of the request that follows")
	flags.Var(&firstExtra, "first-header", "the same of the request that comes before")
	if err := flags.Parse(args); err != nil {
		log.Fatal(err)
	}
	u, err := url.Parse(*to)
	if err != nil || u.Host == "" {
		log.Fatalf("load: -url %q: %v", *to, err)
	}
	request := fmt.Appendf(head(u, extra), "Content-Length: %d\r\n\r\n%s", len(*body), *body)
	var f any
	switch mode {
	case "burst":
		f = burst(u.Host, request, *clients)
	case "consume":
		c := consumer{host: u.Host, receive: request, head: head(u, thenExtra), then: *then}
		if *first != "" {
			c.first = fmt.Appendf(head(u, firstExtra), "Content-Length: %d\r\n\r\n%s", len(*first), *first)
		}
		f = c.measure(*clients, *warmup, *period)
	case "fill":
		f = measure(u.Host, &template{request: request, keys: *keys, sent: new(atomic.Int64)}, *clients, 0, 24*time.Hour)
	default:
		f = measure(u.Host, &template{request: request, keys: *keys}, *clients, *warmup, *period)
	}
	if err := json.NewEncoder(os.Stdout).Encode(f); err != nil {
		log.Fatal(err)
	}
}

// head is the beginning of a request.
func head(u *url.URL, headers headers) []byte {
	b := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\n", u.RequestURI(), u.Host)
	for _, h := range headers {
		b = fmt.Appendf(b, "%s\r\n", h)
	}
	return b
}

// burstFigures are what one burst measured.
type burstFigures struct {
	All    float64 `json:"all_ms"` // until the last answer
	P50    float64 `json:"p50_ms"`
	Failed int     `json:"failed"` // any status but 200
}

// burst sends a request over each of many connections at one moment.
func burst(host string, request []byte, clients int) burstFigures {
	connections := make([]net.Conn, clients)
	for i := range connections {
		c, err := net.Dial("tcp", host)
		if err != nil {
			log.Fatalf("load: %v", err)
		}
		connections[i] = c
	}
	all, failed := make([]float64, clients), make([]bool, clients)
	began := time.Now()
	var wg sync.WaitGroup
	for i, c := range connections {
		wg.Go(func() {
			if _, err := c.Write(request); err != nil {
				log.Fatalf("load: %v", err)
			}
			status, _, err := readReply(bufio.NewReader(c))
			if err != nil {
				log.Fatalf("load: %v", err)
			}
			all[i], failed[i] = float64(time.Since(began))/float64(time.Millisecond), status != http.StatusOK
		})
	}
	wg.Wait()
	slices.Sort(all)
	f := burstFigures{All: all[clients-1], P50: all[clients/2]}
	for _, bad := range failed {
		if bad {
			f.Failed++
		}
	}
	return f
}

// A token stands for a number of eight digits: one for each of the first kind, in a row, and the same for
// all of the second kind.
const (
	token = "########"
	same  = "@@@@@@@@"
)

// template is a request in which the tokens are to be numbers below keys.
type template struct {
	request []byte
	keys    int
	sent    *atomic.Int64 // how many numbers were sent, where each is sent once; nil where they are chosen at random
}

// requests returns what makes one request after the other, each in the same memory, and nil at the end.
func (t *template) requests() func() []byte {
	request := bytes.Clone(t.request)
	row, alike := places(request, token), places(request, same)
	return func() []byte {
		n := rand.IntN(t.keys)
		if t.sent != nil {
			step := max(len(row), 1)
			if n = int(t.sent.Add(int64(step))) - step; n >= t.keys {
				return nil
			}
		}
		for i, p := range row {
			copy(p, fmt.Sprintf("%0*d", len(p), (n+i)%t.keys))
		}
		for _, p := range alike {
			copy(p, fmt.Sprintf("%0*d", len(p), n))
		}
		return request
	}
}

// places are where a token stands in a request.
func places(request []byte, token string) (found [][]byte) {
	for {
		i := bytes.Index(request, []byte(token))
		if i < 0 {
			return found
		}
		found = append(found, request[i:i+len(token)])
		request = request[i+len(token):]
	}
}

func measure(host string, t *template, clients int, warmup, period time.Duration) figures {
	begin := time.Now().Add(warmup)
	end := begin.Add(period)
	var mu sync.Mutex
	var all []time.Duration
	var failed int
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			times, bad, err := client(host, t.requests(), begin, end)
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
	slices.Sort(all)
	ms := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))]) / float64(time.Millisecond) }
	return figures{PerSecond: float64(len(all)) / min(period, time.Since(begin)).Seconds(), P50: ms(0.5), P99: ms(0.99), Requests: len(all), Failed: failed}
}

// client sends one request after the other until end and returns how long those sent since begin took.
func client(host string, request func() []byte, begin, end time.Time) (times []time.Duration, failed int, err error) {
	c, err := net.Dial("tcp", host)
	if err != nil {
		return nil, 0, err
	}
	defer func() { c.Close() }()
	r := bufio.NewReaderSize(c, 64<<10)
	for {
		at := time.Now()
		next := request()
		if at.After(end) || next == nil {
			return times, failed, nil
		}
		if _, err := c.Write(next); err != nil {
			return nil, 0, err
		}
		status, keep, err := readReply(r)
		if err != nil {
			return nil, 0, err
		}
		if at.After(begin) {
			times = append(times, time.Since(at))
			if status != http.StatusOK {
				failed++
			}
		}
		if !keep { // a peer that closes after every reply pays for its connections
			c.Close()
			if c, err = net.Dial("tcp", host); err != nil {
				return nil, 0, err
			}
			r.Reset(c)
		}
	}
}

func readReply(r *bufio.Reader) (status int, keep bool, err error) {
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return 0, false, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, !resp.Close, err
}
