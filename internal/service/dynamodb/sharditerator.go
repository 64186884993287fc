package dynamodb

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
)

// iterator is a place in a shard: after the record of a number. It looks as AWS's does, "arn|1|…".
type iterator struct {
	arn   string // of the stream
	shard int
	after int64
	made  time.Time // milliseconds
}

// iteratorVersion stands between the name of the stream and the rest.
const iteratorVersion = "|1|"

func (it iterator) String() string {
	b := binary.AppendUvarint(nil, uint64(it.shard))
	b = binary.AppendUvarint(b, uint64(it.after))
	b = binary.AppendUvarint(b, uint64(it.made.UnixMilli()))
	return it.arn + iteratorVersion + base64.StdEncoding.EncodeToString(b)
}

func parseIterator(text string) (it iterator, ok bool) {
	arn, place, ok := strings.Cut(text, iteratorVersion)
	if !ok {
		return it, false
	}
	b, err := base64.StdEncoding.DecodeString(place)
	if err != nil {
		return it, false
	}
	var numbers [3]uint64
	for i := range numbers {
		n := 0
		if numbers[i], n = binary.Uvarint(b); n <= 0 || numbers[i] > 1<<62 {
			return it, false
		}
		b = b[n:]
	}
	return iterator{arn: arn, shard: int(numbers[0]), after: int64(numbers[1]), made: time.UnixMilli(int64(numbers[2]))}, len(b) == 0
}
