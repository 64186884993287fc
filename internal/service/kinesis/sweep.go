package kinesis

import (
	"context"
	"time"

	"cirro/internal/store"
)

// sweepEvery is how often records that are too old are removed. Nobody reads them anyway.
const sweepEvery = time.Minute

// sweep removes records that are too old, until the service ends.
func (s *Service) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
			if err := s.trimAll(s.ctx); err != nil && s.ctx.Err() == nil {
				s.Log.Error("kinesis: removing old records", "error", err)
			}
		}
	}
}

// trimAll removes the old records of all streams.
func (s *Service) trimAll(ctx context.Context) error {
	var all []address
	err := s.Store.View(ctx, func(r store.Reader) error {
		for kv, err := range r.Range(store.Prefix("kinesis", "stream")) {
			if err != nil {
				return err
			}
			parts, err := store.Split(kv.Key)
			if err != nil {
				return err
			}
			all = append(all, address{parts[2].(string), parts[3].(string), parts[4].(string)})
		}
		return nil
	})
	for _, a := range all {
		if err == nil {
			err = s.trim(ctx, a)
		}
	}
	return err
}

// trim removes a stream's old records.
func (s *Service) trim(ctx context.Context, a address) error {
	var st *stream
	var old []int64 // of each shard, the last record that is too old
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		if st, err = s.stream(r, a); err != nil {
			return err
		}
		old = make([]int64, len(st.record.Shards))
		horizon := s.Clock().Add(-st.retention())
		for i := range old {
			log := st.log(i)
			number, at, err := nextAfter(r, log, 0)
			if err == nil && number > 0 && at.Before(horizon) {
				old[i], err = lastBefore(r, log, horizon)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if isMissing(err) {
		return nil
	}
	for i, number := range old {
		if err != nil || number == 0 {
			continue
		}
		log := st.log(i)
		err = s.Store.Update(ctx, func(tx store.Tx) error {
			return tx.DeleteRange(log, store.AppendKey(log[:len(log):len(log)], number+1))
		})
	}
	return err
}
