package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cirro/internal/store"
)

// Times of leases and delays: one that ends soon, and one that does not end during a test. What must be done
// before a time ends takes its time from inTime.
const (
	soon  = 20 * time.Millisecond
	never = time.Hour
)

func queues(s *suite) {
	s.each("Order", func(s *suite) {
		s.send("a", "b", "c", "d")
		got := s.receive(store.ReceiveOptions{Max: 3, Lease: never})
		s.are(got, "a", "b", "c")
		s.are(s.receive(store.ReceiveOptions{Max: 3, Lease: never}), "d")
		s.are(s.receive(store.ReceiveOptions{Max: 3, Lease: never}))
	})
	s.each("Fields", func(s *suite) { s.testFields() })
	s.each("EmptyBody", func(s *suite) {
		s.send("")
		s.are(s.receive(store.ReceiveOptions{Max: 1, Lease: never}), "")
	})
	s.each("BadOptions", func(s *suite) {
		for _, o := range []store.ReceiveOptions{
			{Max: 0, Lease: never},
			{Max: 1, Lease: 0},
			{Max: 1, Lease: never, MaxDeliveries: 1},
			{Max: 1, Lease: never, MaxDeliveries: 1, DeadLetter: "q"},
		} {
			if _, err := s.s.Receive(s.Context(), "q", o); err == nil {
				s.Errorf("options %+v were accepted", o)
			}
		}
		if err := s.s.Update(s.Context(), func(tx store.Tx) error { _, err := tx.Enqueue("", store.NewMessage{}); return err }); err == nil {
			s.Error("a queue without a name was accepted")
		}
	})
	s.each("QueuesAreApart", func(s *suite) {
		s.update(func(tx store.Tx) error {
			_, err1 := tx.Enqueue("q", store.NewMessage{Body: []byte("1")})
			_, err2 := tx.Enqueue("q1", store.NewMessage{Body: []byte("2")})
			_, err3 := tx.Enqueue("q\x00", store.NewMessage{Body: []byte("3")})
			return errors.Join(err1, err2, err3, tx.Purge("q1"))
		})
		s.are(s.receive(store.ReceiveOptions{Max: 9, Lease: never}), "1")
		s.stats("q1", store.Stats{})
		s.stats("q\x00", store.Stats{Ready: 1})
	})
	s.each("Durable", func(s *suite) {
		s.send("a", "b", "c", "d", "e")
		got := s.receive(store.ReceiveOptions{Max: 3, Lease: never})
		s.ack(got[0])
		s.update(func(tx store.Tx) error { return tx.Extend(got[1].Lease, 0) })
		s.reopen()
		s.stats("q", store.Stats{Ready: 3, Leased: 1})
		again := s.receive(store.ReceiveOptions{Max: 9, Lease: never})
		s.are(again, "b", "d", "e")
		if again[0].Deliveries != 2 || !again[0].FirstLeased.Equal(got[1].FirstLeased) {
			s.Errorf("after a restart: %+v", again[0])
		}
		s.ack(got[2])
		s.send("f")
		last := s.receive(store.ReceiveOptions{Max: 9, Lease: never})
		s.are(last, "f")
		if last[0].Sequence <= again[2].Sequence {
			s.Error("the sequence starts again")
		}
	})
	s.each("SequenceGoesOnWhenEmpty", func(s *suite) {
		s.send("a")
		first := s.receive(store.ReceiveOptions{Max: 1, Lease: never})
		s.ack(first...)
		s.reopen()
		s.send("b")
		if second := s.receive(store.ReceiveOptions{Max: 1, Lease: never}); second[0].Sequence <= first[0].Sequence {
			s.Errorf("%d after %d", second[0].Sequence, first[0].Sequence)
		}
	})
	s.each("AtomicWithKeys", func(s *suite) {
		s.update(func(tx store.Tx) error {
			_, err := tx.Enqueue("q", store.NewMessage{Body: []byte("m")})
			return errors.Join(err, tx.Set([]byte("state"), []byte("sent")))
		})
		got := s.receive(store.ReceiveOptions{Max: 1, Lease: never})
		s.has("state", "sent")
		broken := errors.New("broken")
		err := s.s.Update(s.Context(), func(tx store.Tx) error {
			return errors.Join(tx.Ack(got[0].Lease), tx.Set([]byte("state"), []byte("done")), broken)
		})
		if !errors.Is(err, broken) {
			s.Error(err)
		}
		s.has("state", "sent")
		s.stats("q", store.Stats{Leased: 1})
		s.update(func(tx store.Tx) error {
			return errors.Join(tx.Ack(got[0].Lease), tx.Set([]byte("state"), []byte("done")))
		})
		s.stats("q", store.Stats{})
	})
	s.each("Stats", func(s *suite) { s.testStats() })
	leases(s)
	groups(s)
	deduplication(s)
	removal(s)
	wakeups(s)
}

