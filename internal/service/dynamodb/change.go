package dynamodb

import (
	"context"
	"errors"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/expression"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// action is what a change does to its item.
type action uint8

const (
	putting action = iota
	updating
	deleting
	checking
)

// change is one write of an item, or a check of one, ready to run in a transaction.
type change struct {
	table     *table.Table
	action    action
	key       table.Key
	attrs     item.Item             // the item's key; all of it where it is put
	condition *expression.Condition // nil for none
	update    *expression.Update    // nil for none
	absent    item.Item             // what the condition is asked of where there is no item; nil for none
	lenient   bool                  // the condition is of no concern where there is no item
	reveal    bool                  // show the item that does not meet the condition
	curious   bool                  // the reply needs what was there before
}

// outcome is what a change found and left; nil is no item.
type outcome struct{ old, now item.Item }

// conditionFailed is the error of a condition that does not hold.
type conditionFailed struct{ item item.Item }

func (conditionFailed) Error() string { return "The conditional request failed" }

// run makes the change. Its errors are conditionFailed and validation errors.
func (c *change) run(tx store.Tx) (o outcome, err error) {
	if c.condition != nil || c.curious || c.action == updating || c.action == checking || !c.table.Blind() {
		if o.old, err = c.table.Get(tx, c.key); err != nil {
			return o, err
		}
	}
	if !c.meets(o.old) {
		return o, c.failed(o.old)
	}
	switch c.action {
	case checking:
		return o, nil
	case putting:
		o.now = c.attrs
	case updating:
		if err := c.apply(&o); err != nil {
			return o, err
		}
	}
	if o.old == nil && o.now == nil && c.action == deleting && (c.condition != nil || c.curious || !c.table.Blind()) {
		return o, nil // there is nothing to delete
	}
	return o, c.table.Write(tx, c.key, o.old, o.now)
}

// meets says whether an item, nil for none, meets the condition.
func (c *change) meets(it item.Item) bool {
	if it == nil {
		if c.lenient {
			return true
		}
		it = c.absent
	}
	return c.condition.Holds(it)
}

func (c *change) failed(it item.Item) error {
	if c.reveal {
		return conditionFailed{it}
	}
	return conditionFailed{}
}

// apply updates the item, or one that has only its key where there is none.
func (c *change) apply(o *outcome) (err error) {
	o.now = o.old
	if o.old == nil {
		o.now = c.attrs
	}
	if c.update != nil {
		if o.now, err = c.update.Apply(o.now); err != nil {
			return err
		}
	}
	return checkUpdated(c.table, o.now)
}

// alone runs a change in a transaction of its own.
func (s *Service) alone(ctx context.Context, c *change) (o outcome, err error) {
	err = s.Store.Update(ctx, func(tx store.Tx) (err error) {
		if err := c.table.Check(tx); err != nil {
			return err
		}
		o, err = c.run(tx)
		return err
	})
	var failed conditionFailed
	if errors.As(err, &failed) {
		e := api.ConditionalCheckFailedException.New("%s", failed.Error())
		if failed.item != nil {
			e = e.With("Item", failed.item.API())
		}
		return o, e
	}
	return o, err
}

// check checks the tables of several changes, each once.
func check(tx store.Tx, changes []named) error {
	checked := map[*table.Table]bool{}
	for _, c := range changes {
		if checked[c.table] {
			continue
		}
		checked[c.table] = true
		if err := c.table.Check(tx); err != nil {
			return err
		}
	}
	return nil
}

// reveals says whether a request wants to see the item that does not meet its condition.
func reveals(asked *string) bool {
	return awsapi.Val(asked) == api.ReturnValuesOnConditionCheckFailureAllOld
}
