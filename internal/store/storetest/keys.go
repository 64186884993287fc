package storetest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"cirro/internal/store"
)

func keys(s *suite) {
	s.each("SetGetDelete", func(s *suite) {
		k := []byte("k")
		s.update(func(tx store.Tx) error { return tx.Set(k, []byte("v")) })
		s.has("k", "v")
		s.update(func(tx store.Tx) error { return tx.Set(k, []byte("w")) })
		s.has("k", "w")
		s.update(func(tx store.Tx) error { return tx.Delete(k) })
		s.lacks("k")
		s.update(func(tx store.Tx) error { return tx.Delete(k) })
	})
	s.each("EmptyValueAndKey", func(s *suite) {
		s.update(func(tx store.Tx) error { return errors.Join(tx.Set(nil, []byte("no key")), tx.Set([]byte("k"), nil)) })
		s.has("", "no key")
		s.view(func(r store.Reader) error {
			v, err := r.Get([]byte("k"))
			if v == nil {
				s.Error("the empty value is nil")
			}
			return err
		})
	})
	s.each("OwnWrites", func(s *suite) {
		s.update(func(tx store.Tx) error {
			return errors.Join(tx.Set([]byte("a"), []byte("1")), tx.Set([]byte("b"), []byte("1")))
		})
		s.update(func(tx store.Tx) error {
			if err := errors.Join(tx.Set([]byte("a"), []byte("2")), tx.Delete([]byte("b")), tx.Set([]byte("c"), []byte("2"))); err != nil {
				return err
			}
			get(s.T, tx, "a", "2")
			getNothing(s.T, tx, "b")
			get(s.T, tx, "c", "2")
			return nil
		})
	})
	s.each("TheSliceIsTheCallers", func(s *suite) {
		s.update(func(tx store.Tx) error { return tx.Set([]byte("k"), []byte("abc")) })
		s.update(func(tx store.Tx) error {
			if err := tx.Set([]byte("j"), []byte("abc")); err != nil {
				return err
			}
			for _, k := range []string{"j", "k"} {
				v, err := tx.Get([]byte(k))
				if err != nil {
					return err
				}
				copy(v, "xyz")
				get(s.T, tx, k, "abc")
			}
			return nil
		})
		s.has("k", "abc")
		s.has("j", "abc")
	})
	s.each("TheKeyMayBeReused", func(s *suite) {
		s.update(func(tx store.Tx) error {
			k := []byte("a")
			for ; k[0] < 'd'; k[0]++ {
				if err := tx.Set(k, []byte("v")); err != nil {
					return err
				}
			}
			return nil
		})
		s.holds(store.Range{}, "a", "b", "c")
	})
	s.each("Limits", func(s *suite) {
		long, big := make([]byte, store.MaxKey), bytes.Repeat([]byte("x"), store.MaxValue)
		s.update(func(tx store.Tx) error { return tx.Set(long, big) })
		s.has(string(long), string(big))
		for what, f := range map[string]func(store.Tx) error{
			"key":           func(tx store.Tx) error { return tx.Set(append(long, 0), nil) },
			"key to delete": func(tx store.Tx) error { return tx.Delete(append(long, 0)) },
			"value":         func(tx store.Tx) error { return tx.Set([]byte("k"), append(big, 'x')) },
			"message": func(tx store.Tx) error {
				_, err := tx.Enqueue("q", store.NewMessage{Body: append(big, 'x')})
				return err
			},
		} {
			if err := s.s.Update(s.Context(), f); err == nil {
				s.Errorf("a %s that is too long was accepted", what)
			}
		}
	})
	s.each("Durable", func(s *suite) {
		s.update(func(tx store.Tx) error { return tx.Set([]byte("k"), []byte("v")) })
		s.reopen()
		s.has("k", "v")
	})
	s.each("Closed", func(s *suite) {
		s.must(s.s.Close())
		for name, err := range map[string]error{
			"View":   s.s.View(s.Context(), func(store.Reader) error { return nil }),
			"Update": s.s.Update(s.Context(), func(store.Tx) error { return nil }),
			"Receive": func() error {
				_, err := s.s.Receive(s.Context(), "q", store.ReceiveOptions{Max: 1, Lease: 1e9})
				return err
			}(),
			"Stats": func() error { _, err := s.s.Stats(s.Context(), "q"); return err }(),
			"Close": s.s.Close(),
		} {
			if !errors.Is(err, store.ErrClosed) {
				s.Errorf("%s answers %v", name, err)
			}
		}
	})
	s.each("Cancelled", func(s *suite) {
		ctx, cancel := context.WithCancel(s.Context())
		cancel()
		called := false
		for name, err := range map[string]error{
			"View":   s.s.View(ctx, func(store.Reader) error { called = true; return nil }),
			"Update": s.s.Update(ctx, func(store.Tx) error { called = true; return nil }),
			"Stats":  func() error { _, err := s.s.Stats(ctx, "q"); return err }(),
			"Receive": func() error {
				_, err := s.s.Receive(ctx, "q", store.ReceiveOptions{Max: 1, Lease: 1e9})
				return err
			}(),
		} {
			if !errors.Is(err, context.Canceled) {
				s.Errorf("%s answers %v", name, err)
			}
		}
		if called {
			s.Error("the function was called")
		}
	})
}

