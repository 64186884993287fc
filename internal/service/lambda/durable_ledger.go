package lambda

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"cirro/internal/service/lambda/durable"
	"cirro/internal/store"
)

// Keys of an execution and what belongs to it.
func executionKey(id string) []byte        { return store.Key("durable", "execution", id) }
func inputKey(id string) []byte            { return store.Key("durable", "input", id) }
func outputKey(id string) []byte           { return store.Key("durable", "output", id) }
func endedKey(id string) []byte            { return store.Key("durable", "ended", id) }
func operationKey(id string, n int) []byte { return store.Key("durable", "operation", id, n) }
func operationIDKey(id, op string) []byte  { return store.Key("durable", "operationid", id, op) }
func durableEventKey(id string, n int) []byte {
	return store.Key("durable", "event", id, n)
}

func dueKey(id string, at time.Time, n int) []byte {
	return store.Key("durable", "due", id, at.UnixNano(), n)
}

// executionOfKey lists the executions of a function in the order of their beginning.
func executionOfKey(x *durable.Execution) []byte {
	return store.Key("durable", "of", x.Account, x.Region, x.Function, x.Start.UnixNano(), x.ID)
}

// executionNameKey holds the id of the execution that has a name.
func executionNameKey(x *durable.Execution) []byte {
	return store.Key("durable", "name", x.Account, x.Region, x.Function, x.Name)
}

// ledger is an execution's operations and history in the store. For reading alone it has no Tx.
type ledger struct {
	store.Reader
	tx store.Tx
	id string
}

// Operation reads the operation of an id.
func (l ledger) Operation(id string) (*durable.Operation, error) {
	b, err := l.Get(operationIDKey(l.id, id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	n, _ := binary.Uvarint(b)
	return l.Numbered(int(n))
}

// Numbered reads an operation.
func (l ledger) Numbered(n int) (*durable.Operation, error) {
	op, found, err := store.GetRecord[durable.Operation](l, operationKey(l.id, n))
	if err == nil && !found {
		err = store.ErrNotFound
	}
	return &op, err
}

// Due reads the operations that are due.
func (l ledger) Due(until time.Time) (due []*durable.Operation, err error) {
	over := store.Prefix("durable", "due", l.id)
	over.End = store.Key("durable", "due", l.id, until.UnixNano()+1)
	var numbers []int
	for kv, err := range l.Range(over) {
		if err != nil {
			return nil, err
		}
		parts, err := store.Split(kv.Key)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, int(parts[4].(int64)))
	}
	for _, n := range numbers {
		op, err := l.Numbered(n)
		if err != nil {
			return nil, err
		}
		due = append(due, op)
	}
	return due, nil
}

// nextDue is when an operation of an execution is due next; the zero time for never.
func nextDue(r store.Reader, id string) (time.Time, error) {
	over := store.Prefix("durable", "due", id)
	over.Limit = 1
	for kv, err := range r.Range(over) {
		if err != nil {
			return time.Time{}, err
		}
		parts, err := store.Split(kv.Key)
		if err != nil {
			return time.Time{}, err
		}
		return time.Unix(0, parts[3].(int64)).UTC(), nil
	}
	return time.Time{}, nil
}

// Keep writes an operation.
func (l ledger) Keep(op *durable.Operation, was time.Time) error {
	if !op.Due.Equal(was) {
		if !was.IsZero() {
			if err := l.tx.Delete(dueKey(l.id, was, op.Number)); err != nil {
				return err
			}
		}
		if !op.Due.IsZero() {
			if err := l.tx.Set(dueKey(l.id, op.Due, op.Number), []byte{}); err != nil {
				return err
			}
		}
	}
	if err := l.tx.Set(operationIDKey(l.id, op.ID), binary.AppendUvarint(nil, uint64(op.Number))); err != nil {
		return err
	}
	return store.SetRecord(l.tx, operationKey(l.id, op.Number), *op)
}

// Record writes an event.
func (l ledger) Record(n int, e *durable.Event) error {
	return store.SetRecord(l.tx, durableEventKey(l.id, n), *e)
}

// How much of an execution's state goes into one answer.
const (
	defaultItems   = 100
	mostItems      = 1000
	mostStateBytes = 5 << 20
)

// state reads the operations from a number on that the function needs, as many as go into one answer. next is where to go on; 0
// says that there are no more. What lies below a context that has ended is not needed.
func (l ledger) state(from, limit, limitBytes int) (ops []*durable.Operation, next int, err error) {
	over := store.Prefix("durable", "operation", l.id)
	over.Start = operationKey(l.id, from)
	folded := map[string]bool{}
	size := 0
	for kv, err := range l.Range(over) {
		if err != nil {
			return nil, 0, err
		}
		op := &durable.Operation{}
		if err := json.Unmarshal(kv.Value, op); err != nil {
			return nil, 0, err
		}
		if hidden, err := l.folded(op.Parent, folded); err != nil || hidden {
			if err != nil {
				return nil, 0, err
			}
			continue
		}
		if len(ops) == limit || len(ops) > 0 && size+len(kv.Value) > limitBytes {
			return ops, op.Number, nil
		}
		ops, size = append(ops, op), size+len(kv.Value)
	}
	return ops, 0, nil
}

// folded reports whether what lies below an operation is left out; known is what has been found out.
func (l ledger) folded(id string, known map[string]bool) (bool, error) {
	if id == "" {
		return false, nil
	}
	if f, ok := known[id]; ok {
		return f, nil
	}
	op, err := l.Operation(id)
	if err != nil || op == nil {
		return false, err
	}
	f := op.Folds()
	if !f {
		f, err = l.folded(op.Parent, known)
	}
	known[id] = f
	return f, err
}

// forget removes an execution with all that belongs to it.
func forget(tx store.Tx, x *durable.Execution) error {
	for _, kind := range []string{"operation", "operationid", "due", "event", "ended"} {
		over := store.Prefix("durable", kind, x.ID)
		if err := tx.DeleteRange(over.Start, over.End); err != nil {
			return err
		}
	}
	for _, key := range [][]byte{executionKey(x.ID), inputKey(x.ID), outputKey(x.ID), executionOfKey(x), executionNameKey(x)} {
		if err := tx.Delete(key); err != nil {
			return err
		}
	}
	return nil
}
