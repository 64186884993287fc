package dynamodb

import (
	"cmp"
	"errors"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/expression"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/table"
)

// expressions are the parameters of a request that say which items, what of them, and what becomes of them: the
// expressions, and the older ones that say the same.
type expressions struct {
	operation                                            operation
	single                                               bool         // of PutItem, UpdateItem or DeleteItem
	wording                                              item.Wording // of what is wrong with a value
	Update, Condition, Projection, Filter, KeyExpression *string
	Names                                                map[string]string
	Values                                               map[string]api.AttributeValue

	Updates    map[string]api.AttributeValueUpdate
	Expected   map[string]api.ExpectedAttributeValue
	Attributes []string                 // AttributesToGet
	Conditions map[string]api.Condition // QueryFilter or ScanFilter
	Keys       map[string]api.Condition // KeyConditions
	Operator   *string                  // ConditionalOperator
}

// operation is the kind of a request, by the expressions that it may have.
type operation uint8

const (
	opWrite operation = iota // PutItem, DeleteItem and their like
	opUpdate
	opGet
	opScan
	opQuery
)

// parsed is what they say; nil where nothing was said.
type parsed struct {
	update     *expression.Update
	condition  *expression.Condition // or the filter
	projection *expression.Projection
	keys       *expression.KeyCondition

	projectionParameter string // which of both said it
}

// plain is what a request without expressions says.
var plain = &parsed{}

// parse reads the parameters.
func (x *expressions) parse() (*parsed, error) {
	p, err := x.read()
	if x.single {
		err = counted(err)
	}
	return p, err
}

// counted is an error of a request to write a single item, as AWS words what it finds before it looks for the table.
// https://github.com/paritysuite/dynamodb-conformance/blob/main/tests/tier3/error-messages/deleteItem.test.ts
func counted(err error) error {
	if e, ok := errors.AsType[*awsapi.Error](err); ok && e.Type == awsapi.ValidationException {
		return invalid("1 validation error detected: %s", e.Message)
	}
	return err
}

func (x *expressions) read() (*parsed, error) {
	if x.none() {
		return plain, nil
	}
	if err := x.checkMix(); err != nil {
		return nil, err
	}
	p := &parsed{projectionParameter: "ProjectionExpression"}
	if err := x.parseOlder(p); err != nil {
		return nil, err
	}
	holders, err := expression.NewPlaceholders(x.Names, x.Values, x.wording)
	if err != nil {
		return nil, err
	}
	if x.Update != nil {
		if p.update, err = expression.ParseUpdate(*x.Update, holders); err != nil {
			return nil, err
		}
	}
	if x.Condition != nil {
		if p.condition, err = expression.ParseCondition("ConditionExpression", *x.Condition, holders); err != nil {
			return nil, err
		}
	}
	if x.KeyExpression != nil {
		if p.keys, err = expression.ParseKeyCondition(*x.KeyExpression, holders); err != nil {
			return nil, err
		}
	}
	if x.Filter != nil {
		if p.condition, err = expression.ParseCondition("FilterExpression", *x.Filter, holders); err != nil {
			return nil, err
		}
	}
	if x.Projection != nil {
		if p.projection, err = expression.ParseProjection(*x.Projection, holders); err != nil {
			return nil, err
		}
	}
	return p, holders.Unused()
}

// checkMix refuses expressions beside the older parameters, and names and values beside no expression.
func (x *expressions) checkMix() error {
	return expression.CheckParameters(x.given(), x.older(), x.Names, x.Values, x.single)
}

// none says that nothing was given.
func (x *expressions) none() bool {
	return x.Names == nil && x.Values == nil && x.Update == nil && x.Condition == nil && x.Projection == nil && x.Filter == nil &&
		x.KeyExpression == nil && x.Updates == nil && x.Expected == nil && x.Attributes == nil && x.Conditions == nil && x.Keys == nil && x.Operator == nil
}