func (s *suite) testFields() {
	before := time.Now()
	var id string
	s.update(func(tx store.Tx) (err error) {
		id, err = tx.Enqueue("q", store.NewMessage{Body: []byte("m"), Group: "g\x00h"})
		return err
	})
	after := time.Now()
	m := s.receive(store.ReceiveOptions{Max: 1, Lease: never})[0]
	switch {
	case m.ID != id, m.Queue != "q", m.Group != "g\x00h", m.Sequence == 0, m.Deliveries != 1:
		s.Errorf("message %+v", m)
	case m.Enqueued.Before(before), m.Enqueued.After(after):
		s.Errorf("enqueued at %v, not between %v and %v", m.Enqueued, before, after)
	case m.FirstLeased.Before(after), !m.LeaseExpires.Equal(m.FirstLeased.Add(never)):
		s.Errorf("leased at %v until %v, sent until %v", m.FirstLeased, m.LeaseExpires, after)
	}
}

func (s *suite) testStats() {
	s.stats("q", store.Stats{})
	before := time.Now()
	s.send("a", "b", "c")
	s.sendAll(store.NewMessage{Body: []byte("later"), Delay: never})
	s.stats("q", store.Stats{Ready: 3, Delayed: 1})
	got, err := s.s.Stats(s.Context(), "q")
	if err != nil || got.Oldest.Before(before) || got.Oldest.After(time.Now()) {
		s.Errorf("%+v, %v", got, err)
	}
	messages := s.receive(store.ReceiveOptions{Max: 2, Lease: never})
	s.stats("q", store.Stats{Ready: 1, Delayed: 1, Leased: 2})
	s.ack(messages[0])
	s.stats("q", store.Stats{Ready: 1, Delayed: 1, Leased: 1})
	later, err := s.s.Stats(s.Context(), "q")
	if err != nil || later.Oldest.Before(got.Oldest) {
		s.Errorf("%+v, %v", later, err)
	}
	s.update(func(tx store.Tx) error { return tx.Extend(messages[1].Lease, 0) })
	s.stats("q", store.Stats{Ready: 2, Delayed: 1})
}

