package dynamodb

import (
	"context"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/expression"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/table"
)

// Query reads items of one hash key, of a table or an index, in the order of the sort key.
func (s *Service) Query(ctx context.Context, in *api.QueryInput) (*api.QueryOutput, error) {
	if in.KeyConditions == nil && in.KeyConditionExpression == nil {
		return nil, invalid("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	read, err := (&expressions{operation: opQuery, KeyExpression: in.KeyConditionExpression, Projection: in.ProjectionExpression,
		Filter: in.FilterExpression, Names: in.ExpressionAttributeNames, Values: in.ExpressionAttributeValues, Attributes: in.AttributesToGet,
		Conditions: in.QueryFilter, Keys: in.KeyConditions, Operator: in.ConditionalOperator}).parse()
	if err != nil {
		return nil, err
	}
	t, err := s.use(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	defer t.End()
	p := page{table: t.Table, limit: int(awsapi.Val(in.Limit)), read: read, meter: newMeter(in.ReturnConsumedCapacity, in.TableName, false, 1)}
	if err := p.source(in.IndexName, in.ConsistentRead); err != nil {
		return nil, err
	}
	if err := p.query(in); err != nil {
		return nil, err
	}
	p.ready = awsapi.RequestOf(ctx).Ready
	if err := s.Store.View(ctx, p.fill); err != nil {
		return nil, err
	}
	out := &api.QueryOutput{Items: p.items, Count: new(int32(p.found)), ScannedCount: new(int32(p.scanned)),
		LastEvaluatedKey: p.last.API(), ConsumedCapacity: p.meter.report()}
	return out, nil
}

// query checks the rest of a query, and sets the range that it reads.
func (p *page) query(in *api.QueryInput) error {
	schema := p.schema()
	keys, err := p.read.keys.Match(expression.Key(schema.Hash), expression.Key(schema.Range))
	if err != nil {
		return err
	}
	if err := p.selects(in.Select); err != nil {
		return err
	}
	if err := p.checkFilter(in.QueryFilter != nil); err != nil {
		return err
	}
	if err := p.read.check(p.table); err != nil {
		return err
	}
	p.span = p.table.Of(p.index, keys.Hash)
	if err := limit(&p.span, keys); err != nil {
		return err
	}
	p.span.Range.Reverse = in.ScanIndexForward != nil && !*in.ScanIndexForward
	return p.after(in.ExclusiveStartKey, invalid("The provided starting key is invalid"), func(key item.Item) error {
		switch {
		case keys.Limited && !keys.Holds(key[schema.Range.Name]):
			return invalid("The provided starting key does not match the range key predicate")
		case keys.Limited && keys.Comparison == expression.Equal && p.index == nil:
			return invalid("The query can return at most one row and cannot be restarted")
		}
		return invalid("The provided starting key is outside query boundaries based on provided conditions")
	})
}

// limit limits a span to the sort keys that a query wants.
func limit(s *table.Span, keys expression.KeyRange) error {
	if !keys.Limited {
		return nil
	}
	v := &keys.Values[0]
	switch keys.Comparison {
	case expression.Less:
		return s.Between(nil, v, false, false)
	case expression.LessOrEqual:
		return s.Between(nil, v, false, true)
	case expression.Greater:
		return s.Between(v, nil, false, false)
	case expression.GreaterOrEqual:
		return s.Between(v, nil, true, false)
	case expression.Between:
		return s.Between(v, &keys.Values[1], true, true)
	case expression.BeginsWith:
		return s.Begin(*v)
	}
	return s.Between(v, v, true, true)
}

// checkFilter refuses a filter on the key: a key condition is for that.
func (p *page) checkFilter(older bool) error {
	parameter := "Filter Expression"
	if older {
		parameter = "QueryFilter"
	}
	schema := p.schema()
	if err := p.read.condition.CheckFilter(parameter, schema.Hash.Name, schema.Range.Name); err != nil {
		return err
	}
	if lacking := p.unprojected(); lacking != nil {
		return wrong("Secondary index %s does not project one or more filter attributes: %s", p.index.Name, listed(lacking))
	}
	return nil
}

// unprojected are the attributes that the filter looks at and the index does not have.
func (p *page) unprojected() (names []string) {
	if p.index == nil || p.read.condition == nil {
		return nil
	}
	for _, path := range p.read.condition.Paths() {
		if name := path.Attribute(); !p.index.Projects(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
