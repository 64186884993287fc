package control

import "syscall"

// MaxSize is the most bytes that a message may have: what the kernel takes as one datagram, with room.
const MaxSize = 160 << 10

// MaxFiles is the most descriptors beside one message; the kernel allows 253.
const MaxFiles = 250

// ErrMalformed is what Decode returns for bytes that are no message.
const ErrMalformed = syscall.EBADMSG

// Encode writes a message as bytes.
func Encode(m Message) []byte {
	c := coder{b: []byte{m.kind()}}
	m.fields(&c)
	return c.b
}

// Decode reads what Encode wrote, and nothing else.
func Decode(b []byte) (Message, error) {
	if len(b) == 0 || len(b) > MaxSize {
		return nil, ErrMalformed
	}
	m := blank(b[0])
	if m == nil {
		return nil, ErrMalformed
	}
	c := coder{b: b[1:], reading: true}
	m.fields(&c)
	if c.bad || len(c.b) != 0 {
		return nil, ErrMalformed
	}
	return m, nil
}

// coder writes fields behind b, or reads them from its front: a message names its fields once for
// both. Numbers have eight bytes, the lowest first; a text has its length before it, a list its count.
type coder struct {
	b       []byte
	reading bool
	bad     bool
}

func (c *coder) number(n *int64) {
	if !c.reading {
		for shift := 0; shift < 64; shift += 8 {
			c.b = append(c.b, byte(*n>>shift))
		}
		return
	}
	if len(c.b) < 8 {
		c.bad, c.b = true, nil
		return
	}
	*n = 0
	for i := range 8 {
		*n |= int64(c.b[i]) << (8 * i)
	}
	c.b = c.b[8:]
}

// count writes how many things follow, or reads it; each takes a byte at least, which bounds it.
func (c *coder) count(n int) int {
	v := int64(n)
	c.number(&v)
	if c.reading && (v < 0 || v > int64(len(c.b))) {
		c.bad, c.b = true, nil
		return 0
	}
	return int(v)
}

func (c *coder) text(s *string) {
	n := c.count(len(*s))
	if !c.reading {
		c.b = append(c.b, *s...)
		return
	}
	*s = string(c.b[:n])
	c.b = c.b[n:]
}

func (c *coder) texts(list *[]string) {
	n := c.count(len(*list))
	if c.reading {
		*list = make([]string, n)
	}
	for i := range *list {
		c.text(&(*list)[i])
	}
}
