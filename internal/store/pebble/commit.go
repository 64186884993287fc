package pebble

import (
	"errors"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"cirro/internal/store/optimistic"
)

// errConflict refuses a transaction that read what another has written since.
var errConflict = errors.New("store: conflict")

// commit is the step that ends a transaction.
type commit struct {
	tx   *transaction
	turn *turn // ends when others can read what was committed
	outcome
}

func (c *commit) prepare(b *pebble.Batch, number uint64) error {
	s, tx := c.tx.s, c.tx
	if !tx.reads.None() && s.history.Changed(&tx.reads) {
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
	s.history.Record(number, &tx.overlay)
	if err := write(b, &tx.overlay); err != nil {
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

func (c *commit) applied() { c.turn.end() }

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

// outcome is how a step tells the one who waits for it. It is told once, and awaited once.
type outcome chan error

var outcomes = sync.Pool{New: func() any { return make(outcome, 1) }}

func newOutcome() outcome { return outcomes.Get().(outcome) }

func (o outcome) await() error {
	err := <-o
	outcomes.Put(o)
	return err
}

// write adds an overlay's writes to a batch.
func write(b *pebble.Batch, o *optimistic.Overlay) error {
	for _, s := range o.Deleted() {
		if err := b.DeleteRange(s.Start, s.End, nil); err != nil {
			return err
		}
	}
	for p := range o.Points {
		var err error
		if p.Delete {
			err = b.Delete([]byte(p.Key), nil)
		} else {
			err = b.Set([]byte(p.Key), p.Value, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
