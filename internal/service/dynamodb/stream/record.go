package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"cirro/internal/service/dynamodb/item"
)

// Event is what happened to an item.
type Event byte

// The events. The numbers are part of the stored form.
const (
	Insert Event = 1
	Modify Event = 2
	Remove Event = 3
)

// String is the event's name in a record.
func (e Event) String() string {
	switch e {
	case Insert:
		return "INSERT"
	case Modify:
		return "MODIFY"
	}
	return "REMOVE"
}

// Record is one change of an item.
type Record struct {
	Number   int64 // its place
	Event    Event
	At       time.Time // when it was written; milliseconds
	Expired  bool      // time to live removed the item
	Keys     item.Item
	New, Old item.Item // nil where there is none, or the view has none
}

// Size is the record's size in bytes as AWS counts it.
func (r *Record) Size() int { return r.Keys.Size() + r.New.Size() + r.Old.Size() }

// recordVersion is the first byte of a stored record.
const recordVersion = 1

const flagExpired = 1

func (r *Record) encode() []byte {
	flags := byte(0)
	if r.Expired {
		flags |= flagExpired
	}
	b := make([]byte, 0, 32+r.Size())
	b = append(b, recordVersion, byte(r.Event), flags)
	b = binary.AppendVarint(b, r.At.UnixMilli())
	for _, it := range []item.Item{r.Keys, r.New, r.Old} {
		b = appendImage(b, it)
	}
	return b
}

// appendImage writes an item, or nothing with length 0.
func appendImage(b []byte, it item.Item) []byte {
	if it == nil {
		return append(b, 0)
	}
	image := it.Append(nil)
	return append(binary.AppendUvarint(b, uint64(len(image))), image...)
}

var errCorrupt = errors.New("stream: a record is damaged")

// decodeHeader reads what comes before the images.
func decodeHeader(b []byte) (r Record, rest []byte, err error) {
	if len(b) < 3 {
		return r, nil, errCorrupt
	}
	if b[0] != recordVersion {
		return r, nil, fmt.Errorf("stream: a record of version %d", b[0])
	}
	r.Event, r.Expired = Event(b[1]), b[2]&flagExpired != 0
	at, n := binary.Varint(b[3:])
	if n <= 0 {
		return r, nil, errCorrupt
	}
	r.At = time.UnixMilli(at).UTC()
	return r, b[3+n:], nil
}

func decode(b []byte) (Record, error) {
	r, rest, err := decodeHeader(b)
	if err != nil {
		return r, err
	}
	for _, it := range []*item.Item{&r.Keys, &r.New, &r.Old} {
		if *it, rest, err = decodeImage(rest); err != nil {
			return r, err
		}
	}
	if len(rest) > 0 {
		return r, errCorrupt
	}
	return r, nil
}

func decodeImage(b []byte) (it item.Item, rest []byte, err error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || uint64(len(b)-n) < size {
		return nil, nil, errCorrupt
	}
	b = b[n:]
	if size == 0 {
		return nil, b, nil
	}
	it, err = item.Decode(b[:size])
	return it, b[size:], err
}

// numberBase makes sequence numbers as long as AWS's, which have at least 21 digits.
const numberBase = "1"

// Sequence is a record's number as clients see it.
func Sequence(number int64) string { return fmt.Sprintf("%s%020d", numberBase, number) }

// ParseSequence reads a number that Sequence made.
func ParseSequence(s string) (number int64, ok bool) {
	if len(s) != 21 || s[:1] != numberBase {
		return 0, false
	}
	for _, c := range []byte(s[1:]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		digit := int64(c - '0')
		if number > (1<<63-1-digit)/10 {
			return 0, false
		}
		number = number*10 + digit
	}
	return number, true
}
