package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"cirro/internal/store"
)

// What store.NewMessage says of noisy tenants.
const (
	noisyCount = 30
	noisyPart  = 10
)

func fair(s *suite) {
	all := store.ReceiveOptions{Max: 99, Lease: never}
	s.each("QuietBeforeNoisy", func(s *suite) {
		s.sendAll(fairMessages("noisy", 40)...)
		s.sendAll(fairMessages("quiet", 2)...)
		s.sendAll(fairMessages("other", 1)...)
		s.send("plain")
		s.are(s.receive(store.ReceiveOptions{Max: 5, Lease: never}), "quiet0", "quiet1", "other0", "plain", "noisy0")
	})
	s.each("BusyIsNoisy", func(s *suite) {
		s.sendAll(fairMessages("noisy", 31)...)
		s.are(s.receive(store.ReceiveOptions{Max: 3, Lease: never}), "noisy0", "noisy1", "noisy2")
		for range 9 {
			s.receive(store.ReceiveOptions{Max: 3, Lease: never})
		}
		s.stats("q", store.Stats{Ready: 1, Leased: 30})
		s.sendAll(fairMessages("quiet", 1)...)
		s.are(s.receive(all), "quiet0", "noisy30")
	})
	s.each("OrderWhileNobodyIsNoisy", func(s *suite) {
		s.sendAll(fairMessages("a", noisyCount-1)...)
		s.sendAll(fairMessages("b", 1)...)
		s.are(s.receive(store.ReceiveOptions{Max: 1, Lease: never}), "a0")
	})
	s.each("NoisyComesToRest", func(s *suite) {
		s.sendAll(fairMessages("a", noisyCount)...)
		s.sendAll(fairMessages("b", 3)...)
		s.are(s.receive(store.ReceiveOptions{Max: 1, Lease: never}), "b0")
		got := s.receive(store.ReceiveOptions{Max: 3, Lease: never})
		s.are(got, "b1", "b2", "a0")
		s.sendAll(fairMessages("b", 1)...)
		s.ack(got[2])
		s.are(s.receive(store.ReceiveOptions{Max: 1, Lease: never}), "a1")
	})
	s.each("AmongNoisyTheFewestLeased", func(s *suite) {
		s.sendAll(fairMessages("a", noisyCount)...)
		s.sendAll(fairMessages("b", noisyCount)...)
		one := store.ReceiveOptions{Max: 1, Lease: never}
		for _, want := range []string{"a0", "b0", "a1", "b1"} {
			s.are(s.receive(one), want)
		}
	})
	s.each("GivenBack", func(s *suite) {
		s.sendAll(fairMessages("a", 3)...)
		got := s.receive(store.ReceiveOptions{Max: 2, Lease: never})
		s.update(func(tx store.Tx) error { return tx.Extend(got[0].Lease, 0) })
		s.are(s.receive(all), "a0", "a2")
	})
	s.each("Delayed", func(s *suite) {
		m := fairMessages("a", 2)
		m[0].Delay = soon
		s.sendAll(m...)
		s.until(func() bool { return s.counts("q").Delayed == 0 })
		s.are(s.receive(all), "a0", "a1")
	})
	s.each("Expires", func(s *suite) {
		m := fairMessages("a", 3)
		m[1].Retention = time.Millisecond
		s.sendAll(m...)
		s.until(func() bool { return s.counts("q").Ready == 2 })
		s.are(s.receive(all), "a0", "a2")
	})
	s.each("OverRestart", func(s *suite) {
		s.sendAll(fairMessages("noisy", 40)...)
		s.are(s.receive(store.ReceiveOptions{Max: 1, Lease: never}), "noisy0")
		s.sendAll(fairMessages("quiet", 1)...)
		s.reopen()
		s.are(s.receive(store.ReceiveOptions{Max: 2, Lease: never}), "quiet0", "noisy1")
	})
	s.each("OverDeadLetters", func(s *suite) {
		s.sendAll(fairMessages("noisy", 40)...)
		s.sendAll(fairMessages("quiet", 1)...)
		for _, m := range s.receive(all) {
			s.update(func(tx store.Tx) error { return tx.Extend(m.Lease, 0) })
		}
		for s.counts("q") != (store.Stats{}) {
			s.receive(store.ReceiveOptions{Max: 9, Lease: never, MaxDeliveries: 1, DeadLetter: "dead"})
		}
		s.sendTo("dead", fairMessages("late", 1)...)
		got, err := s.s.Receive(s.Context(), "dead", store.ReceiveOptions{Max: 3, Lease: never})
		s.must(err)
		s.are(got, "quiet0", "late0", "noisy0")
	})
	s.each("GroupsHaveNoTenant", func(s *suite) {
		m := fairMessages("a", 40)
		for i := range m {
			m[i].Group = "g"
		}
		s.sendAll(m...)
		s.sendAll(fairMessages("b", 1)...)
		s.are(s.receive(store.ReceiveOptions{Max: 1, Lease: never}), "a0")
	})
	s.each("Wake", func(s *suite) {
		done := make(chan error, 1)
		go func() {
			got, err := s.s.Receive(s.Context(), "q", store.ReceiveOptions{Max: 1, Lease: never, Wait: patient})
			if err == nil && len(got) == 0 {
				err = fmt.Errorf("no message")
			}
			done <- err
		}()
		s.sendAll(fairMessages("a", 1)...)
		s.must(<-done)
	})
	rounds := 4
	if long() {
		rounds = 40
	}
	for round := range rounds {
		s.each(fmt.Sprint("Model/seed=", round), func(s *suite) {
			p := fairPlayer{suite: s, random: rand.New(rand.NewPCG(9, uint64(round)))}
			for range 300 {
				p.step()
			}
		})
	}
}

