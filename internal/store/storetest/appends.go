package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"cirro/internal/store"
)

func appends(s *suite) {
	s.each("Order", func(s *suite) {
		s.update(func(tx store.Tx) error {
			return errors.Join(tx.Append(store.Key("log"), []byte("1")), tx.Append(store.Key("log"), []byte("2")), tx.Append(store.Key("log"), nil))
		})
		s.append("log", "4")
		s.append("other", "5")
		s.append("log", "6")
		s.logged("log", "1", "2", "", "4", "6")
		s.logged("other", "5")
	})
	s.each("NumbersAreTold", func(s *suite) {
		var first, second int64
		s.update(func(tx store.Tx) error {
			return errors.Join(tx.AppendNumbered(store.Key("log"), []byte("1"), &first), tx.Append(store.Key("log"), []byte("2")),
				tx.AppendNumbered(store.Key("other"), []byte("3"), &second))
		})
		if last := s.last("log"); first <= 0 || first >= last || second != s.last("other") || second <= last {
			s.Errorf("told the numbers %d and %d; the logs end at %d and %d", first, second, last, s.last("other"))
		}
	})
	s.each("NumbersGrowAcrossPrefixes", func(s *suite) {
		last := int64(0)
		for i := range 20 {
			log := fmt.Sprint("log", i%3)
			s.append(log, "v")
			if n := s.last(log); n <= last {
				s.Fatalf("number %d after %d", n, last)
			} else {
				last = n
			}
		}
	})
	s.each("NumbersGrowAcrossRestarts", func(s *suite) {
		last := int64(0)
		for range 4 {
			for range 3 {
				s.append("log", "v")
				if n := s.last("log"); n <= last {
					s.Fatalf("number %d after %d", n, last)
				} else {
					last = n
				}
			}
			s.update(func(tx store.Tx) error { return tx.DeleteRange(nil, nil) })
			s.reopen()
		}
	})
	s.each("NumbersGrowAfterDeletion", func(s *suite) {
		s.append("log", "1")
		first := s.last("log")
		s.update(func(tx store.Tx) error {
			return errors.Join(tx.DeleteRange(nil, nil), tx.Append(store.Key("log"), []byte("2")))
		})
		s.logged("log", "2")
		if n := s.last("log"); n <= first {
			s.Errorf("number %d after %d", n, first)
		}
	})
	s.each("AnyPrefix", func(s *suite) {
		for _, prefix := range []string{"", "raw", "\x00", "\xff"} {
			s.update(func(tx store.Tx) error { return tx.Append([]byte(prefix), []byte("v")) })
		}
		s.view(func(r store.Reader) error {
			var n int
			for kv, err := range r.Range(store.Range{}) {
				if err != nil {
					return err
				}
				if n++; store.Appended(kv.Key) <= 0 || string(kv.Value) != "v" {
					s.Errorf("key %x has %q", kv.Key, kv.Value)
				}
			}
			if n != 4 {
				s.Errorf("%d keys", n)
			}
			return nil
		})
	})
	s.each("NotSeenByItself", func(s *suite) {
		s.update(func(tx store.Tx) error {
			if err := tx.Append(store.Key("log"), []byte("1")); err != nil {
				return err
			}
			for kv := range tx.Range(store.Range{}) {
				s.Errorf("the transaction sees %x", kv.Key)
			}
			return tx.DeleteRange(nil, nil)
		})
		s.logged("log", "1")
	})
	s.each("PrefixMayBeReused", func(s *suite) {
		s.update(func(tx store.Tx) error {
			prefix := store.Key("log")
			err := tx.Append(prefix, []byte("1"))
			clear(prefix)
			return err
		})
		s.logged("log", "1")
	})
	s.each("ErrorAppendsNothing", func(s *suite) {
		broken := errors.New("broken")
		err := s.s.Update(s.Context(), func(tx store.Tx) error {
			return errors.Join(tx.Append(store.Key("log"), []byte("1")), broken)
		})
		if !errors.Is(err, broken) {
			s.Errorf("the error is %v", err)
		}
		s.holds(store.Range{})
	})
	s.each("NeverConflict", func(s *suite) {
		write := func(tx store.Tx) error { return tx.Append(store.Key("log"), []byte("v")) }
		s.runsOnce(write, write)
		s.logged("log", "v", "v")
	})
	s.each("RangeConflicts", func(s *suite) {
		n := 0
		s.update(func(tx store.Tx) error {
			for range tx.Range(store.Prefix("log")) {
			}
			if n++; n == 1 {
				s.append("log", "1")
			}
			return tx.Append(store.Key("log"), []byte("2"))
		})
		if n != 2 {
			s.Errorf("the transaction ran %d times", n)
		}
		s.logged("log", "1", "2")
	})
	s.each("Limits", func(s *suite) {
		s.update(func(tx store.Tx) error {
			fits := make([]byte, store.MaxKey-store.AppendSize)
			if err := tx.Append(fits, nil); err != nil {
				return err
			}
			if tx.Append(append(fits, 0), nil) == nil {
				s.Error("a key that is too long was accepted")
			}
			if tx.Append(nil, make([]byte, store.MaxValue+1)) == nil {
				s.Error("a value that is too long was accepted")
			}
			return nil
		})
		var kept store.Tx
		s.update(func(tx store.Tx) error { kept = tx; return nil })
		if kept.Append(nil, nil) == nil {
			s.Error("accepted after the end")
		}
	})
	s.each("ReadersMissNothing", func(s *suite) { s.testTail() })
}

