package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"cirro/internal/store"
)

// queueModel does random things to a store's queue and to a simple one in memory, and compares. Time
// plays no part: leases and delays end never, or at once.
func queueModel(s *suite) {
	rounds, steps := 8, 150
	if long() {
		rounds, steps = 100, 500
	}
	for round := range rounds {
		s.each(fmt.Sprint("seed=", round), func(s *suite) {
			p := player{suite: s, random: rand.New(rand.NewPCG(3, uint64(round))), live: map[string]bool{}}
			for range steps {
				p.step()
			}
		})
	}
}

// player plays on both queues.
type player struct {
	*suite
	random   *rand.Rand
	messages []*modelMessage // of the queue, in order
	dead     []*modelMessage
	leases   []store.Message // all ever
	live     map[string]bool // the tokens of leases not lost
	sent     int
}

type modelMessage struct {
	body, group     string
	delayed, leased bool
	deliveries      int
	token           string
}

func (p *player) step() {
	switch n := p.random.IntN(100); {
	case n < 35:
		p.transaction()
	case n < 60:
		p.receiveSome(0)
	case n < 65:
		p.receiveSome(1 + p.random.IntN(3))
	case n < 85:
		p.endLease()
	case n < 88:
		p.transactionFails()
	case n < 90:
		p.purgeAll()
	case n < 92:
		p.reopen()
	default:
		p.compareStats()
	}
}

// transaction enqueues a few messages.
func (p *player) transaction() {
	var added []*modelMessage
	p.update(func(tx store.Tx) error {
		added = nil
		for range 1 + p.random.IntN(3) {
			m, n := p.newMessage()
			added = append(added, m)
			if _, err := tx.Enqueue("q", n); err != nil {
				return err
			}
		}
		return nil
	})
	p.messages = append(p.messages, added...)
}

func (p *player) transactionFails() {
	broken := errors.New("broken")
	err := p.s.Update(p.Context(), func(tx store.Tx) error {
		_, n := p.newMessage()
		_, err := tx.Enqueue("q", n)
		err = errors.Join(err, tx.Purge("q"))
		return errors.Join(err, broken)
	})
	if !errors.Is(err, broken) {
		p.Fatal(err)
	}
}

func (p *player) newMessage() (*modelMessage, store.NewMessage) {
	p.sent++
	m := &modelMessage{body: fmt.Sprint("m", p.sent)}
	if p.random.IntN(2) == 0 {
		m.group = string(rune('a' + p.random.IntN(4)))
	}
	n := store.NewMessage{Body: []byte(m.body), Group: m.group}
	if p.random.IntN(10) == 0 {
		m.delayed, n.Delay = true, never
	}
	return m, n
}

// receiveSome leases a few; those with so many deliveries go to the dead letters.
func (p *player) receiveSome(maxDeliveries int) {
	o := store.ReceiveOptions{Max: 1 + p.random.IntN(4), Lease: never, MaxDeliveries: maxDeliveries}
	if maxDeliveries > 0 {
		o.DeadLetter = "dead"
	}
	want := p.expected(o)
	got := p.receive(o)
	if !slices.Equal(bodies(got), modelBodies(want)) {
		p.Fatalf("received %q, want %q of %v", bodies(got), modelBodies(want), p.messages)
	}
	for i, m := range got {
		w := want[i]
		if m.Deliveries != w.deliveries || m.Group != w.group || (i > 0 && m.Sequence <= got[i-1].Sequence) {
			p.Fatalf("received %+v, want %+v", m, w)
		}
		delete(p.live, w.token)
		w.token = m.Token
		p.live[m.Token] = true
		p.leases = append(p.leases, m)
	}
}

// expected leases what the rules say.
func (p *player) expected(o store.ReceiveOptions) (taken []*modelMessage) {
	closed := map[string]bool{}
	for _, m := range p.messages {
		if m.leased && m.group != "" {
			closed[m.group] = true
		}
	}
	var left []*modelMessage
	for _, m := range p.messages {
		switch {
		case len(taken) == o.Max || m.leased || closed[m.group]:
		case m.delayed:
			closed[m.group] = m.group != ""
		case o.MaxDeliveries > 0 && m.deliveries >= o.MaxDeliveries:
			delete(p.live, m.token)
			p.dead = append(p.dead, m)
			continue
		default:
			m.leased = true
			m.deliveries++
			taken = append(taken, m)
		}
		left = append(left, m)
	}
	p.messages = left
	return taken
}

func modelBodies(messages []*modelMessage) (bodies []string) {
	for _, m := range messages {
		bodies = append(bodies, m.body)
	}
	return bodies
}

// endLease acknowledges a lease or gives it back, an old one perhaps.
func (p *player) endLease() {
	if len(p.leases) == 0 {
		return
	}
	l := p.leases[max(0, len(p.leases)-1-p.random.IntN(12))]
	i := slices.IndexFunc(p.messages, func(m *modelMessage) bool { return m.token == l.Token })
	valid := i >= 0 && p.live[l.Token]
	if p.random.IntN(3) > 0 {
		err := p.s.Update(p.Context(), func(tx store.Tx) error { return tx.Ack(l.Lease) })
		if (err == nil) != valid || (err != nil && !errors.Is(err, store.ErrLeaseLost)) {
			p.Fatalf("acknowledging %+v, valid %t: %v", l, valid, err)
		}
		if valid {
			p.messages = slices.Delete(p.messages, i, i+1)
			delete(p.live, l.Token)
		}
		return
	}
	valid = valid && p.messages[i].leased
	err := p.s.Update(p.Context(), func(tx store.Tx) error { return tx.Extend(l.Lease, 0) })
	if (err == nil) != valid || (err != nil && !errors.Is(err, store.ErrLeaseLost)) {
		p.Fatalf("giving back %+v, valid %t: %v", l, valid, err)
	}
	if valid {
		p.messages[i].leased = false
	}
}

func (p *player) purgeAll() {
	remove := store.Tx.Purge
	if p.random.IntN(2) == 0 {
		remove = store.Tx.Drop
	}
	var m *modelMessage
	p.update(func(tx store.Tx) error {
		if err := remove(tx, "q"); err != nil {
			return err
		}
		added, n := p.newMessage()
		m = added
		_, err := tx.Enqueue("q", n)
		return err
	})
	clear(p.live)
	p.messages = []*modelMessage{m}
}

func (p *player) compareStats() {
	var want store.Stats
	for _, m := range p.messages {
		switch {
		case m.leased:
			want.Leased++
		case m.delayed:
			want.Delayed++
		default:
			want.Ready++
		}
	}
	p.stats("q", want)
	p.stats("dead", store.Stats{Ready: len(p.dead)})
}