func leases(s *suite) {
	s.each("LeaseEnds", func(s *suite) {
		s.send("a")
		first := s.receive(store.ReceiveOptions{Max: 1, Lease: soon})[0]
		second := s.receive(store.ReceiveOptions{Max: 1, Lease: never, Wait: patient})[0]
		if second.Deliveries != 2 || second.ID != first.ID || second.Token == first.Token || !second.FirstLeased.Equal(first.FirstLeased) {
			s.Errorf("first %+v, second %+v", first, second)
		}
		if early := time.Until(first.LeaseExpires); early > 0 {
			s.Errorf("leased again %v early", early)
		}
		s.lost(first)
		s.ack(second)
		s.lost(second)
	})
	s.each("AckAfterTheEnd", func(s *suite) {
		s.send("a")
		m := s.receive(store.ReceiveOptions{Max: 1, Lease: time.Millisecond})[0]
		s.until(func() bool { return s.counts("q").Ready == 1 })
		if err := s.s.Update(s.Context(), func(tx store.Tx) error { return tx.Extend(m.Lease, never) }); !errors.Is(err, store.ErrLeaseLost) {
			s.Errorf("a lease that ended was extended: %v", err)
		}
		s.ack(m)
		s.stats("q", store.Stats{})
	})
	s.each("Extend", func(s *suite) {
		s.send("a")
		m := s.receive(store.ReceiveOptions{Max: 1, Lease: patient})[0]
		s.update(func(tx store.Tx) error { return tx.Extend(m.Lease, soon) })
		var again store.Message
		s.inTime(func(lease time.Duration) bool {
			again = s.receive(store.ReceiveOptions{Max: 1, Lease: lease, Wait: patient})[0]
			err := s.s.Update(s.Context(), func(tx store.Tx) error { return tx.Extend(again.Lease, never) })
			if !errors.Is(err, store.ErrLeaseLost) {
				s.must(err)
			}
			return err == nil
		})
		time.Sleep(time.Until(again.LeaseExpires) + soon) // nothing tells of what does not happen
		s.are(s.receive(store.ReceiveOptions{Max: 1, Lease: never}))
		s.ack(again)
	})
	s.each("ExtendToNow", func(s *suite) {
		s.send("a", "b")
		m := s.receive(store.ReceiveOptions{Max: 1, Lease: never})[0]
		s.update(func(tx store.Tx) error { return tx.Extend(m.Lease, 0) })
		s.are(s.receive(store.ReceiveOptions{Max: 2, Lease: never}), "a", "b")
	})
	s.each("NoSuchLease", func(s *suite) {
		s.send("a")
		m := s.receive(store.ReceiveOptions{Max: 1, Lease: never})[0]
		for _, l := range []store.Lease{
			{Queue: "q", ID: m.ID},
			{Queue: "q", ID: m.ID, Token: "x"},
			{Queue: "q", ID: m.ID, Token: strings.Repeat("0", len(m.Token))},
			{Queue: "other", ID: m.ID, Token: m.Token},
		} {
			s.lost(store.Message{Lease: l})
		}
		s.ack(m)
	})
	s.each("OnceInATransaction", func(s *suite) {
		s.send("a", "b")
		got := s.receive(store.ReceiveOptions{Max: 2, Lease: never})
		s.update(func(tx store.Tx) error {
			if err := errors.Join(tx.Extend(got[0].Lease, never), tx.Ack(got[0].Lease)); err != nil {
				return err
			}
			for what, err := range map[string]error{"Ack": tx.Ack(got[0].Lease), "Extend": tx.Extend(got[0].Lease, never)} {
				if !errors.Is(err, store.ErrLeaseLost) {
					s.Errorf("%s after Ack: %v", what, err)
				}
			}
			if err := tx.Purge("q"); err != nil {
				return err
			}
			if err := tx.Ack(got[1].Lease); !errors.Is(err, store.ErrLeaseLost) {
				s.Errorf("Ack after Purge: %v", err)
			}
			return nil
		})
	})
	s.each("AckLosesToAnother", func(s *suite) {
		s.send("a")
		m := s.receive(store.ReceiveOptions{Max: 1, Lease: never})[0]
		n := 0
		err := s.s.Update(s.Context(), func(tx store.Tx) error {
			err := tx.Ack(m.Lease)
			if n++; n == 1 {
				s.ack(m)
			}
			return errors.Join(err, tx.Set([]byte("twice"), nil))
		})
		if !errors.Is(err, store.ErrLeaseLost) {
			s.Errorf("acknowledged twice: %v", err)
		}
		s.lacks("twice")
	})
	s.each("Delay", func(s *suite) { s.testDelay() })
	s.each("DelayOverRestart", func(s *suite) {
		s.sendAll(store.NewMessage{Body: []byte("soon"), Delay: soon}, store.NewMessage{Body: []byte("never"), Delay: never})
		s.reopen()
		s.are(s.receive(store.ReceiveOptions{Max: 2, Lease: never, Wait: patient}), "soon")
		s.stats("q", store.Stats{Delayed: 1, Leased: 1})
	})
	s.each("DeadLetters", func(s *suite) { s.testDeadLetters() })
	s.each("Retention", func(s *suite) { s.testRetention() })
}

// testDelay sends messages that are due one after the other, the last first.
func (s *suite) testDelay() {
	s.inTime(func(d time.Duration) bool {
		delays := map[string]time.Duration{"later": 2 * d, "soon": d, "now": 0}
		s.sendAll(store.NewMessage{Body: []byte("later"), Delay: 2 * d}, store.NewMessage{Body: []byte("soon"), Delay: d}, store.NewMessage{Body: []byte("now")})
		var order []string
		for range delays {
			m := s.receive(store.ReceiveOptions{Max: 1, Lease: never, Wait: patient})[0]
			if due := m.Enqueued.Add(delays[string(m.Body)]); m.FirstLeased.Before(due) {
				s.Errorf("%s came %v early", m.Body, due.Sub(m.FirstLeased))
			}
			order = append(order, string(m.Body))
			s.ack(m)
		}
		// Those that are due when they are asked for come in the order in which they were sent.
		return slices.Equal(order, []string{"now", "soon", "later"})
	})
}

