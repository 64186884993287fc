package dynamodb

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// maxTransaction is how many bytes of items a transaction reads or writes.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
const maxTransaction = 4 << 20

// transactionFactor is what a read or a write in a transaction costs more than one without.
const transactionFactor = 2

func errTooLarge(size int) error {
	return invalid("Transaction payload size cannot exceed 4MB. Payload Size: %d", size)
}

// TransactGetItems reads items of several tables as of one moment.
func (s *Service) TransactGetItems(ctx context.Context, in *api.TransactGetItemsInput) (*api.TransactGetItemsOutput, error) {
	reads, names := make([]*parsed, len(in.TransactItems)), make([]string, len(in.TransactItems))
	asked := make([]item.Item, len(names))
	for i, a := range in.TransactItems {
		if a.Get == nil {
			return nil, invalid("TransactItems can only contain Get")
		}
		x, err := (&expressions{operation: opGet, Projection: a.Get.ProjectionExpression, Names: a.Get.ExpressionAttributeNames}).parse()
		if err != nil {
			return nil, err
		}
		reads[i], names[i] = x, awsapi.Val(a.Get.TableName)
		if asked[i], err = item.Older.FromAPI(a.Get.Key); err != nil {
			return nil, err
		}
	}
	all, err := s.useAll(ctx, names)
	if err != nil {
		return nil, err
	}
	defer all.end()
	keys, seen := make([]table.Key, len(names)), map[string]bool{}
	failures := make([]error, len(names))
	for i, key := range asked {
		t := all.byName[names[i]]
		if err := checkNoneEmpty(t, key); err != nil {
			return nil, err
		}
		if failures[i] = cmp.Or(checkWhole(t, key), reads[i].check(t)); failures[i] != nil {
			continue
		}
		if keys[i], err = t.KeyOf(key); err != nil {
			return nil, err
		}
		if seen[string(keys[i])] {
			return nil, errTwice()
		}
		seen[string(keys[i])] = true
	}
	if err := canceled(failures); err != nil {
		return nil, err
	}
	out := &api.TransactGetItemsOutput{Responses: make([]api.ItemResponse, len(names))}
	used := meters{}
	err = s.Store.View(ctx, func(r store.Reader) error {
		size := 0
		for i, k := range keys {
			it, err := all.byName[names[i]].Get(r, k)
			if err != nil {
				return err
			}
			if size += it.Size(); size > maxTransaction {
				return errTooLarge(size)
			}
			used.of(in.ReturnConsumedCapacity, names[i], false, transactionFactor).read(nil, it.Size(), true)
			out.Responses[i].Item = reads[i].project(it).API()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.ConsumedCapacity = used.report()
	return out, nil
}

func errTwice() error {
	return invalid("Transaction request cannot include multiple operations on one item")
}

// TransactWriteItems makes changes of items of several tables: all, or none.
func (s *Service) TransactWriteItems(ctx context.Context, in *api.TransactWriteItemsInput) (*api.TransactWriteItemsOutput, error) {
	actions := make([]transactAction, len(in.TransactItems))
	names := make([]string, len(actions))
	for i := range in.TransactItems {
		if err := actions[i].read(&in.TransactItems[i]); err != nil {
			return nil, err
		}
		names[i] = actions[i].name
	}
	all, err := s.useAll(ctx, names)
	if err != nil {
		return nil, err
	}
	defer all.end()
	changes, err := prepare(all, actions)
	if err != nil {
		return nil, err
	}
	token, err := s.token(ctx, in)
	if err != nil {
		return nil, err
	}
	outcomes, repeated, err := s.transact(ctx, changes, token, in.ReturnConsumedCapacity != nil)
	if err != nil {
		return nil, err
	}
	out := &api.TransactWriteItemsOutput{}
	used := meters{}
	for i, c := range changes {
		if repeated { // it is answered with what it takes to find that out
			used.of(in.ReturnConsumedCapacity, c.name, false, transactionFactor).read(nil, outcomes[i].now.Size(), true)
			continue
		}
		used.of(in.ReturnConsumedCapacity, c.name, true, transactionFactor).wrote(c.table, outcomes[i].old, outcomes[i].now)
		if c.action != checking {
			out.ItemCollectionMetrics = collect(out.ItemCollectionMetrics, in.ReturnItemCollectionMetrics, c)
		}
	}
	out.ConsumedCapacity = used.report()
	return out, nil
}

// transactAction is an action of a request, read as far as that takes no table.
type transactAction struct {
	name   string
	action action
	attrs  item.Item // the key, or the item to put
	x      *parsed
	reveal bool
}

// read reads the one action that a has.
func (a *transactAction) read(from *api.TransactWriteItem) (err error) {
	n, attrs := 0, map[string]api.AttributeValue(nil)
	if w := from.Put; w != nil {
		n, attrs = n+1, w.Item
		*a = transactAction{name: awsapi.Val(w.TableName), action: putting, reveal: reveals(w.ReturnValuesOnConditionCheckFailure)}
		a.x, err = (&expressions{operation: opWrite, wording: item.Older, Condition: w.ConditionExpression, Names: w.ExpressionAttributeNames, Values: w.ExpressionAttributeValues}).parse()
	}
	if w := from.Update; w != nil {
		n, attrs = n+1, w.Key
		*a = transactAction{name: awsapi.Val(w.TableName), action: updating, reveal: reveals(w.ReturnValuesOnConditionCheckFailure)}
		a.x, err = (&expressions{operation: opUpdate, wording: item.Older, Condition: w.ConditionExpression, Update: w.UpdateExpression, Names: w.ExpressionAttributeNames, Values: w.ExpressionAttributeValues}).parse()
	}
	if w := from.Delete; w != nil {
		n, attrs = n+1, w.Key
		*a = transactAction{name: awsapi.Val(w.TableName), action: deleting, reveal: reveals(w.ReturnValuesOnConditionCheckFailure)}
		a.x, err = (&expressions{operation: opWrite, wording: item.Older, Condition: w.ConditionExpression, Names: w.ExpressionAttributeNames, Values: w.ExpressionAttributeValues}).parse()
	}
	if w := from.ConditionCheck; w != nil {
		n, attrs = n+1, w.Key
		*a = transactAction{name: awsapi.Val(w.TableName), action: checking, reveal: reveals(w.ReturnValuesOnConditionCheckFailure)}
		a.x, err = (&expressions{operation: opWrite, wording: item.Older, Condition: w.ConditionExpression, Names: w.ExpressionAttributeNames, Values: w.ExpressionAttributeValues}).parse()
	}
	if n != 1 {
		return invalid("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	if err == nil {
		a.attrs, err = item.Older.FromAPI(attrs)
	}
	return err
}

// prepare makes changes of actions. Where one does not fit its table's keys, the transaction is canceled.
func prepare(all *tables, actions []transactAction) ([]named, error) {
	changes, reasons := make([]named, len(actions)), make([]error, len(actions))
	seen, size := map[string]bool{}, 0
	for i := range actions {
		a := &actions[i]
		c, reason, err := a.change(all.byName[a.name])
		if err != nil {
			return nil, err
		}
		changes[i], reasons[i] = named{c, a.name}, reason
		if reason != nil {
			continue
		}
		if seen[string(c.key)] {
			return nil, errTwice()
		}
		seen[string(c.key)] = true
		size += c.attrs.Size()
	}
	if err := canceled(reasons); err != nil {
		return nil, err
	}
	if size > maxTransaction {
		return nil, errTooLarge(size)
	}
	return changes, nil
}

// change makes a change of the action. What is wrong with a value by itself is err, and refuses the request; what
// does not fit the table is the reason for a cancellation.
func (a *transactAction) change(t *table.Table) (c *change, reason, err error) {
	c = &change{table: t, action: a.action, attrs: a.attrs, condition: a.x.condition, update: a.x.update, reveal: a.reveal}
	if err := checkNoneEmpty(t, c.attrs); err != nil {
		return nil, nil, err
	}
	if a.action == putting {
		if err := checkSize(c.attrs); err != nil {
			return nil, nil, err
		}
		reason = checkItem(t, c.attrs)
	} else {
		reason = checkWhole(t, c.attrs)
	}
	if reason != nil {
		return c, reason, nil
	}
	if a.x.update != nil {
		if empty, _ := checkAssigned(t, a.x.update.Assigned()); empty != nil {
			return nil, nil, empty
		}
	}
	if reason = a.x.check(t); reason == nil {
		c.key, err = t.KeyOf(c.attrs)
	}
	return c, reason, err
}

// transact runs all changes in one transaction. repeated says that the token's transaction was done before.
func (s *Service) transact(ctx context.Context, changes []named, t *token, curious bool) (outcomes []outcome, repeated bool, err error) {
	outcomes = make([]outcome, len(changes))
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if repeated, err = t.find(tx); err != nil || repeated {
			return err
		}
		if err := check(tx, changes); err != nil {
			return err
		}
		failures, size := make([]error, len(changes)), 0
		for i, c := range changes {
			c.curious = curious
			outcomes[i], failures[i] = c.run(tx)
			size += max(outcomes[i].old.Size(), outcomes[i].now.Size())
		}
		if err := canceled(failures); err != nil {
			return err
		}
		if size > maxTransaction {
			return errTooLarge(size)
		}
		return t.keep(tx)
	})
	return outcomes, repeated, err
}

// canceled is the error of a transaction some of whose actions failed, with a reason for each in their order;
// nil where none did. A failure that is none of the client's is answered as it is.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
func canceled(failures []error) error {
	reasons, codes, failed := make([]api.CancellationReason, len(failures)), make([]string, len(failures)), false
	for i, err := range failures {
		var condition conditionFailed
		var e *awsapi.Error
		switch {
		case err == nil:
			codes[i] = "None"
		case errors.As(err, &condition):
			codes[i], failed = "ConditionalCheckFailed", true
			reasons[i].Message, reasons[i].Item = new(condition.Error()), condition.item.API()
		case errors.As(err, &e) && !e.Type.Server:
			codes[i], failed = "ValidationError", true
			reasons[i].Message = &e.Message
		default:
			return err
		}
		reasons[i].Code = &codes[i]
	}
	if !failed {
		return nil
	}
	return api.TransactionCanceledException.New("Transaction cancelled, please refer cancellation reasons for specific reasons [%s]",
		strings.Join(codes, ", ")).With("CancellationReasons", reasons)
}
