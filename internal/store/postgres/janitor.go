package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

const (
	// cleaning is how often the janitor looks for what can go.
	cleaning = time.Minute
	// kept is how long nodes can learn of a change.
	kept = time.Minute
	// atOnce is how many deduplications one transaction forgets.
	atOnce = 1000
)

// janitor removes what has expired and nobody asks for. Each node has one.
func (s *Store) janitor() {
	defer close(s.cleaned)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ticker := time.NewTicker(cleaning)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.closing:
			return
		}
		if err := s.clean(ctx, s.clock.now()); err != nil && !errors.Is(err, store.ErrClosed) {
			s.log.Error("store: removing what has expired", "error", err)
		}
	}
}

// clean removes messages that have expired by now, deduplications to forget by then, and changes that all
// nodes have had the time to learn of. It also sets the clock.
func (s *Store) clean(ctx context.Context, now int64) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	if err := s.clock.set(ctx, s.readers); err != nil {
		return s.explain(err)
	}
	if _, err := s.readers.Exec(ctx, `with old as (delete from change where made < now() - $1::interval returning last)
		update meta set forgotten = greatest(forgotten, (select max(last) from old)) where exists (select from old)`, kept); err != nil {
		return s.explain(err)
	}
	rows, err := s.readers.Query(ctx, "select distinct queue from message where expiry > 0 and expiry <= $1", now)
	if err != nil {
		return s.explain(err)
	}
	queues, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return s.explain(err)
	}
	for _, q := range queues {
		if _, err := s.readers.Exec(ctx, "select promote($1, $2, $3)", q, s.queueLock(string(q)), now); err != nil {
			return s.explain(err)
		}
	}
	return s.forget(ctx, now)
}

// forget removes the deduplications whose time is over.
func (s *Store) forget(ctx context.Context, now int64) error {
	over := optimistic.Span{Start: []byte{forgetSpace}, End: forgetBefore(now)}
	for more := true; more; {
		err := s.update(ctx, func(tx *transaction) error {
			more = false
			n := 0
			for kv, err := range tx.walk(new(optimistic.Overlay), over, false, atOnce) {
				if err != nil {
					return err
				}
				if err := tx.forgetOne(kv.Key, now); err != nil {
					return err
				}
				if n++; n == atOnce {
					more = true
					break
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetOne removes a deduplication, unless it was made again since.
func (tx *transaction) forgetOne(note []byte, now int64) error {
	tx.overlay.Delete(note)
	key := forgotten(note)
	known, err := tx.sent(key)
	if err == nil && known.Expiry > 0 && known.Expiry <= now {
		tx.overlay.Delete(key)
	}
	return err
}