// append appends a value to a log.
func (s *suite) append(log, value string) {
	s.Helper()
	s.update(func(tx store.Tx) error { return tx.Append(store.Key(log), []byte(value)) })
}

// last returns the number of a log's last value.
func (s *suite) last(log string) (n int64) {
	s.Helper()
	s.view(func(r store.Reader) error {
		over := store.Prefix(log)
		over.Reverse, over.Limit = true, 1
		for kv, err := range r.Range(over) {
			if err != nil {
				return err
			}
			n = store.Appended(kv.Key)
		}
		return nil
	})
	return n
}

// logged checks a log's values, in order.
func (s *suite) logged(log string, want ...string) {
	s.Helper()
	var got []string
	s.view(func(r store.Reader) error {
		for kv, err := range r.Range(store.Prefix(log)) {
			if err != nil {
				return err
			}
			got = append(got, string(kv.Value))
		}
		return nil
	})
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.Errorf("%s holds %q, not %q", log, got, want)
	}
}

// testTail lets many append to one log, while readers follow it from number to number: each reads all of
// it, once, and those of one writer in order. Some transactions are rerun.
func (s *suite) testTail() {
	writers, each := 8, 100
	if long() {
		each = 2000
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(w)))
			for i := range each {
				err := s.s.Update(s.Context(), func(tx store.Tx) error {
					if random.IntN(3) == 0 {
						if err := increment("contended")(tx); err != nil {
							return err
						}
					}
					return tx.Append(store.Key("log"), fmt.Appendf(nil, "%d %d", w, i))
				})
				if err != nil {
					s.Error(err)
				}
			}
		})
	}
	for range 3 {
		wg.Go(func() { s.tail(writers, each) })
	}
	wg.Wait()
}

// tail follows a log until it has read all that will be there.
func (s *suite) tail(writers, each int) {
	ctx, cancel := s.patient()
	defer cancel()
	next := make([]int, writers)
	over := store.Prefix("log")
	for read := 0; read < writers*each; {
		var lines []string
		err := s.s.View(ctx, func(r store.Reader) error {
			for kv, err := range r.Range(over) {
				if err != nil {
					return err
				}
				lines = append(lines, string(kv.Value))
				over = over.After(kv.Key)
			}
			return nil
		})
		if err != nil {
			s.Error(err)
			return
		}
		for _, line := range lines {
			var w, i int
			if _, err := fmt.Sscan(line, &w, &i); err != nil || i != next[w] {
				s.Errorf("writer %d: %d instead of %d (%v)", w, i, next[w], err)
				return
			}
			next[w]++
		}
		read += len(lines)
	}
}
