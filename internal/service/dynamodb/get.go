package dynamodb

import (
	"context"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
)

// GetItem reads an item. Every read is consistent; one that need not be costs half.
func (s *Service) GetItem(ctx context.Context, in *api.GetItemInput) (*api.GetItemOutput, error) {
	x, err := (&expressions{operation: opGet, Projection: in.ProjectionExpression, Names: in.ExpressionAttributeNames, Attributes: in.AttributesToGet}).parse()
	if err != nil {
		return nil, err
	}
	t, err := s.use(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	defer t.End()
	_, k, err := keyOf(t.Table, in.Key, item.Current)
	if err != nil {
		return nil, err
	}
	if err := x.check(t.Table); err != nil {
		return nil, err
	}
	var stored []byte
	err = s.Store.View(ctx, func(r store.Reader) (err error) {
		stored, err = t.GetStored(r, k)
		return err
	})
	if err != nil {
		return nil, err
	}
	it, size, err := x.show(stored, awsapi.RequestOf(ctx).Ready)
	if err != nil {
		return nil, err
	}
	m := newMeter(in.ReturnConsumedCapacity, in.TableName, false, 1)
	m.read(nil, size, awsapi.Val(in.ConsistentRead))
	return &api.GetItemOutput{Item: it, ConsumedCapacity: m.report()}, nil
}
