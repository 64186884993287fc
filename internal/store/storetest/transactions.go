package storetest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"

	"cirro/internal/store"
)

func transactions(s *suite) {
	s.each("ErrorRollsBack", func(s *suite) {
		s.put("a")
		broken := errors.New("broken")
		err := s.s.Update(s.Context(), func(tx store.Tx) error {
			_, err := tx.Enqueue("q", store.NewMessage{Body: []byte("m")})
			return errors.Join(err, tx.Set([]byte("a"), nil), tx.Set([]byte("b"), nil), tx.DeleteRange(nil, nil), broken)
		})
		if !errors.Is(err, broken) {
			s.Errorf("the error is %v", err)
		}
		s.holds(store.Range{}, "a")
		s.has("a", "a")
		s.stats("q", store.Stats{})
	})
	s.each("PanicRollsBack", func(s *suite) {
		func() {
			defer func() {
				if recover() == nil {
					s.Error("the panic was swallowed")
				}
			}()
			_ = s.s.Update(s.Context(), func(tx store.Tx) error {
				_ = tx.Set([]byte("a"), nil)
				panic("broken")
			})
		}()
		s.holds(store.Range{})
		s.put("b")
	})
	s.each("UseAfterTheEnd", func(s *suite) {
		var kept store.Tx
		s.update(func(tx store.Tx) error { kept = tx; return tx.Set([]byte("a"), []byte("a")) })
		if _, err := kept.Get([]byte("a")); err == nil || errors.Is(err, store.ErrNotFound) {
			s.Errorf("Get answers %v", err)
		}
		if kept.Set([]byte("a"), nil) == nil || kept.Delete([]byte("a")) == nil || kept.DeleteRange(nil, nil) == nil || kept.Purge("q") == nil {
			s.Error("a write was accepted")
		}
	})
	s.each("ReadOnlyUpdate", func(s *suite) {
		s.put("a")
		s.update(func(tx store.Tx) error { get(s.T, tx, "a", "a"); return nil })
	})
	s.each("Rerun", func(s *suite) { s.testRerun() })
	s.each("RangeConflicts", func(s *suite) { s.testPhantom() })
	s.each("GetConflictsWithDeleteRange", func(s *suite) {
		s.put("a")
		n := 0
		s.update(func(tx store.Tx) error {
			_, _ = tx.Get([]byte("a"))
			if n++; n == 1 {
				s.update(func(tx store.Tx) error { return tx.DeleteRange([]byte("a"), []byte("b")) })
			}
			return tx.Set([]byte("c"), nil)
		})
		if n != 2 {
			s.Errorf("the transaction ran %d times", n)
		}
	})
	s.each("LimitedRangeConflicts", func(s *suite) {
		for reverse, key := range map[bool]string{false: "a5", true: "b5"} {
			s.put("a", "b", "c")
			n := 0
			s.update(func(tx store.Tx) error {
				for range tx.Range(store.Range{Reverse: reverse, Limit: 2}) {
				}
				if n++; n == 1 {
					s.update(func(tx store.Tx) error { return tx.Set([]byte(key), nil) })
				}
				return tx.Set([]byte("x"), nil)
			})
			if n != 2 {
				s.Errorf("reverse %t: the transaction ran %d times", reverse, n)
			}
			s.update(func(tx store.Tx) error { return tx.DeleteRange(nil, nil) })
		}
	})
	s.each("UnreadIsNoConflict", func(s *suite) {
		s.put("a", "c")
		s.runsOnce(func(tx store.Tx) error {
			get(s.T, tx, "a", "a")
			for range tx.Range(store.Range{Limit: 1}) {
			}
			return tx.Set([]byte("d"), nil)
		}, func(tx store.Tx) error { return tx.Set([]byte("b"), nil) })
	})
	s.each("BlindWritesNeverConflict", func(s *suite) {
		s.runsOnce(func(tx store.Tx) error {
			_, err := tx.Enqueue("q", store.NewMessage{Body: []byte("1")})
			return errors.Join(err, tx.Set([]byte("a"), []byte("1")), tx.DeleteRange([]byte("x"), nil))
		}, func(tx store.Tx) error {
			_, err := tx.Enqueue("q", store.NewMessage{Body: []byte("2")})
			return errors.Join(err, tx.Set([]byte("a"), []byte("2")), tx.Set([]byte("x"), nil))
		})
		s.has("a", "1")
		s.lacks("x")
	})
	s.each("CancelledWhileContended", func(s *suite) {
		ctx, cancel := context.WithCancel(s.Context())
		defer cancel()
		n := 0
		err := s.s.Update(ctx, func(tx store.Tx) error {
			if n++; n == 2 {
				cancel()
			}
			_, _ = tx.Get([]byte("a"))
			s.put("a")
			return tx.Set([]byte("a"), nil)
		})
		if !errors.Is(err, context.Canceled) || n != 2 {
			s.Errorf("%v after %d runs", err, n)
		}
		s.has("a", "a")
	})
	s.each("Hot", func(s *suite) { s.testHot() })
	s.each("LongAmongShort", func(s *suite) { s.testStarvation() })
	s.each("CloseWaits", func(s *suite) {
		begun, finish := make(chan struct{}), make(chan struct{})
		done := make(chan error, 2)
		go func() {
			done <- s.s.Update(s.Context(), func(tx store.Tx) error {
				close(begun)
				<-finish
				return tx.Set([]byte("a"), []byte("a"))
			})
		}()
		<-begun
		go func() { done <- s.s.Close() }()
		close(finish)
		s.must(errors.Join(<-done, <-done))
		s.s = s.open(s.T, s.dir)
		s.has("a", "a")
	})
}