func (s *suite) testDeadLetters() {
	s.sendAll(store.NewMessage{Body: []byte("bad"), Group: "g"})
	s.send("good")
	o := store.ReceiveOptions{Max: 1, Lease: never, MaxDeliveries: 2, DeadLetter: "dead"}
	var first store.Message
	for i := range 2 {
		got := s.receive(o)
		s.are(got, "bad")
		if i == 0 {
			first = got[0]
		}
		s.update(func(tx store.Tx) error { return tx.Extend(got[0].Lease, 0) })
	}
	s.are(s.receive(o), "good")
	s.stats("q", store.Stats{Leased: 1})
	s.stats("dead", store.Stats{Ready: 1})
	dead, err := s.s.Receive(s.Context(), "dead", store.ReceiveOptions{Max: 9, Lease: never})
	s.must(err)
	s.are(dead, "bad")
	if d := dead[0]; d.ID != first.ID || !d.Enqueued.Equal(first.Enqueued) || d.Group != "g" || d.Deliveries != 1 || d.Queue != "dead" {
		s.Errorf("dead letter %+v of %+v", d, first)
	}
	s.lost(first)
	s.sendAll(store.NewMessage{Body: []byte("old")})
	o.MaxDeliveries, o.DeadRetention = 1, 1
	old := s.receive(o)
	s.are(old, "old")
	s.update(func(tx store.Tx) error { return tx.Extend(old[0].Lease, 0) })
	s.are(s.receive(o))
	s.until(func() bool { return s.counts("dead") == store.Stats{Leased: 1, Oldest: dead[0].Enqueued} })
}

func (s *suite) testRetention() {
	kept, gone := store.NewMessage{Body: []byte("kept")}, store.NewMessage{Body: []byte("gone"), Retention: soon}
	grouped := gone
	grouped.Group = "g"
	s.sendAll(gone, kept, grouped, gone)
	s.until(func() bool { return s.counts("q").Ready == 1 })
	s.are(s.receive(store.ReceiveOptions{Max: 9, Lease: never}), "kept")
	s.inTime(func(d time.Duration) bool {
		grouped.Retention = d
		s.sendAll(grouped, store.NewMessage{Body: []byte("next"), Group: "g"})
		got := s.receive(store.ReceiveOptions{Max: 1, Lease: 2 * d})
		if bodies := bodies(got); !slices.Equal(bodies, []string{"gone"}) {
			s.are(got, "next")
			s.ack(got...)
			return false
		}
		return true
	})
	// What is leased is not taken away, but it does not come back either.
	s.are(s.receive(store.ReceiveOptions{Max: 9, Lease: never, Wait: patient}), "next")
	var m store.Message
	s.inTime(func(d time.Duration) bool {
		gone.Retention = d
		s.sendAll(gone)
		got := s.receive(store.ReceiveOptions{Max: 1, Lease: never})
		if len(got) == 0 {
			return false
		}
		m = got[0]
		return true
	})
	time.Sleep(time.Until(m.Enqueued.Add(gone.Retention)) + soon) // nothing tells of what does not happen
	s.stats("q", store.Stats{Leased: 3})
	s.ack(m)
	s.sendAll(gone)
	s.reopen()
	s.until(func() bool { return s.counts("q").Ready == 0 })
	s.are(s.receive(store.ReceiveOptions{Max: 9, Lease: never}))
}

