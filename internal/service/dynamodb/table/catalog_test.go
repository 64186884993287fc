package table

import (
	"errors"
	"testing"
	"time"

	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// sharedStore is a store that other processes write to; told are those who want to hear of it.
type sharedStore struct {
	store.Store
	told []func(key []byte)
}

func (s *sharedStore) Watch(_ []byte, changed func(key []byte)) (stop func()) {
	s.told = append(s.told, changed)
	return func() {}
}

// A write that goes by a table as it was before another process changed it is refused, until the catalog hears of
// the change.
func TestTableChangedByAnotherProcess(t *testing.T) {
	p, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	s := &sharedStore{Store: p}
	record := record("t")
	here, there := NewCatalog(s), NewCatalog(s)
	change := func(to func(*Record) *Record) {
		t.Helper()
		err := there.Change(t.Context(), record.Ref, func(_ store.Tx, was *Record) (*Record, error) { return to(was), nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	check := func(want error) {
		t.Helper()
		u, err := here.Use(t.Context(), record.Ref)
		if err != nil {
			t.Fatal(err)
		}
		defer u.End()
		at := *here.lookup(record.Ref).cached.Load()
		at.asOf = time.Now().Add(time.Hour) // however slow this machine is
		here.lookup(record.Ref).cached.Store(&at)
		err = s.Update(t.Context(), func(tx store.Tx) error { return u.Check(tx) })
		if !errors.Is(err, want) {
			t.Errorf("the check says %v, want %v", err, want)
		}
	}
	change(func(*Record) *Record { return record })
	check(nil)
	change(func(r *Record) *Record { r.LastNumber++; return r })
	check(ErrChanged)
	s.told[0](store.Key("dynamodb", "table", "another"))
	check(ErrChanged)
	s.told[0](record.Key())
	check(nil)
	change(func(*Record) *Record { return nil })
	check(ErrChanged)
	s.told[0](nil)
	if u, err := here.Use(t.Context(), record.Ref); !errors.Is(err, ErrNotFound) {
		t.Errorf("used %v, %v", u, err)
	}
}