// runsOnce runs f with another transaction between its run and its commit.
func (s *suite) runsOnce(f, between func(store.Tx) error) {
	s.Helper()
	n := 0
	s.update(func(tx store.Tx) error {
		err := f(tx)
		if n++; n == 1 {
			s.update(between)
		}
		return err
	})
	if n != 1 {
		s.Errorf("the transaction ran %d times", n)
	}
}

func (s *suite) testRerun() {
	s.put("a", "b")
	n := 0
	s.update(func(tx store.Tx) error {
		v, err := tx.Get([]byte("a"))
		if err != nil {
			return err
		}
		if n++; n == 1 {
			s.update(func(tx store.Tx) error { return tx.Set([]byte("a"), []byte("changed")) })
			// What only the first run writes is not written.
			return tx.Set([]byte("first"), nil)
		}
		return tx.Set([]byte("copy"), v)
	})
	if n != 2 {
		s.Errorf("the transaction ran %d times", n)
	}
	s.has("copy", "changed")
	s.lacks("first")
}

// testPhantom adds and removes keys within a range that was read.
func (s *suite) testPhantom() {
	for name, change := range map[string]func(store.Tx) error{
		"set":             func(tx store.Tx) error { return tx.Set([]byte("b5"), nil) },
		"delete":          func(tx store.Tx) error { return tx.Delete([]byte("b1")) },
		"delete range":    func(tx store.Tx) error { return tx.DeleteRange([]byte("b2"), []byte("x")) },
		"delete all":      func(tx store.Tx) error { return tx.DeleteRange(nil, nil) },
		"set at the rim":  func(tx store.Tx) error { return tx.Set([]byte("b"), nil) },
		"delete at limit": func(tx store.Tx) error { return tx.Delete([]byte("b3")) },
	} {
		for _, reverse := range []bool{false, true} {
			s.put("b1", "b2", "b3")
			n := 0
			s.update(func(tx store.Tx) error {
				count := 0
				for range tx.Range(store.Range{Start: []byte("b"), End: []byte("c"), Reverse: reverse}) {
					count++
				}
				if n++; n == 1 {
					s.update(change)
				}
				return tx.Set([]byte("count"), []byte(strconv.Itoa(count)))
			})
			if n != 2 {
				s.Errorf("%s, reverse %t: the transaction ran %d times", name, reverse, n)
			}
			s.update(func(tx store.Tx) error { return tx.DeleteRange([]byte("b"), []byte("c")) })
		}
	}
}

// testHot increments one counter from many sides.
func (s *suite) testHot() {
	const sides, each = 32, 25
	var wg sync.WaitGroup
	for range sides {
		wg.Go(func() {
			for range each {
				if err := s.s.Update(s.Context(), increment("n")); err != nil {
					s.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s.has("n", strconv.Itoa(sides*each))
}

func increment(key string) func(store.Tx) error {
	return func(tx store.Tx) error {
		n, err := number(tx, key)
		if err != nil {
			return err
		}
		return tx.Set([]byte(key), []byte(strconv.Itoa(n+1)))
	}
}

// number reads a number; a missing one is 0.
func number(r store.Reader, key string) (int, error) {
	v, err := r.Get([]byte(key))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(v))
}

// testStarvation runs a transaction that reads what others change all the time.
func (s *suite) testStarvation() {
	const cells = 50
	var stop atomic.Bool
	var wg sync.WaitGroup
	for side := range 4 {
		wg.Go(func() {
			for i := side; !stop.Load(); i++ {
				if err := s.s.Update(s.Context(), increment("n"+strconv.Itoa(i%cells))); err != nil {
					s.Error(err)
				}
			}
		})
	}
	ctx, cancel := s.patient()
	defer cancel()
	for range 5 {
		err := s.s.Update(ctx, func(tx store.Tx) error {
			sum := 0
			for i := range cells {
				n, err := number(tx, "n"+strconv.Itoa(i))
				if err != nil {
					return err
				}
				sum += n
			}
			return tx.Set([]byte("sum"), []byte(strconv.Itoa(sum)))
		})
		if err != nil {
			s.Error(err)
		}
	}
	stop.Store(true)
	wg.Wait()
}
