package pebble

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/bits"
	"strconv"
)

var errCorrupt = errors.New("store: a record of a queue is damaged")

// message is what is kept of a message besides its place in the index. Its times are in nanoseconds
// since 1970.
type message struct {
	id       [16]byte
	enqueued int64
	expiry   int64 // 0 for never
	group    string
	body     []byte
}

func (m *message) encode() []byte { return m.append(make([]byte, 0, m.size())) }

func (m *message) size() int {
	return len(m.id) + varintSize(m.enqueued) + varintSize(m.expiry) + uvarintSize(uint64(len(m.group))) + len(m.group) + len(m.body)
}

// uvarintSize is how many bytes binary.AppendUvarint adds, and varintSize the same of binary.AppendVarint.
func uvarintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

func varintSize(v int64) int { return uvarintSize(uint64(v)<<1 ^ uint64(v>>63)) }

func (m *message) append(b []byte) []byte {
	b = append(b, m.id[:]...)
	b = binary.AppendVarint(b, m.enqueued)
	b = binary.AppendVarint(b, m.expiry)
	b = binary.AppendUvarint(b, uint64(len(m.group)))
	b = append(b, m.group...)
	return append(b, m.body...)
}

// decodeMessage returns a message whose body is a part of b.
func decodeMessage(b []byte) (m message, err error) {
	r := decoder{b}
	copy(m.id[:], r.bytes(16))
	m.enqueued = r.varint()
	m.expiry = r.varint()
	m.group = string(r.bytes(r.uvarint()))
	m.body = r.rest
	return m, r.err()
}

// memory is what is remembered of a message so that it is not enqueued twice. It reads what earlier releases
// wrote, a message without a group and a body, whose sequence they did not know.
type memory struct {
	id     [16]byte
	seq    uint64
	expiry int64
}

func (m memory) encode() []byte {
	return (&message{id: m.id, enqueued: int64(m.seq), expiry: m.expiry}).encode()
}

func decodeMemory(b []byte) (memory, error) {
	m, err := decodeMessage(b)
	return memory{id: m.id, seq: uint64(m.enqueued), expiry: m.expiry}, err
}

func (e entry) encode() []byte { return e.append(make([]byte, 0, e.size())) }

func (e entry) size() int {
	return varintSize(e.readyField()) + varintSize(e.expiry) + len(e.group) + len(e.fair)
}

// readyField is the first field. That of a message with a tenant is negative.
func (e entry) readyField() int64 {
	if e.fair != "" {
		return ^e.ready
	}
	return e.ready
}

func (e entry) append(b []byte) []byte {
	b = binary.AppendVarint(b, e.readyField())
	b = binary.AppendVarint(b, e.expiry)
	return append(append(b, e.group...), e.fair...) // it has one of them at most
}

func decodeEntry(b []byte) (entry, error) {
	r := decoder{b}
	e := entry{ready: r.varint(), expiry: r.varint()}
	if e.ready < 0 {
		e.ready, e.fair = ^e.ready, string(r.rest)
	} else {
		e.group = string(r.rest)
	}
	return e, r.err()
}

// append notes a lease and when it ends; 0 when it has. That takes as many bytes as size says.
func (l lease) append(b []byte, until int64) []byte {
	b = binary.BigEndian.AppendUint64(b, l.nonce)
	b = binary.AppendUvarint(b, uint64(l.deliveries))
	b = binary.AppendVarint(b, l.first)
	return binary.AppendVarint(b, until)
}

func (l lease) size(until int64) int {
	return 8 + uvarintSize(uint64(l.deliveries)) + varintSize(l.first) + varintSize(until)
}

func decodeLease(b []byte) (l lease, until int64, err error) {
	r := decoder{b}
	if nonce := r.bytes(8); nonce != nil {
		l.nonce = binary.BigEndian.Uint64(nonce)
	}
	l.deliveries = int(r.uvarint())
	l.first = r.varint()
	until = r.varint()
	return l, until, r.err()
}

// decoder takes a record apart; after an error rest is nil and everything zero.
type decoder struct{ rest []byte }

func (d *decoder) err() error {
	if d.rest == nil {
		return errCorrupt
	}
	return nil
}

func (d *decoder) bytes(n uint64) []byte {
	if uint64(len(d.rest)) < n {
		d.rest = nil
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) skip(n int) {
	if n <= 0 {
		d.rest = nil
		return
	}
	d.rest = d.rest[n:]
}

// token names a lease to its holder.
func token(seq, nonce uint64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], seq)
	binary.BigEndian.PutUint64(b[8:], nonce)
	return hex.EncodeToString(b[:])
}

func parseToken(s string) (seq, nonce uint64, ok bool) {
	if len(s) != 32 {
		return 0, 0, false
	}
	seq, err1 := strconv.ParseUint(s[:16], 16, 64)
	nonce, err2 := strconv.ParseUint(s[16:], 16, 64)
	return seq, nonce, err1 == nil && err2 == nil
}

// formatID writes an id as a UUID.
func formatID(id [16]byte) string {
	var text [36]byte
	at := 0
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text[at] = '-'
			at++
		}
		hex.Encode(text[at:], []byte{b})
		at += 2
	}
	return string(text[:])
}