func groups(s *suite) {
	send := func(s *suite, messages ...string) {
		s.Helper()
		for _, m := range messages {
			s.sendAll(store.NewMessage{Body: []byte(m), Group: m[:1]})
		}
	}
	all := store.ReceiveOptions{Max: 9, Lease: never}
	s.each("OneReceiver", func(s *suite) {
		send(s, "a1", "a2", "b1", "a3", "b2")
		first := s.receive(store.ReceiveOptions{Max: 2, Lease: never})
		s.are(first, "a1", "a2")
		second := s.receive(all)
		s.are(second, "b1", "b2")
		s.are(s.receive(all))
		s.ack(first[0])
		s.are(s.receive(all))
		s.ack(first[1])
		s.are(s.receive(all), "a3")
		s.ack(second...)
		send(s, "b3")
		s.are(s.receive(all), "b3")
	})
	s.each("OrderOverRedelivery", func(s *suite) {
		send(s, "a1", "a2", "a3")
		first := s.receive(store.ReceiveOptions{Max: 2, Lease: never})
		s.update(func(tx store.Tx) error { return tx.Extend(first[1].Lease, 0) })
		s.are(s.receive(all))
		s.update(func(tx store.Tx) error { return tx.Extend(first[0].Lease, 0) })
		s.are(s.receive(store.ReceiveOptions{Max: 2, Lease: soon}), "a1", "a2")
		s.are(s.receive(store.ReceiveOptions{Max: 3, Lease: never, Wait: patient}), "a1", "a2", "a3")
	})
	s.each("WithOthers", func(s *suite) {
		send(s, "a1")
		s.send("plain")
		send(s, "a2", "b1")
		s.are(s.receive(store.ReceiveOptions{Max: 1, Lease: never}), "a1")
		s.are(s.receive(all), "plain", "b1")
	})
	s.each("DelayedHead", func(s *suite) {
		s.inTime(func(delay time.Duration) bool {
			s.sendAll(store.NewMessage{Body: []byte("a1"), Group: "a", Delay: delay})
			send(s, "a2", "b1")
			got := s.receive(all)
			s.ack(got...)
			if len(got) == 3 {
				s.are(got, "a1", "a2", "b1")
				return false
			}
			s.are(got, "b1")
			s.are(s.receive(store.ReceiveOptions{Max: 9, Lease: never, Wait: patient}), "a1", "a2")
			return true
		})
	})
	s.each("DelayedLater", func(s *suite) {
		send(s, "a1")
		s.sendAll(store.NewMessage{Body: []byte("a2"), Group: "a", Delay: never})
		send(s, "a3")
		got := s.receive(all)
		s.are(got, "a1")
		s.ack(got...)
		s.are(s.receive(all))
	})
	s.each("OverRestart", func(s *suite) {
		send(s, "a1", "a2", "b1", "b2")
		got := s.receive(store.ReceiveOptions{Max: 1, Lease: never})
		s.reopen()
		s.are(s.receive(all), "b1", "b2")
		s.ack(got...)
		s.are(s.receive(all), "a2")
	})
	s.each("ManyReceivers", func(s *suite) { s.testGroupsInOrder() })
}

