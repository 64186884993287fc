package item

import (
	"encoding/binary"
	"errors"
)

// codecVersion is the first byte of every stored item.
const codecVersion = 1

var errCorrupt = errors.New("item: stored form is damaged")

// Append appends the form in which the store keeps the item: the version, then the number of attributes, and for each
// its name and its value: the type's byte, and for text its length and bytes, for sets, lists and maps their number of
// members and these. Numbers are unsigned varints.
func (it Item) Append(dst []byte) []byte {
	return appendItem(append(dst, codecVersion), it)
}

func appendItem(dst []byte, it Item) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(it)))
	for name, v := range it {
		dst = appendText(dst, name)
		dst = appendValue(dst, &v)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func appendValue(dst []byte, v *Value) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case S, N, B:
		return appendText(dst, v.Text)
	case SS, NS, BS:
		dst = binary.AppendUvarint(dst, uint64(len(v.Set)))
		for _, element := range v.Set {
			dst = appendText(dst, element)
		}
	case M:
		return appendItem(dst, v.Map)
	case L:
		dst = binary.AppendUvarint(dst, uint64(len(v.List)))
		for i := range v.List {
			dst = appendValue(dst, &v.List[i])
		}
	case BOOL:
		if v.Bool {
			return append(dst, 1)
		}
		return append(dst, 0)
	}
	return dst
}

// Decode reads what Append wrote. The item keeps nothing of b.
func Decode(b []byte) (Item, error) {
	if len(b) == 0 || b[0] != codecVersion {
		return nil, errCorrupt
	}
	// One string holds all text of the item.
	d := decoder{rest: string(b[1:])}
	it := d.item()
	if d.failed || d.rest != "" {
		return nil, errCorrupt
	}
	return it, nil
}

// decoder reads from rest. After a failure it returns zero values.
type decoder struct {
	rest   string
	failed bool
	depth  int
}

// maxStoredDepth bounds the decoder's recursion; DynamoDB's items are never as deep.
const maxStoredDepth = 64

func (d *decoder) fail() {
	d.failed = true
	d.rest = ""
}

func (d *decoder) uvarint() uint64 {
	var n uint64
	for i := 0; i < len(d.rest) && i < binary.MaxVarintLen64; i++ {
		c := d.rest[i]
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.rest = d.rest[i+1:]
			return n
		}
	}
	d.fail()
	return 0
}

// count reads a number of members, each of which takes a byte at least.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) text() string {
	n := d.count()
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) byte() byte {
	if d.rest == "" {
		d.fail()
		return 0
	}
	c := d.rest[0]
	d.rest = d.rest[1:]
	return c
}

func (d *decoder) item() Item {
	n := d.count()
	it := make(Item, n)
	for range n {
		if d.failed {
			break
		}
		name := d.text()
		it[name] = d.value()
	}
	return it
}

func (d *decoder) value() Value {
	v := Value{Kind: Kind(d.byte())}
	switch v.Kind {
	case S, N, B:
		v.Text = d.text()
	case SS, NS, BS:
		n := d.count()
		v.Set = make([]string, n)
		for i := range v.Set {
			v.Set[i] = d.text()
		}
	case M, L:
		d.nested(&v)
	case NULL:
		v.Bool = true
	case BOOL:
		v.Bool = d.byte() == 1
	default:
		d.fail()
	}
	return v
}

func (d *decoder) nested(v *Value) {
	if d.depth++; d.depth > maxStoredDepth {
		d.fail()
		return
	}
	if v.Kind == M {
		v.Map = d.item()
	} else {
		v.List = d.list()
	}
	d.depth--
}

func (d *decoder) list() []Value {
	n := d.count()
	list := make([]Value, 0, n)
	for range n {
		if d.failed {
			break
		}
		list = append(list, d.value())
	}
	return list
}