func ranges(s *suite) {
	s.each("Bounds", func(s *suite) {
		s.put("a", "b", "c", "d", "e")
		s.testRanges()
	})
	s.each("OwnWrites", func(s *suite) {
		s.put("a", "a1", "bb", "c", "d0", "e", "f")
		s.update(func(tx store.Tx) error {
			err := errors.Join(tx.Set([]byte("b"), []byte("b")), tx.Delete([]byte("a1")), tx.DeleteRange([]byte("bb"), []byte("c1")),
				tx.Set([]byte("c"), []byte("c")), tx.Set([]byte("d"), []byte("d")), tx.Delete([]byte("d0")), tx.Delete([]byte("f")))
			checkRanges(s.T, tx)
			return err
		})
		s.testRanges()
	})
	s.each("DeleteRange", func(s *suite) {
		s.put("a", "b", "c", "d")
		s.update(func(tx store.Tx) error {
			err := errors.Join(tx.Set([]byte("bb"), nil), tx.DeleteRange([]byte("b"), []byte("d")), tx.Set([]byte("c"), []byte("new")))
			getNothing(s.T, tx, "b")
			getNothing(s.T, tx, "bb")
			get(s.T, tx, "c", "new")
			return err
		})
		s.holds(store.Range{}, "a", "c", "d")
		s.update(func(tx store.Tx) error { return tx.DeleteRange([]byte("c"), []byte("b")) })
		s.holds(store.Range{}, "a", "c", "d")
		s.update(func(tx store.Tx) error { return tx.DeleteRange([]byte("b"), nil) })
		s.holds(store.Range{}, "a")
		s.update(func(tx store.Tx) error { return tx.DeleteRange(nil, nil) })
		s.holds(store.Range{})
	})
	s.each("WritingWhileWalking", func(s *suite) {
		s.put("a", "b", "c")
		s.update(func(tx store.Tx) error {
			for kv, err := range tx.Range(store.Range{}) {
				if err := errors.Join(err, tx.Delete(kv.Key), tx.Set(append([]byte("z"), kv.Key...), kv.Value)); err != nil {
					return err
				}
			}
			return nil
		})
		s.holds(store.Range{}, "za", "zb", "zc")
		s.has("zb", "b")
	})
	s.each("ManyKeys", func(s *suite) {
		const n = 5000
		s.update(func(tx store.Tx) error {
			for i := range n {
				if err := tx.Set(store.Key("p", i), store.Key(i)); err != nil {
					return err
				}
			}
			return tx.Set(store.Key("q"), nil)
		})
		for _, reverse := range []bool{false, true} {
			r := store.Prefix("p")
			r.Reverse = reverse
			i := 0
			s.view(func(reader store.Reader) error {
				for kv, err := range reader.Range(r) {
					want := i
					if reverse {
						want = n - 1 - i
					}
					if err != nil || !bytes.Equal(kv.Key, store.Key("p", want)) || !bytes.Equal(kv.Value, store.Key(want)) {
						s.Fatalf("key %d: %q, %v", want, kv.Key, err)
					}
					i++
				}
				return nil
			})
			if i != n {
				s.Errorf("%d of %d keys", i, n)
			}
		}
	})
	s.each("Snapshot", func(s *suite) {
		s.put("a", "b")
		s.view(func(r store.Reader) error {
			get(s.T, r, "a", "a")
			s.update(func(tx store.Tx) error {
				return errors.Join(tx.Set([]byte("a"), []byte("2")), tx.Set([]byte("c"), nil))
			})
			get(s.T, r, "a", "a")
			holds(s.T, r, store.Range{}, "a", "b")
			return nil
		})
		s.has("a", "2")
	})
}

