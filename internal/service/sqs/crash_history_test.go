package sqs

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// history is what producers and consumers did and saw, and when. It is checked against what a queue promises:
//
//   - what was acknowledged is received
//   - what is received was sent
//   - what was deleted is not received by whoever asks later
//   - of a FIFO queue: a message that was sent again is one message; the messages of a group come in their order, each
//     after the end of the one before it
type history struct {
	mu       sync.Mutex
	zero     time.Time
	sent     map[string]sentMessage // by queue and body
	receives []received
	deletes  []deletion
}

type sentMessage struct {
	queue, group string
	n            int
	begun        time.Duration // the first attempt
	id           string        // "" unless it was acknowledged
}

func (m sentMessage) body() string { return fmt.Sprint(m.group, " ", m.n) }

// received is what one receive got.
type received struct {
	queue        string
	bodies, ids  []string
	begun, ended time.Duration
}

// deletion is an attempt to delete a message.
type deletion struct {
	queue, body  string
	outcome      outcome
	begun, ended time.Duration
}

func (h *history) now() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.zero.IsZero() {
		h.zero, h.sent = time.Now(), map[string]sentMessage{}
	}
	return time.Since(h.zero)
}

func (h *history) begin(m sentMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.sent[m.queue+m.body()]; !known {
		h.sent[m.queue+m.body()] = m
	}
}

func (h *history) acknowledge(m sentMessage, id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m = h.sent[m.queue+m.body()]
	m.id = id
	h.sent[m.queue+m.body()] = m
}

func (h *history) received(r received) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(r.bodies) > 0 {
		h.receives = append(h.receives, r)
	}
}

// begun notes a deletion whose outcome is not known yet.
func (h *history) begun(d deletion) (at int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d.outcome = unknown
	h.deletes = append(h.deletes, d)
	return len(h.deletes) - 1
}

func (h *history) deleted(at int, got outcome, ended time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deletes[at].outcome, h.deletes[at].ended = got, ended
}

// ends is when a message's deletion may have come about at the earliest, and when it is certain.
type ends struct{ possible, certain time.Duration }

const nowhen = time.Duration(1<<63 - 1)

func (h *history) ends() map[string]ends {
	all := map[string]ends{}
	for _, d := range h.deletes {
		key := d.queue + d.body
		e, known := all[key]
		if !known {
			e = ends{nowhen, nowhen}
		}
		if d.outcome != refused {
			e.possible = min(e.possible, d.begun)
		}
		if d.outcome == done {
			e.certain = min(e.certain, d.ended)
		}
		all[key] = e
	}
	return all
}

// check returns what was broken.
func (h *history) check() (broken []string) {
	report := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	ends := h.ends()
	seen := map[string]string{} // the id that a message was received with
	for _, r := range h.receives {
		for i, body := range r.bodies {
			key := r.queue + body
			sent, known := h.sent[key]
			if !known || sent.begun > r.ended {
				report("%s: %q is received and was not sent", r.queue, body)
				continue
			}
			if e, gone := ends[key]; gone && e.certain < r.begun {
				report("%s: %q is received by who asked at %v, and was deleted at %v", r.queue, body, r.begun, e.certain)
			}
			if id, again := seen[key]; again && id != r.ids[i] || sent.id != "" && sent.id != r.ids[i] {
				report("%s: %q is more than one message: %s, %s, acknowledged as %s", r.queue, body, id, r.ids[i], sent.id)
			}
			seen[key] = r.ids[i]
			if r.queue == crashQueue(true) && sent.n > 1 {
				if before, ok := h.inOrder(r, i, sent, ends); !ok {
					report("%q is received while %q is not done", body, before)
				}
			}
		}
	}
	for key, m := range h.sent {
		if m.id != "" && seen[key] == "" {
			report("%s: %q was acknowledged and never received", m.queue, m.body())
		}
	}
	return broken
}

// inOrder says whether the message before has been in the same batch, or may have been deleted.
func (h *history) inOrder(r received, i int, m sentMessage, all map[string]ends) (before string, ok bool) {
	m.n--
	before = m.body()
	if slices.Contains(r.bodies[:i], before) {
		return before, true
	}
	e, gone := all[m.queue+before]
	return before, gone && e.possible <= r.ended
}

// TestHistory breaks each promise.
func TestHistory(t *testing.T) {
	const fifo = "fifo.fifo"
	sent := func(n int, id string) sentMessage {
		return sentMessage{queue: fifo, group: "g", n: n, begun: time.Duration(n), id: id}
	}
	got := func(at time.Duration, bodies ...string) received {
		r := received{queue: fifo, bodies: bodies, begun: at, ended: at + 1}
		for range bodies {
			r.ids = append(r.ids, "id")
		}
		return r
	}
	gone := func(body string, at time.Duration, o outcome) deletion {
		return deletion{queue: fifo, body: body, outcome: o, begun: at, ended: at + 1}
	}
	for name, c := range map[string]struct {
		sent     []sentMessage
		receives []received
		deletes  []deletion
		want     string
	}{
		"good":                  {[]sentMessage{sent(1, "id"), sent(2, "id")}, []received{got(10, "g 1"), got(20, "g 2")}, []deletion{gone("g 1", 12, done), gone("g 2", 22, done)}, ""},
		"again before its end":  {[]sentMessage{sent(1, "id")}, []received{got(10, "g 1"), got(12, "g 1")}, []deletion{gone("g 1", 12, done)}, ""},
		"in one batch":          {[]sentMessage{sent(1, "id"), sent(2, "id")}, []received{got(10, "g 1", "g 2")}, nil, ""},
		"perhaps deleted":       {[]sentMessage{sent(1, "id"), sent(2, "id")}, []received{got(10, "g 1"), got(20, "g 2")}, []deletion{gone("g 1", 12, unknown)}, ""},
		"not acknowledged":      {[]sentMessage{sent(1, "")}, nil, nil, ""},
		"lost":                  {[]sentMessage{sent(1, "id")}, nil, nil, "never received"},
		"never sent":            {nil, []received{got(10, "g 1")}, nil, "was not sent"},
		"received before":       {[]sentMessage{sent(20, "id")}, []received{got(10, "g 20")}, nil, "was not sent"},
		"back from the deleted": {[]sentMessage{sent(1, "id")}, []received{got(10, "g 1"), got(20, "g 1")}, []deletion{gone("g 1", 12, done)}, "was deleted at"},
		"twice":                 {[]sentMessage{sent(1, "other")}, []received{got(10, "g 1")}, nil, "more than one message"},
		"out of order":          {[]sentMessage{sent(1, "id"), sent(2, "id")}, []received{got(10, "g 2"), got(20, "g 1")}, []deletion{gone("g 2", 12, done)}, "while \"g 1\" is not done"},
		"order in a batch":      {[]sentMessage{sent(1, "id"), sent(2, "id")}, []received{got(10, "g 2", "g 1")}, nil, "while \"g 1\" is not done"},
		"while it is refused":   {[]sentMessage{sent(1, "id"), sent(2, "id")}, []received{got(10, "g 1"), got(20, "g 2")}, []deletion{gone("g 1", 12, refused)}, "while \"g 1\" is not done"},
	} {
		h := history{receives: c.receives, deletes: c.deletes, sent: map[string]sentMessage{}}
		for _, m := range c.sent {
			h.sent[m.queue+m.body()] = m
		}
		broken := strings.Join(h.check(), "; ")
		if (broken == "") != (c.want == "") || !strings.Contains(broken, c.want) {
			t.Errorf("%s: %q, not %q", name, broken, c.want)
		}
	}
}
