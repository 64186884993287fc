package postgres

import (
	"encoding/binary"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"cirro/internal/store/optimistic"
)

// change is what a bundle of some node wrote: which keys, and where messages came.
type change struct {
	last  int64
	node  uuid.UUID
	kv    optimistic.Overlay // without values
	wakes map[string]int
}

const selectChanges = "select last, node, writes from change where last > $1 order by last"

func scanChange(row pgx.CollectableRow) (c change, err error) {
	var writes []byte
	if err := row.Scan(&c.last, &c.node, &writes); err != nil {
		return c, err
	}
	return c, c.decode(writes)
}

// The kinds of entries of an encoded change.
const (
	keyWritten   = 'k'
	rangeDeleted = 'r'
	queueWoken   = 'q'
)

// writes encodes what others have to know of a plan.
func (p *plan) writes() []byte {
	b := []byte{} // nil would be null
	for _, d := range p.kv.Deleted() {
		b = appendPart(appendPart(append(b, rangeDeleted), d.Start), d.End)
	}
	for point := range p.kv.Points {
		b = appendPart(append(b, keyWritten), []byte(point.Key))
	}
	for queue, n := range p.wakes {
		b = binary.AppendUvarint(appendPart(append(b, queueWoken), []byte(queue)), uint64(n))
	}
	return b
}

func appendPart(b, part []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

var errChange = errors.New("store: a change that cannot be read")

// decode reads what writes wrote.
func (c *change) decode(b []byte) error {
	c.wakes = map[string]int{}
	d := decoder{rest: b}
	for len(d.rest) > 0 && !d.failed {
		kind := d.rest[0]
		d.rest = d.rest[1:]
		switch kind {
		case keyWritten:
			c.kv.Set(d.part(), nil)
		case rangeDeleted:
			c.kv.DeleteRange(optimistic.Span{Start: d.part(), End: d.part()})
		case queueWoken:
			queue := string(d.part())
			c.wakes[queue] += int(d.uvarint())
		default:
			d.failed = true
		}
	}
	if d.failed {
		return errChange
	}
	return nil
}

type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) uvarint() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.failed = true
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) part() []byte {
	n := d.uvarint()
	if d.failed || n > uint64(len(d.rest)) {
		d.failed = true
		return nil
	}
	part := d.rest[:n]
	d.rest = d.rest[n:]
	return part
}

// appends returns what may have been appended to logs, as far as keys tell.
func (c *change) appends() (all []appended) {
	for p := range c.kv.Points {
		if a, ok := appendedOf([]byte(p.Key)); ok {
			all = append(all, a)
		}
	}
	return all
}
