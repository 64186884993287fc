package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
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

func (m *message) encode() []byte {
	b := make([]byte, 0, 16+3*binary.MaxVarintLen64+len(m.group)+len(m.body))
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

// encode writes an entry. That of a tenant has a negative time in the first place.
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

func (e entry) encode() []byte {
	b := make([]byte, 0, 2*binary.MaxVarintLen64+len(e.group)+len(e.fair))
	if e.fair != "" {
		b = binary.AppendVarint(b, ^e.ready)
		b = binary.AppendVarint(b, e.expiry)
		return append(b, e.fair...)
	}
	b = binary.AppendVarint(b, e.ready)
	b = binary.AppendVarint(b, e.expiry)
	return append(b, e.group...)
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

// encode notes a lease and when it ends; 0 when it has.
func (l lease) encode(until int64) []byte {
	b := make([]byte, 0, 4*binary.MaxVarintLen64)
	b = binary.BigEndian.AppendUint64(b, l.nonce)
	b = binary.AppendUvarint(b, uint64(l.deliveries))
	b = binary.AppendVarint(b, l.first)
	return binary.AppendVarint(b, until)
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
func token(seq, nonce uint64) string { return fmt.Sprintf("%016x%016x", seq, nonce) }

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
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