// testGroupsInOrder lets many receivers work at groups, some failing now and then, and checks that no
// message comes before an earlier one of its group is done.
func (s *suite) testGroupsInOrder() {
	const groups, each, receivers = 5, 30, 6
	for i := range each {
		s.update(func(tx store.Tx) error {
			for g := range groups {
				if _, err := tx.Enqueue("q", store.NewMessage{Body: []byte(strconv.Itoa(i)), Group: fmt.Sprint("g", g)}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	ctx, cancel := s.patient()
	defer cancel()
	var mu sync.Mutex
	done := map[string]int{}
	var wg sync.WaitGroup
	for r := range receivers {
		wg.Go(func() {
			for n := r; ; n++ {
				mu.Lock()
				over := done["all"] == groups*each
				mu.Unlock()
				if over {
					return
				}
				got, err := s.s.Receive(ctx, "q", store.ReceiveOptions{Max: 1 + n%3, Lease: never, Wait: soon})
				if err != nil {
					s.Error(err)
					return
				}
				mu.Lock()
				batch := map[string]int{}
				for _, m := range got {
					if string(m.Body) != strconv.Itoa(done[m.Group]+batch[m.Group]) {
						s.Errorf("group %s: message %s while %d are done", m.Group, m.Body, done[m.Group])
					}
					batch[m.Group]++
				}
				mu.Unlock()
				s.finish(ctx, got, n%4 == 0, func(m store.Message) {
					mu.Lock()
					defer mu.Unlock()
					done[m.Group]++
					done["all"]++
				})
			}
		})
	}
	wg.Wait()
	s.stats("q", store.Stats{})
}

// finish acknowledges messages, or gives them back.
func (s *suite) finish(ctx context.Context, got []store.Message, fail bool, done func(store.Message)) {
	for _, m := range got {
		if !fail {
			done(m) // before another may have the next of its group
		}
		err := s.s.Update(ctx, func(tx store.Tx) error {
			if fail {
				return tx.Extend(m.Lease, 0)
			}
			return tx.Ack(m.Lease)
		})
		if err != nil {
			s.Error(err)
		}
	}
}

func deduplication(s *suite) {
	enqueue := func(s *suite, m store.NewMessage) (id string) {
		s.update(func(tx store.Tx) (err error) { id, err = tx.Enqueue("q", m); return err })
		return id
	}
	m := store.NewMessage{Body: []byte("m"), Dedup: "d", DedupWindow: never}
	s.each("Deduplication", func(s *suite) {
		first := enqueue(s, m)
		if again := enqueue(s, m); again != first {
			s.Error("a repeated message has another id")
		}
		other := m
		other.Dedup = "e"
		if enqueue(s, other) == first {
			s.Error("another message has the same id")
		}
		s.update(func(tx store.Tx) error {
			if id, err := tx.Enqueue("other", m); err != nil || id == first {
				s.Errorf("another queue's message is a repetition: %v", err)
			}
			return nil
		})
		got := s.receive(store.ReceiveOptions{Max: 9, Lease: never})
		s.are(got, "m", "m")
		s.ack(got...)
		if enqueue(s, m) != first {
			s.Error("an acknowledged message is forgotten")
		}
		s.reopen()
		if enqueue(s, m) != first {
			s.Error("a restart forgets")
		}
		s.update(func(tx store.Tx) error { return tx.Purge("q") })
		if enqueue(s, m) != first {
			s.Error("a purge forgets")
		}
		s.stats("q", store.Stats{})
		s.update(func(tx store.Tx) error { return tx.Drop("q") })
		if enqueue(s, m) == first {
			s.Error("a dropped queue remembers")
		}
	})
	s.each("Sequences", func(s *suite) {
		var first, again, inside, second uint64
		s.update(func(tx store.Tx) error {
			told := m
			told.Sequence = &first
			_, err1 := tx.Enqueue("q", told)
			told.Sequence = &inside
			_, err2 := tx.Enqueue("q", told)
			_, err3 := tx.Enqueue("q", store.NewMessage{Body: []byte("n"), Sequence: &second})
			return errors.Join(err1, err2, err3)
		})
		s.reopen()
		s.update(func(tx store.Tx) error {
			told := m
			told.Sequence = &again
			_, err := tx.Enqueue("q", told)
			return err
		})
		got := s.receive(store.ReceiveOptions{Max: 9, Lease: never})
		s.are(got, "m", "n")
		if first != got[0].Sequence || again != first || inside != first || second != got[1].Sequence {
			s.Errorf("told the sequences %d, %d, %d of %d, and %d of %d", first, again, inside, got[0].Sequence, second, got[1].Sequence)
		}
	})
	s.each("DeduplicationInOneTransaction", func(s *suite) {
		s.update(func(tx store.Tx) error {
			first, err1 := tx.Enqueue("q", m)
			second, err2 := tx.Enqueue("q", m)
			if first != second {
				s.Error("the repeated message has another id")
			}
			return errors.Join(err1, err2)
		})
		s.stats("q", store.Stats{Ready: 1})
	})
	s.each("DeduplicationEnds", func(s *suite) {
		short := m
		short.DedupWindow = soon
		first := enqueue(s, short)
		s.until(func() bool { return enqueue(s, short) != first })
		s.stats("q", store.Stats{Ready: 2})
	})
	s.each("DeduplicationOfConcurrents", func(s *suite) {
		ids := make(chan string, 16)
		for range cap(ids) {
			go func() {
				var id string
				err := s.s.Update(s.Context(), func(tx store.Tx) (err error) { id, err = tx.Enqueue("q", m); return err })
				if err != nil {
					s.Error(err)
				}
				ids <- id
			}()
		}
		first := <-ids
		for range cap(ids) - 1 {
			if id := <-ids; id != first {
				s.Errorf("ids %s and %s", first, id)
			}
		}
		s.stats("q", store.Stats{Ready: 1})
	})
}

func removal(s *suite) {
	fill := func(s *suite) []store.Message {
		s.send("a", "b")
		s.sendAll(store.NewMessage{Body: []byte("c"), Delay: never}, store.NewMessage{Body: []byte("d"), Group: "g"})
		return s.receive(store.ReceiveOptions{Max: 1, Lease: never})
	}
	for name, remove := range map[string]func(store.Tx) error{
		"Purge": func(tx store.Tx) error { return tx.Purge("q") },
		"Drop":  func(tx store.Tx) error { return tx.Drop("q") },
	} {
		s.each(name, func(s *suite) {
			leased := fill(s)
			s.update(func(tx store.Tx) error {
				_, err1 := tx.Enqueue("q", store.NewMessage{Body: []byte("before")})
				err2 := remove(tx)
				_, err3 := tx.Enqueue("q", store.NewMessage{Body: []byte("after")})
				return errors.Join(err1, err2, err3)
			})
			s.stats("q", store.Stats{Ready: 1})
			s.lost(leased[0])
			s.reopen()
			s.are(s.receive(store.ReceiveOptions{Max: 9, Lease: never}), "after")
			s.update(remove)
			s.reopen()
			s.stats("q", store.Stats{})
			s.send("x")
			s.are(s.receive(store.ReceiveOptions{Max: 9, Lease: never}), "x")
		})
		s.each(name+"OfNothing", func(s *suite) {
			s.update(remove)
			s.stats("q", store.Stats{})
		})
	}
	s.each("PurgeWhileBusy", func(s *suite) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					s.send("m")
					got, err := s.s.Receive(s.Context(), "q", store.ReceiveOptions{Max: 3, Lease: never})
					if err != nil {
						s.Error(err)
					}
					for _, m := range got {
						err := s.s.Update(s.Context(), func(tx store.Tx) error { return tx.Ack(m.Lease) })
						if err != nil && !errors.Is(err, store.ErrLeaseLost) {
							s.Error(err)
						}
					}
				}
			})
			wg.Go(func() {
				for range 20 {
					s.update(func(tx store.Tx) error { return tx.Purge("q") })
				}
			})
		}
		wg.Wait()
		s.update(func(tx store.Tx) error { return tx.Purge("q") })
		s.stats("q", store.Stats{})
		s.reopen()
		s.stats("q", store.Stats{})
	})
}

