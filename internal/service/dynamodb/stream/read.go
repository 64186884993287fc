package stream

import (
	"context"
	"strconv"
	"time"

	"cirro/internal/store"
)

// Opened returns the number that comes before all of the stream's records.
func (s *Stream) Opened(r store.Reader) (int64, error) { return lastNumber(r, s.openedPrefix()) }

// Ended returns the number that comes after all of the stream's records; 0 where it is open.
func (s *Stream) Ended(r store.Reader) (int64, error) { return lastNumber(r, s.closedPrefix()) }

// Last returns the number of a shard's last record, or one that comes before all that will be.
func (s *Stream) Last(r store.Reader, shard int) (int64, error) {
	n, err := lastNumber(r, s.shardPrefix(shard))
	if err != nil || n > 0 {
		return n, err
	}
	return s.removed(r, shard)
}

func lastNumber(r store.Reader, prefix []byte) (number int64, err error) {
	over := below(prefix)
	over.Reverse, over.Limit = true, 1
	for kv, err := range r.Range(over) {
		if err != nil {
			return 0, err
		}
		number = store.Appended(kv.Key)
	}
	return number, nil
}

// below is the range of what is appended under a prefix.
func below(prefix []byte) store.Range {
	return store.Range{Start: prefix, End: append(prefix[:len(prefix):len(prefix)], 0xff)}
}

// removed returns the number of the last record that was removed from a shard; that of its beginning where none was.
func (s *Stream) removed(r store.Reader, shard int) (int64, error) {
	b, err := r.Get(s.trimmedKey(shard))
	if err == store.ErrNotFound {
		return s.Opened(r)
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(b), 10, 64)
}

// Trimmed returns the number of the last record of a shard that is out of reach: removed, or written before horizon.
func (s *Stream) Trimmed(r store.Reader, shard int, horizon time.Time) (int64, error) {
	number, err := s.removed(r, shard)
	if err != nil {
		return 0, err
	}
	expired, _, err := s.expired(r, shard, horizon, 0)
	return max(number, expired), err
}

// expired returns the number of the last record of those at a shard's beginning that were written before horizon; 0
// where there is none. It looks at no more than limit records, where that is above 0; more says that it did not see
// the end of them.
func (s *Stream) expired(r store.Reader, shard int, horizon time.Time, limit int) (number int64, more bool, err error) {
	over := below(s.shardPrefix(shard))
	over.Limit = limit
	n := 0
	for kv, err := range r.Range(over) {
		if err != nil {
			return 0, false, err
		}
		header, _, err := decodeHeader(kv.Value)
		if err != nil {
			return 0, false, err
		}
		if !header.At.Before(horizon) {
			return number, false, nil
		}
		number = store.Appended(kv.Key)
		n++
	}
	return number, limit > 0 && n == limit, nil
}

// Since returns the number before a shard's first record that was written at the time or later.
func (s *Stream) Since(r store.Reader, shard int, at time.Time) (int64, error) {
	return s.Trimmed(r, shard, at)
}

// Read returns a shard's records after the given number: at most limit, and, but for the first, at most so many bytes.
func (s *Stream) Read(r store.Reader, shard int, after int64, limit, bytes int) (records []Record, err error) {
	over := below(s.shardPrefix(shard))
	over.Start = store.AppendKey(s.shardPrefix(shard), after+1)
	over.Limit = limit
	size := 0
	for kv, err := range r.Range(over) {
		if err != nil {
			return nil, err
		}
		record, err := decode(kv.Value)
		if err != nil {
			return nil, err
		}
		record.Number = store.Appended(kv.Key)
		if size += record.Size(); size > bytes && len(records) > 0 {
			break
		}
		records = append(records, record)
	}
	return records, nil
}

// Await returns nil once a shard has a record after the given number; see store.Store.
func (s *Stream) Await(ctx context.Context, st store.Store, shard int, after int64) error {
	return st.Await(ctx, s.shardPrefix(shard), after)
}
