package sqs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	api "cirro/internal/awsapi/sqs"
	"cirro/internal/endpoint"
	"cirro/internal/endpoint/express"
	"cirro/internal/store/pebble"
)

// crashDirectory is the variable that makes a test's process the server to be killed.
const crashDirectory = "CIRRO_SQS_CRASH"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirectory); dir != "" {
		if err := serveUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// serveUntilKilled serves queues as the platform does, and says where.
func serveUntilKilled(dir string) error {
	st, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler)
	front := endpoint.New(endpoint.Options{Logger: quiet})
	front.Register(&api.Service, New(Deps{Store: st, Caller: front, Log: quiet}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { // an orphan has nobody to serve
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	fmt.Println(l.Addr())
	s := express.Server{HTTP: &http.Server{Handler: front, ErrorLog: log.New(io.Discard, "", 0)},
		Takes: func(h *express.Head) bool { return Operates(h.Method, h.Target, h.Get("X-Amz-Target")) }}
	return s.Serve(l)
}

const (
	crashProducers  = 10 // of which half send to the FIFO queue, each to a group of its own
	crashConsumers  = 10 // of which half receive from it
	crashVisibility = "2"
)

// crash is a server that is killed and started again, with those who use it.
type crash struct {
	*testing.T
	dir     string
	address atomic.Value // string: where it listens now
	http    http.Client
	acked   atomic.Int64
	sending atomic.Bool
	history
}

// TestKilled kills the server of ten producers and ten consumers at random, and checks what they saw.
func TestKilled(t *testing.T) {
	rounds := 4
	if os.Getenv("CIRRO_LONG") != "" {
		rounds = 100
	}
	c := &crash{T: t, dir: t.TempDir()}
	c.http.Transport = &http.Transport{MaxIdleConnsPerHost: crashProducers + crashConsumers}
	c.sending.Store(true)
	kill := c.start()
	for _, q := range []string{"standard", "fifo.fifo"} {
		in := map[string]any{"QueueName": q, "Attributes": map[string]string{"VisibilityTimeout": crashVisibility}}
		if q == "fifo.fifo" {
			in["Attributes"].(map[string]string)["FifoQueue"] = "true"
		}
		if outcome := c.call("CreateQueue", in, nil); outcome != done {
			t.Fatalf("creating %s: %v", q, outcome)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	var producers, consumers sync.WaitGroup
	for i := range crashProducers {
		producers.Go(func() { c.produce(i) })
	}
	for i := range crashConsumers {
		consumers.Go(func() { c.consume(ctx, i) })
	}
	random := rand.New(rand.NewPCG(11, uint64(time.Now().UnixNano())))
	for range rounds {
		before := c.acked.Load()
		time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond) // a moment at random
		for end := time.Now().Add(time.Minute); c.acked.Load() == before && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		kill()
		kill = c.start()
	}
	c.sending.Store(false)
	producers.Wait()
	c.drain()
	stop()
	consumers.Wait()
	kill()
	for _, broken := range c.check() {
		t.Error(broken)
	}
	t.Logf("%d rounds, %d messages acknowledged, %d received, %d deleted", rounds, c.acked.Load(), len(c.receives), len(c.deletes))
}

// start starts the server, and returns what kills it.
func (c *crash) start() (kill func()) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDirectory+"="+c.dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		c.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.Fatalf("the server does not start: %v", err)
	}
	c.address.Store(strings.TrimSpace(line))
	return func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = in.Close()
	}
}

// outcome is what a caller knows of its request.
type outcome int

const (
	done    outcome = iota
	refused         // it did not happen
	unknown         // it may have
)

// call sends a request.
func (c *crash) call(operation string, in, out any) outcome {
	body, err := json.Marshal(in)
	if err != nil {
		panic(err)
	}
	r, err := http.NewRequest(http.MethodPost, "http://"+c.address.Load().(string)+"/", bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("X-Amz-Target", "AmazonSQS."+operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=00")
	resp, err := c.http.Do(r)
	if err != nil {
		time.Sleep(time.Millisecond) // it is being started
		return unknown
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil || resp.StatusCode >= 500:
		return unknown
	case resp.StatusCode != http.StatusOK:
		return refused
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			return unknown
		}
	}
	return done
}

func crashQueue(fifo bool) string {
	if fifo {
		return "fifo.fifo"
	}
	return "standard"
}

// produce sends message after message. To the FIFO queue each is sent again until it is acknowledged, as an SDK does; to
// the other each attempt is a message of its own.
func (c *crash) produce(i int) {
	fifo := i%2 == 0
	url := "/000000000000/" + crashQueue(fifo)
	for n := 1; c.sending.Load(); n++ {
		m := sentMessage{queue: crashQueue(fifo), group: fmt.Sprint("g", i), n: n}
		in := map[string]any{"QueueUrl": url, "MessageBody": m.body()}
		if fifo {
			in["MessageGroupId"], in["MessageDeduplicationId"] = m.group, fmt.Sprint(m.group, "-", n)
		}
		for attempts := 0; ; attempts++ {
			m.begun = c.now()
			c.begin(m)
			var out struct{ MessageId string }
			got := c.call("SendMessage", in, &out)
			if got == done {
				c.acked.Add(1)
				c.acknowledge(m, out.MessageId)
			}
			if got == refused {
				c.Errorf("%s is refused", m.body())
				return
			}
			if got == done || !fifo {
				break
			}
		}
	}
}

// consume receives messages and deletes them.
func (c *crash) consume(ctx context.Context, i int) {
	fifo := i%2 == 0
	url := "/000000000000/" + crashQueue(fifo)
	in := map[string]any{"QueueUrl": url, "MaxNumberOfMessages": 1 + i/2%3, "WaitTimeSeconds": i / 2 % 2}
	for ctx.Err() == nil {
		var out struct {
			Messages []struct{ MessageId, Body, ReceiptHandle string }
		}
		begun := c.now()
		if c.call("ReceiveMessage", in, &out) != done {
			continue
		}
		batch := received{queue: crashQueue(fifo), begun: begun, ended: c.now()}
		for _, m := range out.Messages {
			batch.bodies, batch.ids = append(batch.bodies, m.Body), append(batch.ids, m.MessageId)
		}
		c.received(batch)
		for _, m := range out.Messages {
			d := deletion{queue: crashQueue(fifo), body: m.Body, begun: c.now()}
			at := c.begun(d)
			got := c.call("DeleteMessage", map[string]any{"QueueUrl": url, "ReceiptHandle": m.ReceiptHandle}, nil)
			c.deleted(at, got, c.now())
			if got != done && fifo {
				break // who cannot finish a message must not go on to the next of its group
			}
		}
	}
}

// drain waits until the queues are empty.
func (c *crash) drain() {
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		left := 0
		for _, fifo := range []bool{true, false} {
			var out struct{ Attributes map[string]string }
			in := map[string]any{"QueueUrl": "/000000000000/" + crashQueue(fifo), "AttributeNames": []string{"All"}}
			if c.call("GetQueueAttributes", in, &out) != done {
				left++
				continue
			}
			for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
				if out.Attributes[name] != "0" {
					left++
				}
			}
		}
		if left == 0 {
			return
		}
		if time.Now().After(end) {
			c.Fatal("the queues do not become empty")
		}
	}
}
