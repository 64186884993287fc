package stream

import (
	"time"

	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
)

// Append writes a record of a change, in the transaction that makes it. before is nil where there was no item, after
// where there is none left. expired says that time to live removed it. A write that changed nothing leaves no record.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
func (s *Stream) Append(tx store.Tx, before, after item.Item, expired bool) error {
	r := Record{At: time.Now(), Expired: expired}
	some := after
	switch {
	case before == nil && after == nil:
		return nil
	case before == nil:
		r.Event = Insert
	case after == nil:
		r.Event, some = Remove, before
	case before.Equal(after):
		return nil
	default:
		r.Event = Modify
	}
	r.Keys = make(item.Item, len(s.Keys))
	for _, name := range s.Keys {
		r.Keys[name] = some[name]
	}
	if s.View == NewImage || s.View == NewAndOldImages {
		r.New = after
	}
	if s.View == OldImage || s.View == NewAndOldImages {
		r.Old = before
	}
	return tx.Append(s.shardPrefix(s.shardOf(some[s.Keys[0]])), r.encode())
}
