package dynamodb

import (
	"context"

	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
)

// DeleteItem deletes an item, if there is one.
func (s *Service) DeleteItem(ctx context.Context, in *api.DeleteItemInput) (*api.DeleteItemOutput, error) {
	wantsOld, err := returnsOld(in.ReturnValues)
	if err != nil {
		return nil, err
	}
	x, err := (&expressions{operation: opWrite, single: true, Condition: in.ConditionExpression, Names: in.ExpressionAttributeNames, Values: in.ExpressionAttributeValues,
		Expected: in.Expected, Operator: in.ConditionalOperator}).parse()
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
	o, err := s.alone(ctx, &change{table: t.Table, action: deleting, key: k, attrs: key, condition: x.condition,
		reveal: reveals(in.ReturnValuesOnConditionCheckFailure), curious: m != nil || wantsOld})
	if err != nil {
		return nil, err
	}
	m.wrote(t.Table, o.old, nil)
	out := &api.DeleteItemOutput{ConsumedCapacity: m.report(), ItemCollectionMetrics: collection(in.ReturnItemCollectionMetrics, t.Table, key)}
	if wantsOld {
		out.Attributes = o.old.API()
	}
	return out, nil
}
