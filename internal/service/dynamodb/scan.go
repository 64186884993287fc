package dynamodb

import (
	"context"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
)

// Scan reads a table, an index or a segment of one, in the order of the hashes of the hash keys.
func (s *Service) Scan(ctx context.Context, in *api.ScanInput) (*api.ScanOutput, error) {
	read, err := (&expressions{operation: opScan, wording: item.Older, Projection: in.ProjectionExpression, Filter: in.FilterExpression, Names: in.ExpressionAttributeNames,
		Values: in.ExpressionAttributeValues, Attributes: in.AttributesToGet, Conditions: in.ScanFilter, Operator: in.ConditionalOperator}).parse()
	if err != nil {
		return nil, err
	}
	if err := checkSegments(in.Segment, in.TotalSegments); err != nil {
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
	if err := p.selects(in.Select); err != nil {
		return nil, err
	}
	if err := read.check(t.Table); err != nil {
		return nil, err
	}
	if p.index != nil && p.index.Local && !p.whole && p.unprojected() != nil {
		// The filter looks at the table's item, the reply has what the index has of it.
		p.whole, p.shows = true, func(it item.Item) item.Item { return read.project(p.index.Project(it)) }
	}
	p.span = t.All(p.index)
	if in.TotalSegments != nil {
		p.span = t.Segment(p.index, int(awsapi.Val(in.Segment)), int(*in.TotalSegments))
	}
	mismatch := invalid("The provided starting key is invalid: The provided key element does not match the schema")
	if p.index != nil {
		mismatch = invalid("The provided starting key is invalid")
	}
	err = p.after(in.ExclusiveStartKey, mismatch, func(item.Item) error {
		return invalid("The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. "+
			"TotalSegments: %d Segment: %d", awsapi.Val(in.TotalSegments), awsapi.Val(in.Segment))
	})
	if err != nil {
		return nil, err
	}
	p.ready = awsapi.RequestOf(ctx).Ready
	if err := s.Store.View(ctx, p.fill); err != nil {
		return nil, err
	}
	out := &api.ScanOutput{Items: p.items, Count: new(int32(p.found)), ScannedCount: new(int32(p.scanned)),
		LastEvaluatedKey: p.last.API(), ConsumedCapacity: p.meter.report()}
	return out, nil
}

func checkSegments(segment, total *int32) error {
	switch {
	case segment != nil && total == nil:
		return invalid("The TotalSegments parameter is required but was not present in the request when Segment parameter is present")
	case segment == nil && total != nil:
		return invalid("The Segment parameter is required but was not present in the request when parameter TotalSegments is present")
	case segment != nil && *segment >= *total:
		return invalid("The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: %d is not less than TotalSegments: %d",
			*segment, *total)
	}
	return nil
}
