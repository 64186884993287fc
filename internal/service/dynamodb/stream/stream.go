package stream

import (
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
)

// What a record shows of an item.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_StreamRecord.html
const (
	KeysOnly        = "KEYS_ONLY"
	NewImage        = "NEW_IMAGE"
	OldImage        = "OLD_IMAGE"
	NewAndOldImages = "NEW_AND_OLD_IMAGES"
)

// labelLayout is how the time of a stream's creation becomes its label.
const labelLayout = "2006-01-02T15:04:05.000"

// Owner is whose a stream is.
type Owner struct{ Account, Region string }

// Stream is one stream of a table. A table has at most one that is open; it keeps a copy of it beside its own
// description, for its writes.
type Stream struct {
	ID      string    // random
	Table   string    // its name
	Label   string    // unique among the table's streams
	View    string    // KeysOnly and so on
	Keys    []string  // the names of the table's key attributes: hash, range
	Shards  int       // how many
	Created time.Time // when it was opened
	Closed  time.Time `json:",omitzero"` // when it was disabled
}

// Open begins a stream of a table: it sets its id, its label and its time, and writes it.
func Open(tx store.Tx, o Owner, s Stream, now time.Time) (*Stream, error) {
	s.ID = rand.Text()
	for s.Created = now.UTC().Truncate(time.Millisecond); ; s.Created = s.Created.Add(time.Millisecond) {
		s.Label = s.Created.Format(labelLayout)
		_, taken, err := store.GetRecord[Stream](tx, o.key(s.Table, s.Label))
		if err != nil {
			return nil, err
		}
		if !taken {
			break
		}
	}
	return &s, errors.Join(tx.Append(s.openedPrefix(), nil), store.SetRecord(tx, o.key(s.Table, s.Label), s))
}

// Close ends a stream: what it has can still be read.
func Close(tx store.Tx, o Owner, s *Stream, now time.Time) error {
	closed := *s
	closed.Closed = now.UTC()
	return errors.Join(tx.Append(s.closedPrefix(), nil), store.SetRecord(tx, o.key(s.Table, s.Label), closed))
}

// Find returns a table's stream by its label.
func Find(r store.Reader, o Owner, table, label string) (s Stream, found bool, err error) {
	return store.GetRecord[Stream](r, o.key(table, label))
}

// Page returns up to limit streams in the order of tables and labels, after the given one if there is one: of one
// table, or of all where table is "". more says that there are others.
func Page(r store.Reader, o Owner, table string, after *Stream, limit int) (page []Stream, more bool, err error) {
	over := store.Prefix("dynamodb", "stream", o.Account, o.Region)
	if table != "" {
		over = store.Prefix("dynamodb", "stream", o.Account, o.Region, table)
	}
	if after != nil {
		if start := over.After(o.key(after.Table, after.Label)).Start; string(start) > string(over.Start) {
			over.Start = start
		}
	}
	page, last, err := store.Page[Stream](r, over, limit, nil)
	return page, last != nil, err
}

// ARN is the stream's name.
func (s *Stream) ARN(o Owner) string {
	return fmt.Sprintf("arn:aws:dynamodb:%s:%s:table/%s/stream/%s", o.Region, o.Account, s.Table, s.Label)
}

// ParseARN takes a stream's name apart.
func ParseARN(arn string) (o Owner, table, label string, ok bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "dynamodb" {
		return o, "", "", false
	}
	path := strings.Split(parts[5], "/")
	if len(path) != 4 || path[0] != "table" || path[2] != "stream" {
		return o, "", "", false
	}
	return Owner{Region: parts[3], Account: parts[4]}, path[1], path[3], true
}

// ShardID is the name of a shard.
func (s *Stream) ShardID(shard int) string {
	h := fnv.New32a()
	_, _ = fmt.Fprint(h, s.ID, shard) // it never fails
	return fmt.Sprintf("shardId-%020d-%02x%06x", s.Created.UnixMilli(), shard, h.Sum32()>>8)
}

// Shard returns the shard of that name.
func (s *Stream) Shard(id string) (shard int, ok bool) {
	for shard := range s.Shards {
		if s.ShardID(shard) == id {
			return shard, true
		}
	}
	return 0, false
}

// shardOf is the shard of an item with this value of the hash key.
func (s *Stream) shardOf(hash item.Value) int {
	if s.Shards <= 1 {
		return 0
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(hash.Text)) // it never fails
	sum := h.Sum64()
	return int((sum ^ sum>>32) % uint64(s.Shards))
}

func (o Owner) key(table, label string) []byte {
	return store.Key("dynamodb", "stream", o.Account, o.Region, table, label)
}

func (s *Stream) shardPrefix(shard int) []byte {
	return store.Key("dynamodb", "change", s.ID, shard)
}

func (s *Stream) openedPrefix() []byte { return store.Key("dynamodb", "opened", s.ID) }

func (s *Stream) closedPrefix() []byte { return store.Key("dynamodb", "closed", s.ID) }

func (s *Stream) trimmedKey(shard int) []byte { return store.Key("dynamodb", "trimmed", s.ID, shard) }
