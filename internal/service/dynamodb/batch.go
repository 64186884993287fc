package dynamodb

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// Limits of batches.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
const (
	maxBatchGets   = 100
	maxBatchWrites = 25
	maxBatchReply  = 16 << 20 // bytes of items
)

// lookup is a key to read for BatchGetItem.
type lookup struct {
	name string
	ask  map[string]api.AttributeValue
	key  table.Key
}

// BatchGetItem reads items of several tables, all as of one moment. Those that do not fit into the reply are in
// UnprocessedKeys.
func (s *Service) BatchGetItem(ctx context.Context, in *api.BatchGetItemInput) (*api.BatchGetItemOutput, error) {
	names := slices.Sorted(maps.Keys(in.RequestItems))
	reads, err := parseBatch(names, in.RequestItems)
	if err != nil {
		return nil, err
	}
	all, err := s.useAll(ctx, names)
	if err != nil {
		return nil, err
	}
	defer all.end()
	var lookups []lookup
	for _, name := range names {
		t := all.byName[name]
		if err := reads[name].check(t); err != nil {
			return nil, err
		}
		seen := map[string]bool{}
		for _, ask := range in.RequestItems[name].Keys {
			_, k, err := keyOf(t, ask, item.Current)
			if err != nil {
				return nil, err
			}
			if seen[string(k)] {
				return nil, invalid("Provided list of item keys contains duplicates")
			}
			seen[string(k)] = true
			lookups = append(lookups, lookup{name, ask, k})
		}
	}
	out := &api.BatchGetItemOutput{Responses: map[string][]map[string]api.AttributeValue{}, UnprocessedKeys: map[string]api.KeysAndAttributes{}}
	for _, name := range names {
		out.Responses[name] = []map[string]api.AttributeValue{}
	}
	used := meters{}
	err = s.Store.View(ctx, func(r store.Reader) error {
		size := 0
		for _, l := range lookups {
			it, err := all.byName[l.name].Get(r, l.key)
			if err != nil {
				return err
			}
			if size += it.Size(); size > maxBatchReply {
				leave(out, in, l)
				continue
			}
			used.of(in.ReturnConsumedCapacity, l.name, false, 1).read(nil, it.Size(), awsapi.Val(in.RequestItems[l.name].ConsistentRead))
			if it != nil {
				out.Responses[l.name] = append(out.Responses[l.name], reads[l.name].project(it).API())
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.ConsumedCapacity = used.report()
	return out, nil
}

func parseBatch(names []string, items map[string]api.KeysAndAttributes) (map[string]*parsed, error) {
	reads, n := make(map[string]*parsed, len(names)), 0
	var expression *string
	var attributes []string
	for _, name := range names {
		ask := items[name]
		expression, attributes = cmp.Or(expression, ask.ProjectionExpression), append(attributes, ask.AttributesToGet...)
		x, err := (&expressions{operation: opGet, Projection: ask.ProjectionExpression, Names: ask.ExpressionAttributeNames, Attributes: ask.AttributesToGet}).parse()
		if err != nil {
			return nil, err
		}
		reads[name] = x
		n += len(ask.Keys)
	}
	// Tables must not differ in how they name the attributes, either.
	mixed := &expressions{operation: opGet, Projection: expression, Attributes: attributes}
	if err := mixed.checkMix(); err != nil {
		return nil, err
	}
	if n > maxBatchGets {
		return nil, invalid("Too many items requested for the BatchGetItem call")
	}
	return reads, nil
}

// leave leaves a key for another request.
func leave(out *api.BatchGetItemOutput, in *api.BatchGetItemInput, l lookup) {
	left, ok := out.UnprocessedKeys[l.name]
	if !ok {
		left = in.RequestItems[l.name]
		left.Keys = nil
	}
	left.Keys = append(left.Keys, l.ask)
	out.UnprocessedKeys[l.name] = left
}

// BatchWriteItem puts and deletes items of several tables. Here all of them are one transaction, which AWS does
// not promise; none is ever left unprocessed.
func (s *Service) BatchWriteItem(ctx context.Context, in *api.BatchWriteItemInput) (*api.BatchWriteItemOutput, error) {
	names, n := slices.Sorted(maps.Keys(in.RequestItems)), 0
	for _, name := range names {
		n += len(in.RequestItems[name])
		for _, w := range in.RequestItems[name] {
			if (w.PutRequest == nil) == (w.DeleteRequest == nil) {
				return nil, invalid("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
			}
		}
	}
	if n > maxBatchWrites {
		return nil, invalid("Too many items requested for the BatchWriteItem call")
	}
	all, err := s.useAll(ctx, names)
	if err != nil {
		return nil, err
	}
	defer all.end()
	var changes []named
	for _, name := range names {
		seen := map[string]bool{}
		for _, w := range in.RequestItems[name] {
			c, err := batched(all.byName[name], w)
			if err != nil {
				return nil, err
			}
			if seen[string(c.key)] {
				return nil, invalid("Provided list of item keys contains duplicates")
			}
			seen[string(c.key)] = true
			changes = append(changes, named{c, name})
		}
	}
	used := meters{}
	outcomes := make([]outcome, len(changes))
	err = s.Store.Update(ctx, func(tx store.Tx) (err error) {
		if err := check(tx, changes); err != nil {
			return err
		}
		for i, c := range changes {
			c.curious = in.ReturnConsumedCapacity != nil
			if outcomes[i], err = c.run(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &api.BatchWriteItemOutput{UnprocessedItems: map[string][]api.WriteRequest{}}
	for i, c := range changes {
		used.of(in.ReturnConsumedCapacity, c.name, true, 1).wrote(c.table, outcomes[i].old, outcomes[i].now)
		out.ItemCollectionMetrics = collect(out.ItemCollectionMetrics, in.ReturnItemCollectionMetrics, c)
	}
	out.ConsumedCapacity = used.report()
	return out, nil
}

// named is a change of a table by the name that the request has.
type named struct {
	*change
	name string
}

// batched is the change that a request of a batch asks for.
func batched(t *table.Table, w api.WriteRequest) (*change, error) {
	if w.DeleteRequest != nil {
		key, k, err := keyOf(t, w.DeleteRequest.Key, item.Older)
		return &change{table: t, action: deleting, key: k, attrs: key}, err
	}
	it, err := item.Older.FromAPI(w.PutRequest.Item)
	if err != nil {
		return nil, err
	}
	for i, a := range t.Schema.Attributes() {
		v, has := it[a.Name]
		if !has || v.Kind != a.Kind {
			return nil, errSchema()
		}
		if err := checkKeyValue(a.Name, v, i == 0); err != nil {
			return nil, err
		}
	}
	if err := checkItem(t, it); err != nil {
		return nil, err
	}
	k, err := t.KeyOf(it)
	return &change{table: t, action: putting, key: k, attrs: it}, err
}

// collect adds the metrics of a change to those of an operation.
func collect(to map[string][]api.ItemCollectionMetrics, asked *string, c named) map[string][]api.ItemCollectionMetrics {
	m := collection(asked, c.table, c.attrs)
	if m == nil {
		return to
	}
	if to == nil {
		to = map[string][]api.ItemCollectionMetrics{}
	}
	to[c.name] = append(to[c.name], *m)
	return to
}
