package postgres

import (
	"errors"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"cirro/internal/store"
)

// TestAFullDisk has the database answer as where its disk is full: a write is refused, nothing of it is there, and writes
// go on when there is room.
func TestAFullDisk(t *testing.T) {
	s := openTest(t, "full")
	conn, err := pgx.Connect(t.Context(), url(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	do := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	do(`create function "full".refuse() returns trigger language plpgsql as $$
		begin raise exception 'could not extend file "base/1/2": No space left on device' using errcode = 'disk_full'; end $$`)
	do(`create trigger refuse before insert on "full".kv execute function "full".refuse()`)
	set := func() error {
		return s.Update(t.Context(), func(tx store.Tx) error { return tx.Set([]byte("key"), []byte("value")) })
	}
	if err := set(); !errors.Is(err, store.ErrFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("with a full disk: %v", err)
	}
	read := func() error {
		return s.View(t.Context(), func(r store.Reader) error {
			_, err := r.Get([]byte("key"))
			return err
		})
	}
	if err := read(); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after a write that was refused: %v", err)
	}
	do(`drop trigger refuse on "full".kv`)
	if err := errors.Join(set(), read()); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
