package sqs

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
)

// message is what the store keeps of a message as its body: everything that the sender said. It is written in
// a form of its own, since every message passes through it twice.
type message struct {
	sender     string
	trace      string // X-Ray's header; "" for none
	queue      string // the name of the queue that it was sent to
	dedup      string // MessageDeduplicationId
	group      string // MessageGroupId
	attributes []attribute
	sum        [md5.Size]byte // of the body
	body       []byte
}

// attribute is a message attribute. Of string values the wire knows strings alone, of others bytes.
type attribute struct {
	name   string
	kind   string // DataType
	binary bool
	value  []byte
}

const messageVersion = 1

var errMessage = errors.New("sqs: a stored message is damaged")

// encode writes the message.
func (m *message) encode() []byte {
	n := 1 + 6*binary.MaxVarintLen32 + len(m.sender) + len(m.trace) + len(m.queue) + len(m.dedup) + len(m.group) + len(m.sum) + len(m.body)
	for i := range m.attributes {
		a := &m.attributes[i]
		n += 1 + 3*binary.MaxVarintLen32 + len(a.name) + len(a.kind) + len(a.value)
	}
	b := append(make([]byte, 0, n), messageVersion)
	for _, s := range [...]string{m.sender, m.trace, m.queue, m.dedup, m.group} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	b = binary.AppendUvarint(b, uint64(len(m.attributes)))
	for i := range m.attributes {
		b = m.attributes[i].append(b)
	}
	b = append(b, m.sum[:]...)
	return append(b, m.body...)
}

func (a *attribute) append(b []byte) []byte {
	b = append(binary.AppendUvarint(b, uint64(len(a.name))), a.name...)
	b = append(binary.AppendUvarint(b, uint64(len(a.kind))), a.kind...)
	form := byte(0)
	if a.binary {
		form = 1
	}
	b = append(b, form)
	return append(binary.AppendUvarint(b, uint64(len(a.value))), a.value...)
}

// shown is an MD5 as clients see it.
func shown(sum [md5.Size]byte) *string {
	var text [2 * md5.Size]byte
	hex.Encode(text[:], sum[:])
	return new(string(text[:]))
}

// decodeMessage reads a message whose body and values are parts of b.
func decodeMessage(b []byte) (m message, err error) {
	r := reader{rest: b}
	if v := r.take(1); r.bad || v[0] != messageVersion {
		return m, errMessage
	}
	for _, s := range [...]*string{&m.sender, &m.trace, &m.queue, &m.dedup, &m.group} {
		*s = string(r.counted())
	}
	for n := r.number(); n > 0 && !r.bad; n-- {
		a := attribute{name: string(r.counted()), kind: string(r.counted())}
		if form := r.take(1); !r.bad {
			a.binary = form[0] == 1
		}
		a.value = r.counted()
		m.attributes = append(m.attributes, a)
	}
	copy(m.sum[:], r.take(len(m.sum)))
	m.body = r.rest
	if r.bad {
		return message{}, errMessage
	}
	return m, nil
}

// reader takes bytes apart. Once something was missing it is bad, and yields nothing.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.rest) {
		r.bad = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) counted() []byte {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.bad = true
		return nil
	}
	return r.take(int(n))
}
