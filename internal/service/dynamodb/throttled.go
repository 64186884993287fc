package dynamodb

import (
	"context"
	"maps"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/partiql"
)

// PutItem is the service's, within the table's throughput.
func (t *Throttled) PutItem(ctx context.Context, in *api.PutItemInput) (*api.PutItemOutput, error) {
	if err := t.admit(ctx, in.TableName, nil, true); err != nil {
		return nil, err
	}
	asked := detailed(&in.ReturnConsumedCapacity)
	out, err := t.Service.PutItem(ctx, in)
	if err == nil {
		out.ConsumedCapacity = t.charge(ctx, asked, true, out.ConsumedCapacity)
	}
	return out, err
}

// UpdateItem is the service's, within the table's throughput.
func (t *Throttled) UpdateItem(ctx context.Context, in *api.UpdateItemInput) (*api.UpdateItemOutput, error) {
	if err := t.admit(ctx, in.TableName, nil, true); err != nil {
		return nil, err
	}
	asked := detailed(&in.ReturnConsumedCapacity)
	out, err := t.Service.UpdateItem(ctx, in)
	if err == nil {
		out.ConsumedCapacity = t.charge(ctx, asked, true, out.ConsumedCapacity)
	}
	return out, err
}

// DeleteItem is the service's, within the table's throughput.
func (t *Throttled) DeleteItem(ctx context.Context, in *api.DeleteItemInput) (*api.DeleteItemOutput, error) {
	if err := t.admit(ctx, in.TableName, nil, true); err != nil {
		return nil, err
	}
	asked := detailed(&in.ReturnConsumedCapacity)
	out, err := t.Service.DeleteItem(ctx, in)
	if err == nil {
		out.ConsumedCapacity = t.charge(ctx, asked, true, out.ConsumedCapacity)
	}
	return out, err
}

// GetItem is the service's, within the table's throughput.
func (t *Throttled) GetItem(ctx context.Context, in *api.GetItemInput) (*api.GetItemOutput, error) {
	if err := t.admit(ctx, in.TableName, nil, false); err != nil {
		return nil, err
	}
	asked := detailed(&in.ReturnConsumedCapacity)
	out, err := t.Service.GetItem(ctx, in)
	if err == nil {
		out.ConsumedCapacity = t.charge(ctx, asked, false, out.ConsumedCapacity)
	}
	return out, err
}

// Query is the service's, within the throughput of the table or the index.
func (t *Throttled) Query(ctx context.Context, in *api.QueryInput) (*api.QueryOutput, error) {
	if err := t.admit(ctx, in.TableName, in.IndexName, false); err != nil {
		return nil, err
	}
	asked := detailed(&in.ReturnConsumedCapacity)
	out, err := t.Service.Query(ctx, in)
	if err == nil {
		out.ConsumedCapacity = t.charge(ctx, asked, false, out.ConsumedCapacity)
	}
	return out, err
}

// Scan is the service's, within the throughput of the table or the index.
func (t *Throttled) Scan(ctx context.Context, in *api.ScanInput) (*api.ScanOutput, error) {
	if err := t.admit(ctx, in.TableName, in.IndexName, false); err != nil {
		return nil, err
	}
	asked := detailed(&in.ReturnConsumedCapacity)
	out, err := t.Service.Scan(ctx, in)
	if err == nil {
		out.ConsumedCapacity = t.charge(ctx, asked, false, out.ConsumedCapacity)
	}
	return out, err
}

// BatchGetItem leaves unprocessed what is of tables without capacity; it is refused where that is all.
func (t *Throttled) BatchGetItem(ctx context.Context, in *api.BatchGetItemInput) (*api.BatchGetItemOutput, error) {
	now, later, err := admitted(ctx, t, in.RequestItems, false)
	if err != nil {
		return nil, err
	}
	in.RequestItems = now
	asked := detailed(&in.ReturnConsumedCapacity)
	out, err := t.Service.BatchGetItem(ctx, in)
	if err != nil {
		return nil, err
	}
	out.ConsumedCapacity = t.chargeAll(ctx, asked, false, out.ConsumedCapacity)
	if len(later) > 0 {
		maps.Copy(later, out.UnprocessedKeys)
		out.UnprocessedKeys = later
	}
	return out, nil
}

// BatchWriteItem leaves unprocessed what is of tables without capacity; it is refused where that is all.
func (t *Throttled) BatchWriteItem(ctx context.Context, in *api.BatchWriteItemInput) (*api.BatchWriteItemOutput, error) {
	now, later, err := admitted(ctx, t, in.RequestItems, true)
	if err != nil {
		return nil, err
	}
	in.RequestItems = now
	asked := detailed(&in.ReturnConsumedCapacity)
	out, err := t.Service.BatchWriteItem(ctx, in)
	if err != nil {
		return nil, err
	}
	out.ConsumedCapacity = t.chargeAll(ctx, asked, true, out.ConsumedCapacity)
	if len(later) > 0 {
		maps.Copy(later, out.UnprocessedItems)
		out.UnprocessedItems = later
	}
	return out, nil
}

// admitted parts a batch into what there is capacity for and the rest.
func admitted[R any](ctx context.Context, t *Throttled, all map[string]R, writes bool) (now, later map[string]R, err error) {
	now, later = map[string]R{}, map[string]R{}
	var refused error
	for name, r := range all {
		if err := t.admit(ctx, &name, nil, writes); err != nil {
			later[name], refused = r, err
		} else {
			now[name] = r
		}
	}
	if len(now) == 0 && refused != nil {
		return nil, nil, refused
	}
	return now, later, nil
}

