package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"cirro/internal/store"
)

// count counts by the indexes that there are.
const count = `select
	(select count(*) from message where queue = $1 and turn is not null) + (select count(*) from message where queue = $1 and grp <> '' and state = 3),
	(select count(*) from message where queue = $1 and state in (1, 2) and state = 1),
	(select count(*) from message where queue = $1 and state in (1, 2) and state = 2),
	coalesce((select enqueued from message where seq = least(
		(select turn from message where queue = $1 and turn is not null order by turn limit 1),
		(select min(seq + 0) from message where queue = $1 and state in (1, 2)),
		(select min(place) from message where queue = $1 and grp <> ''))), 0)`

// Stats counts a queue's messages; see store.Store. Oldest is that of the message first in order.
func (s *Store) Stats(ctx context.Context, queue string) (stats store.Stats, err error) {
	if err := s.gate.enter(); err != nil {
		return store.Stats{}, err
	}
	defer s.gate.leave()
	if err := ctx.Err(); err != nil {
		return store.Stats{}, err
	}
	var oldest int64
	err = s.persist(ctx, func() error {
		var b pgx.Batch
		b.Queue("select promote($1, $2, $3)", []byte(queue), s.queueLock(queue), s.clock.now())
		b.Queue(count, []byte(queue)).QueryRow(func(row pgx.Row) error {
			return row.Scan(&stats.Ready, &stats.Delayed, &stats.Leased, &oldest)
		})
		return s.readers.SendBatch(ctx, &b).Close()
	})
	if oldest > 0 {
		stats.Oldest = s.clock.local(oldest)
	}
	return stats, err
}
