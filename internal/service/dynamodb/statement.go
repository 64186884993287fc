package dynamodb

import (
	"context"
	"errors"
	"fmt"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/expression"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/partiql"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// ExecuteStatement runs a statement of PartiQL: a SELECT, page by page, or a write of one item.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteStatement.html
func (s *Service) ExecuteStatement(ctx context.Context, in *api.ExecuteStatementInput) (*api.ExecuteStatementOutput, error) {
	st, err := parseStatement(in.Statement, in.Parameters)
	if err != nil {
		return nil, err
	}
	switch st := st.(type) {
	case *partiql.Select:
		return s.executeSelect(ctx, st, in)
	case *partiql.Exists:
		return nil, invalid("EXISTS can only be used in ExecuteTransaction write requests.")
	}
	m := newMeter(in.ReturnConsumedCapacity, new(st.From().Table), true, 1)
	it, err := s.executeWrite(ctx, st, m, reveals(in.ReturnValuesOnConditionCheckFailure))
	if err != nil {
		return nil, err
	}
	out := &api.ExecuteStatementOutput{Items: []map[string]api.AttributeValue{}, ConsumedCapacity: m.report()}
	if it != nil {
		out.Items = append(out.Items, it.API())
	}
	return out, nil
}

// parseStatement reads a statement and its parameters.
func parseStatement(text *string, parameters []api.AttributeValue) (partiql.Statement, error) {
	values, err := parseParameters(parameters)
	if err != nil {
		return nil, err
	}
	return partiql.Parse(awsapi.Val(text), values)
}

func parseParameters(parameters []api.AttributeValue) ([]item.Value, error) {
	values := make([]item.Value, len(parameters))
	for i, p := range parameters {
		var err error
		if values[i], err = item.Older.ValueFromAPI(p); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// executeWrite runs a write in a transaction of its own, and returns what its RETURNING asks for; nil for nothing.
func (s *Service) executeWrite(ctx context.Context, st partiql.Statement, m *meter, reveal bool) (item.Item, error) {
	t, err := s.use(ctx, new(st.From().Table))
	if err != nil {
		return nil, err
	}
	defer t.End()
	c, err := statementChange(t.Table, st)
	if err != nil {
		return nil, err
	}
	c.reveal, c.curious = reveal, true
	o, err := s.alone(ctx, c)
	if _, inserts := st.(*partiql.Insert); inserts && errors.Is(err, api.ConditionalCheckFailedException) {
		return nil, errDuplicate()
	}
	if err != nil {
		return nil, err
	}
	m.wrote(t.Table, o.old, o.now)
	return returned(st, &o), nil
}

func errDuplicate() error {
	return api.DuplicateItemException.New("Duplicate primary key exists in table")
}

// returnValues are the same of the parameter ReturnValues.
var returnValues = map[partiql.Returning]string{
	partiql.ReturningAllOld:      api.ReturnValueAllOld,
	partiql.ReturningAllNew:      api.ReturnValueAllNew,
	partiql.ReturningModifiedOld: api.ReturnValueUpdatedOld,
	partiql.ReturningModifiedNew: api.ReturnValueUpdatedNew,
}

// returned is what a statement answers of its write.
func returned(st partiql.Statement, o *outcome) item.Item {
	switch st := st.(type) {
	case *partiql.Update:
		return o.returned(returnValues[st.Returning], st.Update)
	case *partiql.Delete:
		return o.returned(returnValues[st.Returning], nil)
	}
	return nil
}

// statementChange is what a statement does to its item.
func statementChange(t *table.Table, st partiql.Statement) (c *change, err error) {
	if st.From().Index != "" {
		return nil, invalid("This operation is not supported on an index")
	}
	switch st := st.(type) {
	case *partiql.Insert:
		return insertion(t, st)
	case *partiql.Update:
		c = &change{table: t, action: updating, condition: st.Where, update: st.Update}
	case *partiql.Delete:
		// Where there is nothing to delete, nothing fails.
		c = &change{table: t, action: deleting, condition: st.Where, lenient: true}
	case *partiql.Exists:
		c = &change{table: t, action: checking, condition: st.Where}
	default:
		return nil, fmt.Errorf("dynamodb: a statement of type %T is no change", st)
	}
	if c.attrs, c.key, err = statementKey(t, c.condition); err != nil {
		return nil, err
	}
	if c.action == checking { // of an item that is not there it may be true that it lacks something
		c.absent = c.attrs
	}
	return c, (&parsed{update: c.update, condition: c.condition}).check(t)
}

func insertion(t *table.Table, st *partiql.Insert) (*change, error) {
	for _, a := range t.Schema.Attributes() {
		v, has := st.Item[a.Name]
		if !has {
			return nil, invalid("Key attribute should be present in the item: Key %s", a.Name)
		}
		if v.Kind != a.Kind {
			return nil, keyMismatch(a.Name)
		}
	}
	if err := checkItem(t, st.Item); err != nil {
		return nil, err
	}
	key, err := t.KeyOf(st.Item)
	if err != nil {
		return nil, err
	}
	free, err := expression.NewCondition(expression.Call("attribute_not_exists", expression.At(expression.Path{{Name: t.Schema.Hash.Name}})))
	return &change{table: t, action: putting, key: key, attrs: st.Item, condition: free}, err
}

func keyMismatch(name string) error {
	return invalid("Key attribute's data type should match its data type in table's schema: Key %s", name)
}

// statementKey is the one key that a WHERE clause demands.
func statementKey(t *table.Table, where *expression.Condition) (item.Item, table.Key, error) {
	key := item.Item{}
	for _, a := range t.Schema.Attributes() {
		value, ok := where.Fixed(a.Name)
		if !ok {
			return nil, nil, invalid("Where clause does not contain a mandatory equality on all key attributes")
		}
		if value.Kind != a.Kind {
			return nil, nil, keyMismatch(a.Name)
		}
		key[a.Name] = value
	}
	if err := checkKey(t, key); err != nil {
		return nil, nil, err
	}
	k, err := t.KeyOf(key)
	return key, k, err
}

// readKey is the key of a SELECT that reads one item, by its key alone; false where it is none.
func readKey(t *table.Table, st *partiql.Select) (table.Key, bool) {
	if st.Index != "" || st.Where == nil || len(st.Where.Paths()) != len(t.Schema.Attributes()) {
		return nil, false
	}
	_, k, err := statementKey(t, st.Where)
	return k, err == nil
}

// readOne reads the item of a SELECT.
func readOne(r store.Reader, t *table.Table, st *partiql.Select, k table.Key) (shown, whole item.Item, err error) {
	it, err := t.Get(r, k)
	if err != nil || it == nil {
		return nil, nil, err
	}
	return st.Of(it), it, nil
}