// TransactGetItems is canceled where a table has no capacity.
func (t *Throttled) TransactGetItems(ctx context.Context, in *api.TransactGetItemsInput) (*api.TransactGetItemsOutput, error) {
	names := make([]string, len(in.TransactItems))
	for i, a := range in.TransactItems {
		if a.Get != nil {
			names[i] = *a.Get.TableName
		}
	}
	if err := t.admitTransaction(ctx, names, false); err != nil {
		return nil, err
	}
	asked := detailed(&in.ReturnConsumedCapacity)
	out, err := t.Service.TransactGetItems(ctx, in)
	if err == nil {
		out.ConsumedCapacity = t.chargeAll(ctx, asked, false, out.ConsumedCapacity)
	}
	return out, err
}

// TransactWriteItems is canceled where a table has no capacity.
func (t *Throttled) TransactWriteItems(ctx context.Context, in *api.TransactWriteItemsInput) (*api.TransactWriteItemsOutput, error) {
	names := make([]string, len(in.TransactItems))
	for i, a := range in.TransactItems {
		switch {
		case a.Put != nil:
			names[i] = *a.Put.TableName
		case a.Update != nil:
			names[i] = *a.Update.TableName
		case a.Delete != nil:
			names[i] = *a.Delete.TableName
		case a.ConditionCheck != nil:
			names[i] = *a.ConditionCheck.TableName
		}
	}
	if err := t.admitTransaction(ctx, names, true); err != nil {
		return nil, err
	}
	asked := detailed(&in.ReturnConsumedCapacity)
	out, err := t.Service.TransactWriteItems(ctx, in)
	if err == nil {
		out.ConsumedCapacity = t.chargeAll(ctx, asked, true, out.ConsumedCapacity)
	}
	return out, err
}

func (t *Throttled) admitTransaction(ctx context.Context, names []string, writes bool) error {
	codes, reasons := make([]string, len(names)), make([]api.CancellationReason, len(names))
	refused := false
	for i, name := range names {
		codes[i] = "None"
		if first := slices.Index(names[:i], name); first >= 0 && codes[first] == "None" {
			continue
		}
		if err := t.admit(ctx, &name, nil, writes); err != nil {
			refused, codes[i] = true, "ProvisionedThroughputExceeded"
			reasons[i].Message = new(strings.TrimPrefix(err.Error(), api.ProvisionedThroughputExceededException.Code+": "))
		}
	}
	if !refused {
		return nil
	}
	for i := range codes {
		reasons[i].Code = &codes[i]
	}
	return api.TransactionCanceledException.New("Transaction cancelled, please refer cancellation reasons for specific reasons [%s]",
		strings.Join(codes, ", ")).With("CancellationReasons", reasons)
}

// ExecuteStatement is the service's, within the table's throughput.
func (t *Throttled) ExecuteStatement(ctx context.Context, in *api.ExecuteStatementInput) (*api.ExecuteStatementOutput, error) {
	st, err := parseStatement(in.Statement, in.Parameters)
	if err != nil {
		return nil, err
	}
	_, reads := st.(*partiql.Select)
	var index *string
	if from := st.From(); from.Index != "" {
		index = &from.Index
	}
	if err := t.admit(ctx, new(st.From().Table), index, !reads); err != nil {
		return nil, err
	}
	asked := detailed(&in.ReturnConsumedCapacity)
	out, err := t.Service.ExecuteStatement(ctx, in)
	if err == nil {
		out.ConsumedCapacity = t.charge(ctx, asked, !reads, out.ConsumedCapacity)
	}
	return out, err
}

// BatchExecuteStatement runs what it is given; what it takes is missing to those that come later.
func (t *Throttled) BatchExecuteStatement(ctx context.Context, in *api.BatchExecuteStatementInput) (*api.BatchExecuteStatementOutput, error) {
	asked := detailed(&in.ReturnConsumedCapacity)
	out, err := t.Service.BatchExecuteStatement(ctx, in)
	if err == nil {
		out.ConsumedCapacity = t.chargeAll(ctx, asked, writesAny(len(in.Statements), func(i int) *string { return in.Statements[i].Statement }), out.ConsumedCapacity)
	}
	return out, err
}

// ExecuteTransaction runs what it is given; what it takes is missing to those that come later.
func (t *Throttled) ExecuteTransaction(ctx context.Context, in *api.ExecuteTransactionInput) (*api.ExecuteTransactionOutput, error) {
	asked := detailed(&in.ReturnConsumedCapacity)
	out, err := t.Service.ExecuteTransaction(ctx, in)
	if err == nil {
		out.ConsumedCapacity = t.chargeAll(ctx, asked, writesAny(len(in.TransactStatements), func(i int) *string { return in.TransactStatements[i].Statement }), out.ConsumedCapacity)
	}
	return out, err
}

// writesAny says whether statements, all of which read or all of which do not, write.
func writesAny(n int, statement func(int) *string) bool {
	return n > 0 && !strings.HasPrefix(strings.ToUpper(strings.TrimSpace(awsapi.Val(statement(0)))), "SELECT")
}
