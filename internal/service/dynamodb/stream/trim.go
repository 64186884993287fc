package stream

import (
	"context"
	"errors"
	"strconv"
	"time"

	"cirro/internal/store"
)

// trimBatch is how many records one transaction removes at most.
const trimBatch = 50_000

// Trim removes the records of all streams that were written before horizon, and the streams that were disabled before.
func Trim(ctx context.Context, st store.Store, horizon time.Time) error {
	var streams []owned
	err := st.View(ctx, func(r store.Reader) (err error) {
		streams, err = all(r)
		return err
	})
	for i := 0; i < len(streams) && err == nil; i++ {
		err = streams[i].trim(ctx, st, horizon)
	}
	return err
}

// owned is a stream with its owner.
type owned struct {
	Stream
	owner Owner
}

func all(r store.Reader) (streams []owned, err error) {
	for kv, err := range r.Range(store.Prefix("dynamodb", "stream")) {
		if err != nil {
			return nil, err
		}
		parts, err := store.Split(kv.Key)
		if err != nil {
			return nil, err
		}
		o := Owner{Account: parts[2].(string), Region: parts[3].(string)}
		s, _, err := Find(r, o, parts[4].(string), parts[5].(string))
		if err != nil {
			return nil, err
		}
		streams = append(streams, owned{s, o})
	}
	return streams, nil
}

func (s *owned) trim(ctx context.Context, st store.Store, horizon time.Time) error {
	if !s.Closed.IsZero() && s.Closed.Before(horizon) {
		return st.Update(ctx, s.remove)
	}
	for shard := range s.Shards {
		for more := true; more; {
			var err error
			if more, err = s.trimShard(ctx, st, shard, horizon); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove removes the stream and all it has.
func (s *owned) remove(tx store.Tx) error {
	err := tx.Delete(s.owner.key(s.Table, s.Label))
	for shard := range s.Shards {
		over := below(s.shardPrefix(shard))
		err = errors.Join(err, tx.DeleteRange(over.Start, over.End), tx.Delete(s.trimmedKey(shard)))
	}
	for _, over := range []store.Range{below(s.openedPrefix()), below(s.closedPrefix())} {
		err = errors.Join(err, tx.DeleteRange(over.Start, over.End))
	}
	return err
}

// trimShard removes records from a shard's beginning. It looks in a snapshot, so that those who write have no
// conflict with it: what is appended meanwhile comes after all that it removes.
func (s *owned) trimShard(ctx context.Context, st store.Store, shard int, horizon time.Time) (more bool, err error) {
	var last int64
	err = st.View(ctx, func(r store.Reader) (err error) {
		last, more, err = s.expired(r, shard, horizon, trimBatch)
		return err
	})
	if err != nil || last == 0 {
		return false, err
	}
	return more, st.Update(ctx, func(tx store.Tx) error {
		return errors.Join(
			tx.DeleteRange(s.shardPrefix(shard), store.AppendKey(s.shardPrefix(shard), last+1)),
			tx.Set(s.trimmedKey(shard), strconv.AppendInt(nil, last, 10)))
	})
}
