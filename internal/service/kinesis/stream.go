package kinesis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"time"

	"cirro/internal/store"
)

// record is what is kept of a stream.
type record struct {
	Name       string
	ID         string
	Created    time.Time
	OnDemand   bool
	Retention  int // hours
	MaxRecord  int // KiB
	Shards     []shard
	Encryption string            `json:",omitempty"` // KMS or ""
	KeyID      string            `json:",omitempty"`
	Metrics    []string          `json:",omitempty"` // of enhanced monitoring
	Tags       map[string]string `json:",omitempty"`
	Policy     string            `json:",omitempty"`
}

// shard is a range of hash keys. Its place in the list is its index.
type shard struct {
	First, Last hashKey
	Parents     []int     `json:",omitempty"` // that it was made of: up to two
	Closed      time.Time `json:",omitzero"`
}

func (s *shard) open() bool { return s.Closed.IsZero() }

// stream is a stream as operations need it.
type stream struct {
	address
	record record
	raw    []byte // the record as it is stored
	mark   uint32
	opened []int // the indices of the open shards, in the order of their ranges
}

// stream reads a stream within a transaction. What was read before is decoded already.
func (s *Service) stream(r store.Reader, a address) (*stream, error) {
	raw, err := r.Get(a.key())
	if errors.Is(err, store.ErrNotFound) {
		return nil, a.notFound()
	}
	if err != nil {
		return nil, err
	}
	if known, ok := s.known.Load(a); ok {
		if st := known.(*stream); bytes.Equal(st.raw, raw) {
			return st, nil
		}
	}
	st := &stream{address: a, raw: raw}
	if err := json.Unmarshal(raw, &st.record); err != nil {
		return nil, fmt.Errorf("kinesis: the record of stream %s: %w", a.arn(), err)
	}
	st.mark = markOf(st.record.ID)
	for i := range st.record.Shards {
		if st.record.Shards[i].open() {
			st.opened = append(st.opened, i)
		}
	}
	sort.Slice(st.opened, func(i, j int) bool {
		return st.record.Shards[st.opened[i]].First.less(st.record.Shards[st.opened[j]].First)
	})
	s.known.Store(a, st)
	return st, nil
}

// copy is the stream's record, to be changed.
func (st *stream) copy() (r record, err error) {
	err = json.Unmarshal(st.raw, &r)
	return r, err
}

// change changes a stream's record.
func (st *stream) change(tx store.Tx, f func(r *record) error) error {
	r, err := st.copy()
	if err != nil {
		return err
	}
	if err := f(&r); err != nil {
		return err
	}
	return store.SetRecord(tx, st.key(), r)
}

// shardFor is the open shard that a key belongs to.
func (st *stream) shardFor(k hashKey) int {
	i := sort.Search(len(st.opened), func(i int) bool { return !st.record.Shards[st.opened[i]].Last.less(k) })
	return st.opened[i]
}

func (st *stream) retention() time.Duration { return time.Duration(st.record.Retention) * time.Hour }

// gone says whether a closed shard has nothing left that anybody may read.
func (st *stream) gone(index int, now time.Time) bool {
	s := &st.record.Shards[index]
	return !s.open() && now.Sub(s.Closed) > st.retention()
}

// log is where a shard's records are.
func (st *stream) log(shard int) []byte {
	return store.Key("kinesis", "record", st.record.ID, shard)
}

func (st *stream) reshards() []byte { return store.Key("kinesis", "reshard", st.record.ID) }

// below is the range of what is appended under a prefix.
func below(prefix []byte) store.Range {
	return store.Range{Start: prefix, End: append(prefix[:len(prefix):len(prefix)], 0xff)}
}

// reshard is a change of a stream's shards: their indices.
type reshard struct{ Opened, Closed []int }

// span is between which numbers a shard's records are; to is 0 while it is open.
type span struct{ from, to int64 }

// spans are those of all shards.
func (st *stream) spans(r store.Reader) ([]span, error) {
	out := make([]span, len(st.record.Shards))
	for kv, err := range r.Range(below(st.reshards())) {
		if err != nil {
			return nil, err
		}
		var change reshard
		if err := json.Unmarshal(kv.Value, &change); err != nil {
			return nil, err
		}
		number := store.Appended(kv.Key)
		for _, i := range change.Opened {
			if i < len(out) {
				out[i].from = number
			}
		}
		for _, i := range change.Closed {
			if i < len(out) {
				out[i].to = number
			}
		}
	}
	return out, nil
}

// append notes a change of shards in the stream's log.
func (c reshard) append(tx store.Tx, prefix []byte) error {
	b, err := json.Marshal(c)
	return errors.Join(err, tx.Append(prefix, b))
}

// forget removes all that is kept of a stream but its record.
func (st *stream) forget(tx store.Tx) error {
	var errs []error
	for _, what := range []string{"record", "reshard", "consumer"} {
		over := store.Prefix("kinesis", what, st.record.ID)
		errs = append(errs, tx.DeleteRange(over.Start, over.End))
	}
	return errors.Join(errs...)
}
