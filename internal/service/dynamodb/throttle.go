package dynamodb

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/partiql"
	"cirro/internal/service/dynamodb/table"
)

// Throttled is the service with provisioned throughput enforced: what a table, or a global index, has not consumed
// is kept for five minutes, and an operation that finds nothing left is refused. How much is left is in memory alone,
// full at the start. Tables on demand have no bounds.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
type Throttled struct {
	*Service

	mu      sync.Mutex
	buckets map[bucketKey]*bucket
}

var _ api.API = (*Throttled)(nil)

// NewThrottled makes it.
func NewThrottled(s *Service) *Throttled {
	return &Throttled{Service: s, buckets: map[bucketKey]*bucket{}}
}

// burst is how many seconds' worth of capacity a bucket holds.
const burst = 300

// bucketKey is a kind of capacity of a table, or of an index where it has a name.
type bucketKey struct {
	ref    table.Ref
	index  string
	writes bool
}

// bucket is capacity units at hand. They may be less than none after an operation that took more than it found.
type bucket struct {
	units float64
	asOf  time.Time
}

// fill adds what has come since.
func (b *bucket) fill(rate float64, now time.Time) {
	b.units = min(b.units+rate*now.Sub(b.asOf).Seconds(), rate*burst)
	b.asOf = now
}

// quota is a bucket's rate in units a second; false where there is no bound.
func quota(r *table.Record, index string, writes bool) (rate float64, bounded bool) {
	if isOnDemand(r) {
		return 0, false
	}
	d := r.API.ProvisionedThroughput
	if index != "" {
		i := globalIndex(r, index)
		if i < 0 {
			return 0, false
		}
		d = r.API.GlobalSecondaryIndexes[i].ProvisionedThroughput
	}
	units := d.ReadCapacityUnits
	if writes {
		units = d.WriteCapacityUnits
	}
	return float64(awsapi.Val(units)), true
}

// left says whether a bucket has anything.
func (t *Throttled) left(r *table.Record, index string, writes bool) bool {
	rate, bounded := quota(r, index, writes)
	if !bounded {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bucket(r, index, writes, rate).units > 0
}

func (t *Throttled) bucket(r *table.Record, index string, writes bool, rate float64) *bucket {
	key, now := bucketKey{r.Ref, index, writes}, t.Clock()
	b := t.buckets[key]
	if b == nil {
		b = &bucket{rate * burst, now}
		t.buckets[key] = b
	}
	b.fill(rate, now)
	return b
}

// admit refuses an operation on a table whose capacity is used up: its own, that of the index that is read, or that
// of any index where it writes.
func (t *Throttled) admit(ctx context.Context, name, index *string, writes bool) error {
	d, err := t.describe(ctx, name)
	if err != nil {
		return nil // the operation itself says what is wrong
	}
	r := d.Record
	global := index != nil && globalIndex(r, *index) >= 0
	if !global && !t.left(r, "", writes) {
		return exceeded("The level of configured provisioned throughput for the table was exceeded. " +
			"Consider increasing your provisioning level with the UpdateTable API.")
	}
	for _, x := range r.API.GlobalSecondaryIndexes {
		concerns := writes || index != nil && *x.IndexName == *index
		if concerns && !t.left(r, *x.IndexName, writes) {
			return exceeded("The level of configured provisioned throughput for one or more global secondary indexes of the table was exceeded. " +
				"Consider increasing your provisioning level for the under-provisioned global secondary indexes with the UpdateTable API")
		}
	}
	return nil
}

func exceeded(message string) error {
	return api.ProvisionedThroughputExceededException.New("%s", message)
}

// charge takes what an operation consumed, and leaves of the report what was asked for.
func (t *Throttled) charge(ctx context.Context, asked *string, writes bool, c *api.ConsumedCapacity) *api.ConsumedCapacity {
	if c == nil {
		return nil
	}
	if d, err := t.describe(ctx, c.TableName); err == nil {
		own := awsapi.Val(c.Table).CapacityUnits
		t.take(d.Record, "", writes, awsapi.Val(own))
		for _, local := range c.LocalSecondaryIndexes {
			t.take(d.Record, "", writes, awsapi.Val(local.CapacityUnits))
		}
		for name, global := range c.GlobalSecondaryIndexes {
			t.take(d.Record, name, writes, awsapi.Val(global.CapacityUnits))
		}
	}
	switch awsapi.Val(asked) {
	case api.ReturnConsumedCapacityIndexes:
		return c
	case api.ReturnConsumedCapacityTotal:
		c.Table, c.LocalSecondaryIndexes, c.GlobalSecondaryIndexes = nil, nil, nil
		return c
	}
	return nil
}

func (t *Throttled) take(r *table.Record, index string, writes bool, units float64) {
	rate, bounded := quota(r, index, writes)
	if !bounded {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bucket(r, index, writes, rate).units -= units
}

func (t *Throttled) chargeAll(ctx context.Context, asked *string, writes bool, all []api.ConsumedCapacity) (left []api.ConsumedCapacity) {
	for i := range all {
		if c := t.charge(ctx, asked, writes, &all[i]); c != nil {
			left = append(left, *c)
		}
	}
	return left
}

// detailed asks for the report that charge needs.
func detailed(asked **string) (was *string) {
	was, *asked = *asked, new(api.ReturnConsumedCapacityIndexes)
	return was
}

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
