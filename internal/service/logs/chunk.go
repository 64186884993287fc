package logs

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"

	"cirro/internal/store"
)

const (
	// slot is a stretch of time, in ms, that no chunk crosses. A shorter one cuts batches of events that
	// lie far apart into more chunks, a longer one lets readers that go backwards open more of them.
	slot = 10_000

	// overhead is what each event counts besides its message.
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
	overhead = 26

	maxChunk = 256 << 10 // bytes; what is more becomes another chunk
)

// Event is one event to ingest.
type Event struct {
	Timestamp int64 // ms since 1970
	Message   string
}

func (e *Event) size() int { return len(e.Message) + overhead }

// chunk is events of one stream, in order of time.
type chunk struct {
	number   int64
	streamID int64
	stream   string
	ingested int64 // ms
	events   []Event
}

func (c *chunk) first() int64 { return c.events[0].Timestamp }
func (c *chunk) last() int64  { return c.events[len(c.events)-1].Timestamp }

func (c *chunk) size() (n int64) {
	for i := range c.events {
		n += int64(c.events[i].size())
	}
	return n
}

// slotOf is the start of the slot in which t lies.
func slotOf(t int64) int64 { return t - (t%slot+slot)%slot }

// divide cuts events, which are in order of time, where a chunk has to end.
func divide(events []Event) (parts [][]Event) {
	start, size := 0, 0
	for i := range events {
		if i > start && (slotOf(events[i].Timestamp) != slotOf(events[start].Timestamp) || size+events[i].size() > maxChunk) {
			parts = append(parts, events[start:i])
			start, size = i, 0
		}
		size += events[i].size()
	}
	return append(parts, events[start:])
}

// chunkFormat is the first byte of a chunk's value.
const chunkFormat = 1

var errChunk = errors.New("logs: a chunk is damaged")

// encode writes the chunk's value. Its number and first timestamp are in the key.
func (c *chunk) encode() []byte {
	n := 1 + 8 + 3*binary.MaxVarintLen64 + len(c.stream)
	for i := range c.events {
		n += 2*binary.MaxVarintLen32 + len(c.events[i].Message)
	}
	b := append(make([]byte, 0, n), chunkFormat)
	b = binary.BigEndian.AppendUint64(b, uint64(c.streamID))
	b = binary.AppendUvarint(b, uint64(len(c.stream)))
	b = append(b, c.stream...)
	b = binary.AppendVarint(b, c.ingested)
	b = binary.AppendUvarint(b, uint64(len(c.events)))
	before := c.first()
	for i := range c.events {
		e := &c.events[i]
		b = binary.AppendUvarint(b, uint64(e.Timestamp-before))
		b = binary.AppendUvarint(b, uint64(len(e.Message)))
		b = append(b, e.Message...)
		before = e.Timestamp
	}
	return b
}

// decodeChunk reads a chunk. It copies the value once: all messages share the copy.
func decodeChunk(key, value []byte) (*chunk, error) {
	first, number, err := chunkPlace(key)
	if err != nil {
		return nil, err
	}
	d := decoder{rest: string(value)}
	if d.byte() != chunkFormat {
		return nil, errChunk
	}
	c := &chunk{number: number, streamID: d.int64(), stream: d.string(), ingested: d.varint()}
	n := d.uvarint()
	if d.failed || n > uint64(len(d.rest)) {
		return nil, errChunk
	}
	c.events = make([]Event, n)
	at := first
	for i := range c.events {
		at += int64(d.uvarint())
		c.events[i] = Event{at, d.string()}
	}
	if d.failed || n == 0 {
		return nil, errChunk
	}
	return c, nil
}

// chunkPlace reads the first timestamp and the number off the end of a chunk's key, or its index's.
func chunkPlace(key []byte) (first, number int64, err error) {
	parts, err := store.Split(key)
	if err != nil {
		return 0, 0, err
	}
	n := len(parts)
	if n < 2 {
		return 0, 0, errChunk
	}
	first, ok := parts[n-2].(int64)
	number, ok2 := parts[n-1].(int64)
	if !ok || !ok2 {
		return 0, 0, errChunk
	}
	return first, number, nil
}

// decoder reads the parts of a value. After a failure all it reads is zero.
type decoder struct {
	rest   string
	failed bool
}

func (d *decoder) take(n uint64) string {
	if d.failed || n > uint64(len(d.rest)) {
		d.failed = true
		return ""
	}
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) byte() byte {
	if s := d.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (d *decoder) int64() int64 {
	s := d.take(8)
	if s == "" {
		return 0
	}
	return int64(binary.BigEndian.Uint64([]byte(s)))
}

func (d *decoder) uvarint() (v uint64) {
	for shift := 0; shift < 64; shift += 7 {
		b := d.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
	d.failed = true
	return 0
}

func (d *decoder) varint() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) string() string { return d.take(d.uvarint()) }

// place is where an event lies among all of its group: they are ordered by it.
type place struct {
	time  int64 // ms
	chunk int64
	index int
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.time, q.time), cmp.Compare(p.chunk, q.chunk), cmp.Compare(p.index, q.index))
}

// after is the place right behind p's event.
func (p place) after() place { return place{p.time, p.chunk, p.index + 1} }

// id is the event's id, 56 digits like AWS's.
func (p place) id() string { return fmt.Sprintf("%020d%020d%016d", p.time, p.chunk, p.index) }

// parsePlace reads a place off an id.
func parsePlace(id string) (p place, ok bool) {
	if len(id) != 56 {
		return p, false
	}
	for i := range id {
		if id[i] < '0' || id[i] > '9' {
			return p, false
		}
	}
	_, err := fmt.Sscanf(id, "%20d%20d%16d", &p.time, &p.chunk, &p.index)
	return p, err == nil
}
