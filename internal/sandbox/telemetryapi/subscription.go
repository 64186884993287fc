package telemetryapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxPending is how many bytes of events a slow subscriber may leave waiting; more are dropped.
const maxPending = 8 << 20

// request is the body of a subscription.
type request struct {
	SchemaVersion string   `json:"schemaVersion"`
	Types         []string `json:"types"`
	Buffering     struct {
		MaxItems  *int `json:"maxItems"`
		MaxBytes  *int `json:"maxBytes"`
		TimeoutMs *int `json:"timeoutMs"`
	} `json:"buffering"`
	Destination struct {
		Protocol string `json:"protocol"`
		URI      string `json:"URI"`
		Port     int    `json:"port"`
	} `json:"destination"`
}

// subscription delivers events to one subscriber.
type subscription struct {
	types    []string
	legacy   bool // the events of the Logs API
	maxItems int
	maxBytes int
	wait     time.Duration
	tcp      bool
	url      string
	port     string
	dial     Dialer
	client   *http.Client
	conn     net.Conn // of TCP

	lock    sync.Mutex
	items   [][]byte
	bytes   int
	dropped DroppedRecord
	full    chan struct{} // there is enough for a batch
	some    chan struct{} // there is something
	stop    chan struct{}
	stopped sync.Once
	done    chan struct{}
}

// offer takes an event for delivery if it is of the subscribed types.
func (s *subscription) offer(e Event) {
	if !slices.Contains(s.types, e.Stream()) {
		return
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.bytes > maxPending {
		s.dropped.DroppedRecords++
		return
	}
	if s.dropped.DroppedRecords > 0 {
		lost := s.dropped
		lost.Reason = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."
		s.dropped = DroppedRecord{}
		s.append(Event{Time: e.Time, Type: LogsDropped, Record: lost})
	}
	s.append(e)
	if s.legacy && e.Type == RuntimeDone {
		if d, ok := e.Record.(DoneRecord); ok {
			s.append(Event{Time: e.Time, Type: "platform.end", Record: map[string]string{"requestId": d.RequestID}})
		}
	}
}

// append encodes an event. The lock is held.
func (s *subscription) append(e Event) {
	b, err := json.Marshal(&e)
	if err != nil {
		return
	}
	s.items = append(s.items, b)
	s.bytes += len(b)
	wake(s.some)
	if len(s.items) >= s.maxItems || s.bytes >= s.maxBytes {
		wake(s.full)
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run delivers batches until the subscription is closed.
func (s *subscription) run() {
	defer close(s.done)
	for {
		select {
		case <-s.some:
		case <-s.stop:
			return
		}
		timer := time.NewTimer(s.wait)
		select {
		case <-timer.C:
		case <-s.full:
		case <-s.stop:
			timer.Stop()
			return
		}
		timer.Stop()
		s.flush(context.Background())
	}
}

// close delivers what is left and ends the subscription.
func (s *subscription) close(ctx context.Context) {
	s.stopped.Do(func() { close(s.stop) })
	select {
	case <-s.done:
	case <-ctx.Done():
		return
	}
	s.flush(ctx)
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
	if s.conn != nil {
		s.conn.Close()
	}
}

// flush delivers everything that waits, a batch after the other. What a subscriber does not take at
// the second attempt is lost.
func (s *subscription) flush(ctx context.Context) {
	for {
		batch := s.take()
		if len(batch) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		if s.send(ctx, batch) != nil && ctx.Err() == nil {
			s.send(ctx, batch)
		}
		cancel()
	}
}

func (s *subscription) take() [][]byte {
	s.lock.Lock()
	defer s.lock.Unlock()
	n, size := 0, 0
	for n < len(s.items) && n < s.maxItems && (n == 0 || size+len(s.items[n]) <= s.maxBytes) {
		size += len(s.items[n])
		n++
	}
	batch := s.items[:n:n]
	s.items = s.items[n:]
	if len(s.items) == 0 {
		s.items = nil
	}
	s.bytes -= size
	return batch
}

func (s *subscription) send(ctx context.Context, batch [][]byte) error {
	if s.tcp {
		return s.sendTCP(ctx, append(bytes.Join(batch, []byte("\n")), '\n'))
	}
	body := append(append([]byte{'['}, bytes.Join(batch, []byte(","))...), ']')
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	reply, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	io.Copy(io.Discard, io.LimitReader(reply.Body, 64*1024))
	if reply.StatusCode >= 300 {
		return fmt.Errorf("the subscriber answered %s", reply.Status)
	}
	return nil
}

func (s *subscription) sendTCP(ctx context.Context, body []byte) error {
	if s.conn == nil {
		conn, err := s.dial(ctx, s.port)
		if err != nil {
			return err
		}
		s.conn = conn
	}
	if deadline, ok := ctx.Deadline(); ok {
		s.conn.SetWriteDeadline(deadline)
	}
	if _, err := s.conn.Write(body); err != nil {
		s.conn.Close()
		s.conn = nil
		return err
	}
	return nil
}