// given are the expressions that the operation may have, in AWS's order.
func (x *expressions) given() []expression.Parameter {
	condition := expression.Parameter{Name: "ConditionExpression", Given: x.Condition != nil}
	projection := expression.Parameter{Name: "ProjectionExpression", Given: x.Projection != nil}
	filter := expression.Parameter{Name: "FilterExpression", Given: x.Filter != nil}
	switch x.operation {
	case opUpdate:
		return []expression.Parameter{{Name: "UpdateExpression", Given: x.Update != nil}, condition}
	case opGet:
		return []expression.Parameter{projection}
	case opScan:
		return []expression.Parameter{projection, filter}
	case opQuery:
		return []expression.Parameter{projection, filter, {Name: "KeyConditionExpression", Given: x.KeyExpression != nil}}
	}
	return []expression.Parameter{condition}
}

// older are the older parameters, in AWS's order. KeyConditions may stand beside a filter or a projection.
func (x *expressions) older() []expression.Parameter {
	operator := expression.Parameter{Name: "ConditionalOperator", Given: x.Operator != nil}
	attributes := expression.Parameter{Name: "AttributesToGet", Given: x.Attributes != nil}
	expected := expression.Parameter{Name: "Expected", Given: x.Expected != nil}
	switch x.operation {
	case opUpdate:
		return []expression.Parameter{{Name: "AttributeUpdates", Given: x.Updates != nil}, expected, operator}
	case opGet:
		return []expression.Parameter{attributes}
	case opScan:
		return []expression.Parameter{attributes, {Name: "ScanFilter", Given: x.Conditions != nil}, operator}
	case opQuery:
		return []expression.Parameter{attributes, {Name: "QueryFilter", Given: x.Conditions != nil}, operator,
			{Name: "KeyConditions", Given: x.Keys != nil && x.KeyExpression != nil}}
	}
	return []expression.Parameter{expected, operator}
}

// check checks what the expressions do to the keys of the table and its indexes.
func (p *parsed) check(t *table.Table) error {
	if p == plain {
		return nil
	}
	if p.update != nil {
		if err := p.update.CheckUpdate(t.Schema.Hash.Name, t.Schema.Range.Name); err != nil {
			return err
		}
		if len(t.Indexes) > 0 {
			if empty, kind := checkAssigned(t, p.update.Assigned()); empty != nil || kind != nil {
				return cmp.Or(empty, kind)
			}
		}
		if err := checkScalars(t, p.update.Touched().Paths()); err != nil {
			return err
		}
	}
	if p.projection != nil {
		if err := checkScalars(t, p.projection.Paths()); err != nil {
			return err
		}
	}
	if p.condition != nil {
		return checkScalars(t, p.condition.Paths())
	}
	return nil
}

// checkScalars refuses paths into the keys of the table or of an index: keys have nothing inside.
func checkScalars(t *table.Table, paths []expression.Path) error {
	for _, path := range paths {
		if !path.Nested() || !t.Reserves(path.Attribute()) {
			continue
		}
		kind := "IndexKey"
		if t.Schema.Has(path.Attribute()) {
			kind = "Key"
		}
		return invalid("Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: %s: %s", kind, path.Attribute())
	}
	return nil
}

// project is what a reply shows of an item.
func (p *parsed) project(it item.Item) item.Item {
	if p.projection == nil || it == nil {
		return it
	}
	return p.projection.Of(it)
}

// parseOlder reads the older parameters.
func (x *expressions) parseOlder(p *parsed) (err error) {
	if x.Attributes != nil {
		p.projectionParameter = "AttributesToGet"
		if p.projection, err = expression.AttributesToGet(x.Attributes); err != nil {
			return err
		}
	}
	if x.Updates != nil {
		if p.update, err = expression.AttributeUpdates(x.Updates); err != nil {
			return err
		}
	}
	switch {
	case x.Conditions != nil || x.Operator != nil && (x.operation == opScan || x.operation == opQuery):
		p.condition, err = expression.Filter(x.Conditions, x.Operator)
	case x.Expected != nil || x.Operator != nil:
		p.condition, err = expression.Expected(x.Expected, x.Operator)
	}
	if err != nil || x.Keys == nil || x.KeyExpression != nil {
		return err
	}
	p.keys, err = expression.KeyConditions(x.Keys)
	return err
}