func wakeups(s *suite) {
	// wait begins to wait for a message, and returns where it will be told of.
	wait := func(s *suite, ctx context.Context) <-chan error {
		done := make(chan error, 1)
		go func() {
			got, err := s.s.Receive(ctx, "q", store.ReceiveOptions{Max: 1, Lease: never, Wait: patient})
			if err == nil && len(got) != 1 {
				err = fmt.Errorf("%d messages", len(got))
			}
			done <- err
		}()
		return done
	}
	s.each("WaitIsOver", func(s *suite) {
		begin := time.Now()
		s.are(s.receive(store.ReceiveOptions{Max: 1, Lease: never, Wait: soon}))
		if d := time.Since(begin); d < soon {
			s.Errorf("waited %v", d)
		}
	})
	s.each("WakeOnEnqueue", func(s *suite) {
		done := wait(s, s.Context())
		s.send("a")
		s.must(<-done)
	})
	s.each("WakeOnExtendToNow", func(s *suite) {
		s.send("a")
		m := s.receive(store.ReceiveOptions{Max: 1, Lease: never})[0]
		done := wait(s, s.Context())
		s.update(func(tx store.Tx) error { return tx.Extend(m.Lease, 0) })
		s.must(<-done)
	})
	s.each("WakeOnGroup", func(s *suite) {
		s.sendAll(store.NewMessage{Group: "g"}, store.NewMessage{Group: "g"})
		m := s.receive(store.ReceiveOptions{Max: 1, Lease: never})[0]
		done := wait(s, s.Context())
		s.ack(m)
		s.must(<-done)
	})
	s.each("WakeOnShorterDelay", func(s *suite) {
		s.sendAll(store.NewMessage{Delay: never})
		done := wait(s, s.Context())
		s.sendAll(store.NewMessage{Delay: soon})
		s.must(<-done)
	})
	s.each("WakeEachOnce", func(s *suite) {
		var done []<-chan error
		for range 20 {
			done = append(done, wait(s, s.Context()))
		}
		s.update(func(tx store.Tx) error {
			for range done {
				if _, err := tx.Enqueue("q", store.NewMessage{}); err != nil {
					return err
				}
			}
			return nil
		})
		for _, d := range done {
			s.must(<-d)
		}
	})
	s.each("CancelledWaiter", func(s *suite) {
		// Whoever gives up while it is woken must not take another's message along.
		for range 50 {
			ctx, cancel := context.WithCancel(s.Context())
			gone, stays := wait(s, ctx), wait(s, s.Context())
			go cancel()
			s.send("a")
			if err := <-gone; err == nil {
				s.send("b")
			} else if !errors.Is(err, context.Canceled) {
				s.Error(err)
			}
			s.must(<-stays)
		}
	})
	s.each("CloseEndsWaits", func(s *suite) {
		done := wait(s, s.Context())
		s.must(s.s.Close())
		if err := <-done; !errors.Is(err, store.ErrClosed) {
			s.Errorf("the receiver answers %v", err)
		}
	})
	s.each("EachMessageOnce", func(s *suite) { s.testEachOnce() })
}

