package dynamodb

import (
	"context"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/expression"
	"cirro/internal/service/dynamodb/item"
)

// UpdateItem changes an item, or makes one where there is none.
func (s *Service) UpdateItem(ctx context.Context, in *api.UpdateItemInput) (*api.UpdateItemOutput, error) {
	x, err := (&expressions{operation: opUpdate, single: true, Condition: in.ConditionExpression, Update: in.UpdateExpression, Names: in.ExpressionAttributeNames,
		Values: in.ExpressionAttributeValues, Expected: in.Expected, Operator: in.ConditionalOperator, Updates: in.AttributeUpdates}).parse()
	if err != nil {
		return nil, err
	}
	key, err := item.FromAPI(in.Key)
	if err != nil {
		return nil, counted(err)
	}
	t, err := s.use(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	defer t.End()
	k, err := placeOf(t.Table, key)
	if err != nil {
		return nil, err
	}
	if err := x.check(t.Table); err != nil {
		return nil, err
	}
	m := newMeter(in.ReturnConsumedCapacity, in.TableName, true, 1)
	o, err := s.alone(ctx, &change{table: t.Table, action: updating, key: k, attrs: key, condition: x.condition, update: x.update,
		reveal: reveals(in.ReturnValuesOnConditionCheckFailure)})
	if err != nil {
		return nil, err
	}
	m.wrote(t.Table, o.old, o.now)
	return &api.UpdateItemOutput{Attributes: o.returned(awsapi.Val(in.ReturnValues), x.update).API(), ConsumedCapacity: m.report(),
		ItemCollectionMetrics: collection(in.ReturnItemCollectionMetrics, t.Table, key)}, nil
}

// returned is what ReturnValues wants of an update; nil for nothing.
func (o *outcome) returned(values string, u *expression.Update) item.Item {
	var it item.Item
	switch {
	case values == api.ReturnValueAllOld:
		return o.old
	case values == api.ReturnValueAllNew:
		return o.now
	case u == nil:
		return nil
	case values == api.ReturnValueUpdatedOld:
		it = u.Touched().Of(o.old)
	case values == api.ReturnValueUpdatedNew:
		it = u.Touched().Of(o.now)
	}
	if len(it) == 0 {
		return nil
	}
	return it
}