// fairMessages are messages of a tenant, numbered.
func fairMessages(tenant string, n int) (messages []store.NewMessage) {
	for i := range n {
		messages = append(messages, store.NewMessage{Body: fmt.Append(nil, tenant, i), Fair: tenant})
	}
	return messages
}

func (s *suite) sendTo(queue string, messages ...store.NewMessage) {
	s.Helper()
	s.update(func(tx store.Tx) error {
		for _, m := range messages {
			if _, err := tx.Enqueue(queue, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// fairPlayer plays on a store's queue and a simple one. Messages are received one by one.
type fairPlayer struct {
	*suite
	random   *rand.Rand
	messages []*fairMessage // in order
	sent     int
}

type fairMessage struct {
	tenant, body string
	lease        *store.Message // nil while it is ready
}

func (p *fairPlayer) step() {
	switch n := p.random.IntN(20); {
	case n < 2:
		p.enqueue([]string{"a", "b", "c"}[p.random.IntN(3)], 1+p.random.IntN(20))
	case n < 6:
		p.enqueue([]string{"d", "e", ""}[p.random.IntN(3)], 1+p.random.IntN(2))
	case n < 13:
		p.one()
	case n < 18:
		p.settle(func(tx store.Tx, l store.Lease) error { return tx.Ack(l) }, true)
	case n < 19:
		p.settle(func(tx store.Tx, l store.Lease) error { return tx.Extend(l, 0) }, false)
	default:
		if p.random.IntN(4) == 0 {
			p.reopen()
		}
	}
}

func (p *fairPlayer) enqueue(tenant string, n int) {
	p.update(func(tx store.Tx) error {
		for i := range n {
			if _, err := tx.Enqueue("q", store.NewMessage{Body: fmt.Append(nil, p.sent+i), Fair: tenant}); err != nil {
				return err
			}
		}
		return nil
	})
	for range n {
		p.messages = append(p.messages, &fairMessage{tenant: tenant, body: fmt.Sprint(p.sent)})
		p.sent++
	}
}

// one receives a message.
func (p *fairPlayer) one() {
	want := p.next()
	got := p.receive(store.ReceiveOptions{Max: 1, Lease: never})
	if want == nil {
		p.are(got)
		return
	}
	p.are(got, want.body)
	want.lease = &got[0]
}

// next is the message that is next.
func (p *fairPlayer) next() (next *fairMessage) {
	load, leased := map[string]int{}, map[string]int{}
	for _, m := range p.messages {
		load[m.tenant]++
		if m.lease != nil {
			leased[m.tenant]++
		}
	}
	noisy := func(m *fairMessage) bool {
		return m.tenant != "" && load[m.tenant] >= noisyCount && load[m.tenant] > len(p.messages)/noisyPart
	}
	for _, m := range p.messages {
		switch {
		case m.lease != nil:
		case !noisy(m):
			return m
		case next == nil || leased[m.tenant] < leased[next.tenant]:
			next = m
		}
	}
	return next
}

// settle ends the lease of some message.
func (p *fairPlayer) settle(end func(store.Tx, store.Lease) error, gone bool) {
	var leased []*fairMessage
	for _, m := range p.messages {
		if m.lease != nil {
			leased = append(leased, m)
		}
	}
	if len(leased) == 0 {
		return
	}
	m := leased[p.random.IntN(len(leased))]
	p.update(func(tx store.Tx) error { return end(tx, m.lease.Lease) })
	m.lease = nil
	if gone {
		p.messages = slices.DeleteFunc(p.messages, func(other *fairMessage) bool { return other == m })
	}
}
