package pebble

import (
	"errors"
	"testing"

	"cirro/internal/store"
)

// TestMemo reads a key until it is kept, and changes it in every way.
func TestMemo(t *testing.T) {
	s := openTest(t, t.TempDir())
	key := []byte("key")
	update := func(f func(tx store.Tx) error) {
		t.Helper()
		if err := s.Update(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	read := func(want string) {
		t.Helper()
		for range 4 {
			err := s.View(t.Context(), func(r store.Reader) error {
				got, err := r.Get(key)
				if string(got) != want || (want == "") != errors.Is(err, store.ErrNotFound) {
					t.Errorf("%q, %v instead of %q", got, err, want)
				}
				clear(got) // it is the reader's
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		slot, _ := s.memo.slot([]byte("kkey"))
		if e := slot.kept.Load(); want != "" && (e == nil || string(e.value) != want) {
			t.Errorf("%q is not kept", want)
		}
	}
	set := func(value string) {
		t.Helper()
		update(func(tx store.Tx) error { return tx.Set(key, []byte(value)) })
	}
	set("one")
	read("one")
	set("two")
	read("two")
	err := s.View(t.Context(), func(r store.Reader) error {
		if _, err := r.Get([]byte("other")); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
		set("three")
		read("three")
		if old, err := r.Get(key); string(old) != "two" {
			t.Errorf("an older snapshot has %q, %v", old, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	read("three")
	update(func(tx store.Tx) error { return tx.DeleteRange(nil, nil) })
	read("")
	set("four")
	read("four")
	update(func(tx store.Tx) error { return tx.Delete(key) })
	read("")
}
