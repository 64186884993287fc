package postgres

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// clock tells the database's time, that all nodes share, in nanoseconds since 1970.
type clock struct{ offset atomic.Int64 }

// precision is how far two clocks may be apart and still count as the same.
const precision = 5 * time.Millisecond

func (c *clock) now() int64 { return time.Now().UnixNano() + c.offset.Load() }

// local is a time as this node's own clock has it.
func (c *clock) local(at int64) time.Time { return time.Unix(0, at-c.offset.Load()) }

// set asks the database for its time. What is less than the question took is no difference.
func (c *clock) set(ctx context.Context, pool *pgxpool.Pool) error {
	var there time.Time
	begin := time.Now()
	if err := pool.QueryRow(ctx, "select clock_timestamp()").Scan(&there); err != nil {
		return err
	}
	took := time.Since(begin)
	offset := there.Sub(begin.Add(took / 2))
	if offset.Abs() <= took+precision {
		offset = 0
	}
	c.offset.Store(int64(offset))
	return nil
}