// testEachOnce lets many send and many receive, and counts what arrives.
func (s *suite) testEachOnce() {
	const sides, each = 8, 50
	ctx, cancel := s.patient()
	defer cancel()
	arrived := make(chan string, sides*each)
	for range sides {
		go func() {
			for {
				got, err := s.s.Receive(ctx, "q", store.ReceiveOptions{Max: 3, Lease: never, Wait: patient})
				if err != nil || len(got) == 0 {
					return
				}
				for _, m := range got {
					if err := s.s.Update(ctx, func(tx store.Tx) error { return tx.Ack(m.Lease) }); err != nil {
						s.Error(err)
					}
					arrived <- string(m.Body)
				}
			}
		}()
	}
	for side := range sides {
		go func() {
			for i := range each {
				s.send(fmt.Sprint(side, "/", i))
			}
		}()
	}
	seen := map[string]bool{}
	for range sides * each {
		select {
		case body := <-arrived:
			if seen[body] {
				s.Errorf("message %s came twice", body)
			}
			seen[body] = true
		case <-ctx.Done():
			s.Fatalf("%d of %d messages", len(seen), sides*each)
		}
	}
	s.stats("q", store.Stats{})
}

func (s *suite) send(bodies ...string) {
	s.Helper()
	for _, b := range bodies {
		s.sendAll(store.NewMessage{Body: []byte(b)})
	}
}

// sendAll enqueues messages in one transaction.
func (s *suite) sendAll(messages ...store.NewMessage) {
	s.Helper()
	s.update(func(tx store.Tx) error {
		for _, m := range messages {
			if _, err := tx.Enqueue("q", m); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *suite) receive(o store.ReceiveOptions) []store.Message {
	s.Helper()
	got, err := s.s.Receive(s.Context(), "q", o)
	s.must(err)
	return got
}

func (s *suite) are(got []store.Message, want ...string) {
	s.Helper()
	if bodies := bodies(got); !slices.Equal(bodies, want) {
		s.Fatalf("messages %q, want %q", bodies, want)
	}
}

func bodies(messages []store.Message) (bodies []string) {
	for _, m := range messages {
		bodies = append(bodies, string(m.Body))
	}
	return bodies
}

func (s *suite) ack(messages ...store.Message) {
	s.Helper()
	s.update(func(tx store.Tx) error {
		for _, m := range messages {
			if err := tx.Ack(m.Lease); err != nil {
				return err
			}
		}
		return nil
	})
}

// lost expects that a lease is lost.
func (s *suite) lost(m store.Message) {
	s.Helper()
	for what, f := range map[string]func(store.Tx) error{
		"Ack":    func(tx store.Tx) error { return tx.Ack(m.Lease) },
		"Extend": func(tx store.Tx) error { return tx.Extend(m.Lease, never) },
	} {
		if err := s.s.Update(s.Context(), f); !errors.Is(err, store.ErrLeaseLost) {
			s.Errorf("%s of lease %+v: %v", what, m.Lease, err)
		}
	}
}

func (s *suite) counts(queue string) store.Stats {
	s.Helper()
	got, err := s.s.Stats(s.Context(), queue)
	s.must(err)
	return got
}

// stats expects counts; Oldest must be there just when there is a message.
func (s *suite) stats(queue string, want store.Stats) {
	s.Helper()
	got := s.counts(queue)
	if got.Oldest.IsZero() != (want == store.Stats{}) {
		s.Errorf("queue %q: the oldest is of %v", queue, got.Oldest)
	}
	if got.Oldest = (time.Time{}); got != want {
		s.Errorf("queue %q has %+v, want %+v", queue, got, want)
	}
}

// inTime calls attempt with ever longer times until it says that it did what was to be done within one. A busy machine
// takes more attempts.
func (s *suite) inTime(attempt func(time.Duration) bool) {
	s.Helper()
	for within := soon; !attempt(within); within *= 2 {
		if within > patient {
			s.Fatalf("not even within %v", within)
		}
	}
}

// until waits for what only time brings about.
func (s *suite) until(f func() bool) {
	s.Helper()
	for end := time.Now().Add(patient); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.Fatal("it does not happen")
		}
	}
}