// testRanges expects the keys a to e, each its own value.
func (s *suite) testRanges() {
	s.Helper()
	s.view(func(r store.Reader) error { checkRanges(s.T, r); return nil })
	s.update(func(tx store.Tx) error { checkRanges(s.T, tx); return nil })
}

func checkRanges(t *testing.T, r store.Reader) {
	t.Helper()
	b, d := []byte("b"), []byte("d")
	for _, c := range []struct {
		r    store.Range
		want []string
	}{
		{store.Range{}, []string{"a", "b", "c", "d", "e"}},
		{store.Range{Start: b}, []string{"b", "c", "d", "e"}},
		{store.Range{End: d}, []string{"a", "b", "c"}},
		{store.Range{Start: b, End: d}, []string{"b", "c"}},
		{store.Range{Start: []byte("bb"), End: []byte("dd")}, []string{"c", "d"}},
		{store.Range{Start: b, End: b}, nil},
		{store.Range{Start: d, End: b}, nil},
		{store.Range{Limit: 2}, []string{"a", "b"}},
		{store.Range{Start: b, Limit: 10}, []string{"b", "c", "d", "e"}},
		{store.Range{Reverse: true}, []string{"e", "d", "c", "b", "a"}},
		{store.Range{Start: b, End: d, Reverse: true}, []string{"c", "b"}},
		{store.Range{Reverse: true, Limit: 2}, []string{"e", "d"}},
		{store.Range{End: d, Reverse: true, Limit: 1}, []string{"c"}},
	} {
		holds(t, r, c.r, c.want...)
	}
}

func (s *suite) put(keys ...string) {
	s.Helper()
	s.update(func(tx store.Tx) error {
		for _, k := range keys {
			if err := tx.Set([]byte(k), []byte(k)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *suite) has(key, value string) {
	s.Helper()
	s.view(func(r store.Reader) error { get(s.T, r, key, value); return nil })
}

func (s *suite) lacks(key string) {
	s.Helper()
	s.view(func(r store.Reader) error { getNothing(s.T, r, key); return nil })
}

func (s *suite) holds(r store.Range, keys ...string) {
	s.Helper()
	s.view(func(reader store.Reader) error { holds(s.T, reader, r, keys...); return nil })
}

func get(t *testing.T, r store.Reader, key, want string) {
	t.Helper()
	if v, err := r.Get([]byte(key)); err != nil || string(v) != want {
		t.Errorf("key %.20q: %.20q, %v; want %.20q", key, v, err, want)
	}
}

func getNothing(t *testing.T, r store.Reader, key string) {
	t.Helper()
	if v, err := r.Get([]byte(key)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("key %q: %q, %v; want none", key, v, err)
	}
}

func holds(t *testing.T, reader store.Reader, r store.Range, want ...string) {
	t.Helper()
	var got []string
	for kv, err := range reader.Range(r) {
		if err != nil {
			t.Errorf("range %+v: %v", r, err)
			return
		}
		got = append(got, string(kv.Key))
	}
	if !slices.Equal(got, want) {
		t.Errorf("range %+v: %q, want %q", r, got, want)
	}
}
