package dynamodb

import (
	"context"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
)

// PutItem makes an item, in the place of the one that has its key.
func (s *Service) PutItem(ctx context.Context, in *api.PutItemInput) (*api.PutItemOutput, error) {
	it, err := item.FromAPI(in.Item)
	if err != nil {
		return nil, counted(err)
	}
	wantsOld, err := returnsOld(in.ReturnValues)
	if err != nil {
		return nil, err
	}
	x, err := (&expressions{operation: opWrite, single: true, Condition: in.ConditionExpression, Names: in.ExpressionAttributeNames, Values: in.ExpressionAttributeValues,
		Expected: in.Expected, Operator: in.ConditionalOperator}).parse()
	if err != nil {
		return nil, err
	}
	t, err := s.use(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	defer t.End()
	if err := checkItem(t.Table, it); err != nil {
		return nil, err
	}
	if err := x.check(t.Table); err != nil {
		return nil, err
	}
	k, err := t.KeyOf(it)
	if err != nil {
		return nil, err
	}
	m := newMeter(in.ReturnConsumedCapacity, in.TableName, true, 1)
	o, err := s.alone(ctx, &change{table: t.Table, action: putting, key: k, attrs: it, condition: x.condition,
		reveal: reveals(in.ReturnValuesOnConditionCheckFailure), curious: m != nil || wantsOld})
	if err != nil {
		return nil, err
	}
	m.wrote(t.Table, o.old, o.now)
	out := &api.PutItemOutput{ConsumedCapacity: m.report(), ItemCollectionMetrics: collection(in.ReturnItemCollectionMetrics, t.Table, it)}
	if wantsOld {
		out.Attributes = o.old.API()
	}
	return out, nil
}

// returnsOld says whether a put or a deletion answers with the item that was there: it can with nothing else.
func returnsOld(values *string) (bool, error) {
	switch awsapi.Val(values) {
	case "", api.ReturnValueNone:
		return false, nil
	case api.ReturnValueAllOld:
		return true, nil
	}
	return false, counted(errReturnValues())
}
