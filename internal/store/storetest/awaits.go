package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"cirro/internal/store"
)

func awaits(s *suite) {
	s.each("AtOnce", func(s *suite) {
		s.append("log", "v")
		s.must(s.s.Await(s.Context(), store.Key("log"), 0))
		s.must(s.s.Await(s.Context(), store.Key("log"), s.last("log")-1))
		s.reopen()
		s.must(s.s.Await(s.Context(), store.Key("log"), s.last("log")-1))
	})
	s.each("Wakes", func(s *suite) {
		s.append("log", "v")
		done := s.awaiting(s.Context(), "log", s.last("log"))
		s.append("log", "w")
		s.must(<-done)
	})
	s.each("WakesForFirst", func(s *suite) {
		done := s.awaiting(s.Context(), "log", 0)
		s.append("log", "v")
		s.must(<-done)
	})
	s.each("WakesAll", func(s *suite) {
		var done []<-chan error
		for range 20 {
			done = append(done, s.awaiting(s.Context(), "log", 0))
		}
		s.append("log", "v")
		for _, d := range done {
			s.must(<-d)
		}
	})
	s.each("NotForOthers", func(s *suite) {
		for _, c := range []struct {
			name  string
			after int64
			write func(tx store.Tx) error
		}{
			{"another prefix", 0, func(tx store.Tx) error { return tx.Append(store.Key("other"), nil) }},
			{"a longer prefix", 0, func(tx store.Tx) error { return tx.Append(store.Key("log", "a"), nil) }},
			{"a prefix that goes on with a number", 0, func(tx store.Tx) error { return tx.Append(store.Key("log", 7), nil) }},
			{"a key below the prefix", 0, func(tx store.Tx) error { return tx.Set(store.Key("log", "a"), nil) }},
			{"a number too low", math.MaxInt64, func(tx store.Tx) error { return tx.Append(store.Key("log"), nil) }},
		} {
			ctx, cancel := context.WithCancel(s.Context())
			done := s.awaiting(ctx, "log", c.after)
			s.update(c.write)
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				s.Errorf("%s: %v", c.name, err)
			}
		}
	})
	s.each("NotForRemoved", func(s *suite) {
		s.append("log", "v")
		s.update(func(tx store.Tx) error { return tx.DeleteRange(nil, nil) })
		ctx, cancel := context.WithCancel(s.Context())
		done := s.awaiting(ctx, "log", 0)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			s.Error(err)
		}
	})
	s.each("NotForTheUndone", func(s *suite) {
		ctx, cancel := context.WithCancel(s.Context())
		done := s.awaiting(ctx, "log", 0)
		broken := errors.New("broken")
		err := s.s.Update(s.Context(), func(tx store.Tx) error { return errors.Join(tx.Append(store.Key("log"), nil), broken) })
		if !errors.Is(err, broken) {
			s.Error(err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			s.Error(err)
		}
	})
	s.each("EndedContext", func(s *suite) {
		ctx, cancel := context.WithCancel(s.Context())
		cancel()
		if err := s.s.Await(ctx, store.Key("log"), 0); !errors.Is(err, context.Canceled) {
			s.Error(err)
		}
	})
	s.each("Close", func(s *suite) {
		done := s.awaiting(s.Context(), "log", 0)
		s.must(s.s.Close())
		if err := <-done; !errors.Is(err, store.ErrClosed) {
			s.Errorf("who waits is answered %v", err)
		}
		if err := s.s.Await(s.Context(), store.Key("log"), 0); !errors.Is(err, store.ErrClosed) {
			s.Errorf("after the end: %v", err)
		}
	})
	s.each("MissNothing", func(s *suite) { s.testFollow() })
}

// awaiting waits in the background for a number of a log above after.
func (s *suite) awaiting(ctx context.Context, log string, after int64) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.s.Await(ctx, store.Key(log), after) }()
	return done
}

// testFollow lets readers of a few logs wait for each value in turn, while writers append: nobody is left waiting, and
// what a reader is woken for is there.
func (s *suite) testFollow() {
	logs, each := 4, 50
	if long() {
		each = 1000
	}
	ctx, cancel := s.patient()
	defer cancel()
	var wg sync.WaitGroup
	for l := range logs {
		log := fmt.Sprint("log", l)
		wg.Go(func() {
			for range each {
				s.append(log, "v")
			}
		})
		for range 2 {
			wg.Go(func() {
				after := int64(0)
				for read := 0; read < each; {
					if err := s.s.Await(ctx, store.Key(log), after); err != nil {
						s.Errorf("%s after %d of %d: %v", log, read, each, err)
						return
					}
					numbers := s.numbers(log, after)
					if len(numbers) == 0 {
						s.Errorf("%s: woken for nothing after %d", log, after)
						return
					}
					read += len(numbers)
					after = numbers[len(numbers)-1]
				}
			})
		}
	}
	wg.Wait()
}

// numbers returns the numbers of a log above after.
func (s *suite) numbers(log string, after int64) (numbers []int64) {
	err := s.s.View(s.Context(), func(r store.Reader) error {
		for kv, err := range r.Range(store.Prefix(log).After(store.Key(log, after))) {
			if err != nil {
				return err
			}
			numbers = append(numbers, store.Appended(kv.Key))
		}
		return nil
	})
	if err != nil {
		s.Error(err)
	}
	return numbers
}
