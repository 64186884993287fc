package pebble

import (
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// errConflict refuses a transaction that read what another has written since.
var errConflict = errors.New("store: conflict")

// commit is the step that ends a transaction.
type commit struct {
	tx        *transaction
	onApplied func()
	outcome   chan error
}

func (c *commit) prepare(b *pebble.Batch, number uint64) error {
	s, tx := c.tx.s, c.tx
	if !tx.reads.none() && s.history.changed(&tx.reads) {
		return errConflict
	}
	now := time.Now().UnixNano()
	for _, o := range tx.operations {
		if !o.possible(now) {
			return errConflict
		}
	}
	if err := s.room.admit(tx.growth); err != nil {
		return err
	}
	if err := s.numbering.number(b, tx.appends, &tx.overlay); err != nil {
		return err
	}
	s.history.record(number, &tx.overlay)
	if err := tx.overlay.write(b); err != nil {
		return err
	}
	for _, o := range tx.operations {
		if err := o.write(b); err != nil {
			return err
		}
	}
	return nil
}

func (c *commit) refused(err error) {
	c.tx.s.crowd.n.Add(-1)
	c.outcome <- err
}

func (c *commit) applied() { c.onApplied() }

func (c *commit) published(err error) {
	c.tx.s.crowd.n.Add(-1)
	if err == nil {
		for _, o := range c.tx.operations {
			o.publish()
		}
		c.tx.s.watch.published(c.tx.appends)
	}
	c.outcome <- err
}

func (c *commit) durable() bool { return true }

// write adds the overlay's writes to a batch.
func (o *overlay) write(b *pebble.Batch) error {
	for _, d := range o.deleted {
		if err := b.DeleteRange(d.start, d.end, nil); err != nil {
			return err
		}
	}
	var err error
	o.points.Scan(func(key string, w write) bool {
		if w.delete {
			err = b.Delete([]byte(key), nil)
		} else {
			err = b.Set([]byte(key), w.value, nil)
		}
		return err == nil
	})
	return err
}
