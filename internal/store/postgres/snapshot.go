package postgres

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

// snapshot is the database as of a moment: that of the first read.
type snapshot struct {
	s    *Store
	ctx  context.Context
	conn *pgxpool.Conn
	asOf uint64 // the last commit that the snapshot has
	// broken says that the connection broke, and the snapshot with it.
	broken bool
}

const (
	beginSnapshot = "begin isolation level repeatable read read only"
	selectLast    = "select last from meta"
	selectValue   = "select value from kv where key = $1"
	selectLong    = "select value from kv_long where head = $1 and key = $2"
)

// query asks one thing; the first begins the snapshot, and is asked again on another connection where
// that one turns out to be broken.
func (v *snapshot) query(sql string, args []any, read func(pgx.Rows) error) error {
	if v.conn != nil {
		err := v.ask(sql, args, read)
		v.broken = v.broken || broken(err)
		return v.s.explain(err)
	}
	return v.s.persist(v.ctx, func() error { return v.begin(sql, args, read) })
}

func (v *snapshot) ask(sql string, args []any, read func(pgx.Rows) error) error {
	rows, err := v.conn.Query(v.ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	return errors.Join(read(rows), rows.Err())
}

func (v *snapshot) begin(sql string, args []any, read func(pgx.Rows) error) error {
	conn, err := v.s.readers.Acquire(v.ctx)
	if err != nil {
		return err
	}
	var b pgx.Batch
	b.Queue(beginSnapshot)
	b.Queue(selectLast).QueryRow(func(row pgx.Row) error { return row.Scan(&v.asOf) })
	b.Queue(sql, args...).Query(read)
	if err := conn.SendBatch(v.ctx, &b).Close(); err != nil {
		release(conn)
		return err
	}
	v.conn = conn
	return nil
}

// release ends a connection's transaction and gives it back. Nobody has to wait for that.
func release(conn *pgxpool.Conn) {
	go func() {
		defer conn.Release()
		if conn.Conn().IsClosed() {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, _ = conn.Exec(ctx, "rollback") // a connection that cannot is given up
	}()
}

func (v *snapshot) close() {
	if v.conn != nil {
		release(v.conn)
		v.conn = nil
	}
}

// get reads a key of any space.
func (v *snapshot) get(key []byte) (value []byte, err error) {
	sql, args := selectValue, []any{key}
	if len(key) > indexed {
		sql, args = selectLong, []any{head(key), key}
	}
	err = v.query(sql, args, func(rows pgx.Rows) error {
		for rows.Next() {
			// A value of no bytes is not nil.
			value = append(make([]byte, 0, len(rows.RawValues()[0])), rows.RawValues()[0]...)
		}
		return nil
	})
	if err == nil && value == nil {
		err = store.ErrNotFound
	}
	return value, err
}

// walk goes over the keys of s, as they are with the overlay on top. Limit is how many are wanted, 0
// for all.
func (v *snapshot) walk(o *optimistic.Overlay, s optimistic.Span, reverse bool, limit int) iter.Seq2[store.KV, error] {
	return func(yield func(store.KV, error) bool) {
		pages := &pager{v: v, rest: s, reverse: reverse, size: firstPage}
		if limit > 0 && o.Empty() {
			pages.size = min(limit, lastPage)
		}
		pages.load()
		m := optimistic.NewMerge(pages, o, s, reverse)
		for {
			kv, ok := m.Next()
			if !ok {
				break
			}
			if !yield(kv, nil) {
				return
			}
		}
		if pages.err != nil {
			yield(store.KV{}, pages.err)
		}
	}
}
