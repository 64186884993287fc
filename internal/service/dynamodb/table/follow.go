package table

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"time"

	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
)

// followed says that writes have consequences besides indexes.
func (t *Table) followed() bool {
	return t.Stream != nil || t.TimeToLive != nil || t.Recovery != nil
}

// follow does what a write must also do: it tells the stream, keeps the expiry, and what was replaced.
func (t *Table) follow(tx store.Tx, k Key, old, now item.Item, expired bool) error {
	if t.Stream != nil {
		if err := t.Stream.Append(tx, old, now, expired); err != nil {
			return err
		}
	}
	if t.TimeToLive != nil {
		if err := t.writeExpiry(tx, k, old, now); err != nil {
			return err
		}
	}
	if t.Recovery != nil && !(old == nil && now == nil) {
		return tx.Append(t.space(undoSpace), replaced{time.Now(), k, old}.encode())
	}
	return nil
}

// space is what the keys of one of the table's spaces begin with.
func (t *Table) space(kind byte) []byte {
	prefix := bytes.Clone(t.items)
	prefix[1] = kind
	return prefix
}

// oldest is how long ago an item's time may have come for time to live to remove it.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-before-you-start.html
const oldest = 5 * 365 * 24 * time.Hour

// ExpiresAt is when an item's time comes, in seconds since 1970; false where it says no time that counts.
func (t *Table) ExpiresAt(it item.Item) (seconds int64, ok bool) {
	if t.TimeToLive == nil {
		return 0, false
	}
	v := it[t.TimeToLive.Attribute]
	if v.Kind != item.N {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.Text, 64)
	if err != nil || f <= 0 || f > math.MaxInt32*1000 {
		return 0, false
	}
	return int64(f), true
}

// writeExpiry brings the entry of an item's expiry from one item to another one with the same key.
func (t *Table) writeExpiry(tx store.Tx, k Key, old, now item.Item) error {
	was, had := t.ExpiresAt(old)
	is, has := t.ExpiresAt(now)
	if had == has && was == is {
		return nil
	}
	if had {
		if err := tx.Delete(t.expiryKey(was, k)); err != nil {
			return err
		}
	}
	if has {
		return tx.Set(t.expiryKey(is, k), k)
	}
	return nil
}

func (t *Table) expiryKey(seconds int64, k Key) []byte {
	key := binary.BigEndian.AppendUint64(t.space(expirySpace), uint64(seconds))
	if own := k.own(); len(own) < longItem {
		return append(key, own...)
	}
	sum := sha256.Sum256(k.own())
	return append(key, sum[:]...)
}

// FillExpiry makes the entry of the expiry of an item that the table has.
func (t *Table) FillExpiry(tx store.Tx, k Key, it item.Item) error {
	return t.writeExpiry(tx, k, nil, it)
}

// ClearExpiry deletes all entries of expiries.
func (t *Table) ClearExpiry(tx store.Tx) error {
	prefix := t.space(expirySpace)
	return tx.DeleteRange(prefix, end(prefix))
}

// Expired returns the keys of up to limit items whose time had come by now, but not longer ago than time to live
// cares for.
func (t *Table) Expired(r store.Reader, now time.Time, limit int) (keys []Key, err error) {
	prefix := t.space(expirySpace)
	over := store.Range{
		Start: binary.BigEndian.AppendUint64(bytes.Clone(prefix), uint64(max(0, now.Add(-oldest).Unix()))),
		End:   binary.BigEndian.AppendUint64(bytes.Clone(prefix), uint64(max(0, now.Unix()+1))),
		Limit: limit,
	}
	for kv, err := range r.Range(over) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, bytes.Clone(kv.Value))
	}
	return keys, nil
}

// replaced is what a write found under a key; a nil item is none.
type replaced struct {
	at  time.Time // milliseconds
	key Key
	old item.Item
}

// replacedVersion is the first byte of a stored one.
const replacedVersion = 1

func (r replaced) encode() []byte {
	b := append(make([]byte, 0, 32+len(r.key)+r.old.Size()), replacedVersion)
	b = binary.AppendVarint(b, r.at.UnixMilli())
	b = append(binary.AppendUvarint(b, uint64(len(r.key))), r.key...)
	if r.old == nil {
		return b
	}
	return r.old.Append(b)
}

var errDamaged = errors.New("dynamodb: a record of what was replaced is damaged")

func decodeReplaced(b []byte) (r replaced, err error) {
	if len(b) == 0 || b[0] != replacedVersion {
		return r, errDamaged
	}
	at, n := binary.Varint(b[1:])
	if n <= 0 {
		return r, errDamaged
	}
	r.at, b = time.UnixMilli(at), b[1+n:]
	size, n := binary.Uvarint(b)
	if n <= 0 || uint64(len(b)-n) < size {
		return r, errDamaged
	}
	r.key, b = bytes.Clone(b[n:n+int(size)]), b[n+int(size):]
	if len(b) > 0 {
		r.old, err = item.Decode(b)
	}
	return r, err
}
