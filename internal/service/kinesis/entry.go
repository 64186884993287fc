package kinesis

import (
	"encoding/binary"
	"errors"
	"time"
)

// entry is a record of a shard as it is stored.
type entry struct {
	number int64 // its key's
	at     time.Time
	key    string // PartitionKey
	data   []byte
}

const entryVersion = 1

var errEntry = errors.New("kinesis: a stored record is damaged")

func (e *entry) encode() []byte {
	b := make([]byte, 0, 1+2*binary.MaxVarintLen64+len(e.key)+len(e.data))
	b = append(b, entryVersion)
	b = binary.AppendVarint(b, e.at.UnixMilli())
	b = append(binary.AppendUvarint(b, uint64(len(e.key))), e.key...)
	return append(b, e.data...)
}

// arrival reads when an entry was written, and what follows.
func arrival(b []byte) (at time.Time, rest []byte, err error) {
	if len(b) == 0 || b[0] != entryVersion {
		return at, nil, errEntry
	}
	ms, n := binary.Varint(b[1:])
	if n <= 0 {
		return at, nil, errEntry
	}
	return time.UnixMilli(ms), b[1+n:], nil
}

// decodeEntry reads an entry; its data are copied.
func decodeEntry(b []byte) (e entry, err error) {
	at, rest, err := arrival(b)
	if err != nil {
		return e, err
	}
	size, n := binary.Uvarint(rest)
	if n <= 0 || uint64(len(rest)-n) < size {
		return e, errEntry
	}
	rest = rest[n:]
	return entry{at: at, key: string(rest[:size]), data: append([]byte{}, rest[size:]...)}, nil
}

func (e *entry) size() int { return len(e.key) + len(e.data) }
