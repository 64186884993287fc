package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/standing"
	"cirro/internal/store/pebble"
)

// itemRig is a service over a real store.
type itemRig struct {
	*Service
	testing.TB
	ctx   context.Context
	clock *standing.Clock
}

func newItemRig(t testing.TB) *itemRig {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{CacheBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	r := &itemRig{TB: t, clock: standing.At(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
	r.Service = New(Deps{Store: st, Clock: r.clock.Now, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		if err := errors.Join(r.Service.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	})
	r.ctx = requestContext()
	return r
}

// requestContext is that of a request of the default account.
func requestContext() context.Context {
	return awsapi.WithRequest(context.Background(), &awsapi.Request{Region: "eu-west-1", Principal: awsapi.RootPrincipal(awsapi.DefaultAccount, "test")})
}

// do calls the operation with an input in JSON, and returns its output as JSON, or its error as "Code: message".
func (r *itemRig) do(operation, input string) string {
	r.Helper()
	op := api.Service.Operation(operation)
	in := op.New()
	if err := json.Unmarshal([]byte(input), in); err != nil {
		r.Fatalf("%s: %v", input, err)
	}
	out, err := op.Call(r.ctx, r.Service, in)
	if err != nil {
		return err.Error()
	}
	return compact(r, out)
}

// compact is a value as JSON without what is empty.
func compact(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	b, err = json.Marshal(prune(tree))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func prune(v any) any {
	if m, ok := v.(map[string]any); ok {
		for k, e := range m {
			if e == nil {
				delete(m, k)
			} else {
				m[k] = prune(e)
			}
		}
	}
	if l, ok := v.([]any); ok {
		for i := range l {
			l[i] = prune(l[i])
		}
	}
	return v
}

// must is do for what has to work.
func (r *itemRig) must(operation, input string) string {
	r.Helper()
	out := r.do(operation, input)
	if !strings.HasPrefix(out, "{") {
		r.Fatalf("%s(%s): %s", operation, input, out)
	}
	return out
}

// want compares two JSON texts by what they say.
func want(t testing.TB, what, got, want string) {
	t.Helper()
	if !strings.HasPrefix(want, "{") {
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", what, got, want)
		}
		return
	}
	var g, w any
	if json.Unmarshal([]byte(got), &g) != nil {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
		return
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

// tables of the tests: t has a hash key, s a sort key too and indexes of every kind.
const (
	tableT = `{"TableName":"ttt","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}]}`
	tableS = `{"TableName":"sss","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"N"},
		{"AttributeName":"l","AttributeType":"S"},{"AttributeName":"g","AttributeType":"S"},{"AttributeName":"h","AttributeType":"N"}],
		"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],
		"LocalSecondaryIndexes":[{"IndexName":"local","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"l","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}],
		"GlobalSecondaryIndexes":[{"IndexName":"all","KeySchema":[{"AttributeName":"g","KeyType":"HASH"},{"AttributeName":"h","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}},
			{"IndexName":"some","KeySchema":[{"AttributeName":"g","KeyType":"HASH"}],"Projection":{"ProjectionType":"INCLUDE","NonKeyAttributes":["x"]}}]}`
)

// step is one call of a test, and what it answers.
type step struct{ operation, input, want string }

func (r *itemRig) run(steps []step) {
	r.Helper()
	for _, s := range steps {
		want(r, s.operation+"("+s.input+")", r.do(s.operation, s.input), s.want)
	}
}

func TestPutGetDelete(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableT)
	r.run([]step{
		{"PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"},"n":{"N":"01.50"}}}`, `{}`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}}}`, `{"Item":{"id":{"S":"a"},"n":{"N":"1.5"}}}`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"S":"b"}}}`, `{}`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"ProjectionExpression":"#n","ExpressionAttributeNames":{"#n":"n"}}`, `{"Item":{"n":{"N":"1.5"}}}`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"AttributesToGet":["n"]}`, `{"Item":{"n":{"N":"1.5"}}}`},
		{"PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"},"v":{"BOOL":true}},"ReturnValues":"ALL_OLD"}`, `{"Attributes":{"id":{"S":"a"},"n":{"N":"1.5"}}}`},
		{"PutItem", `{"TableName":"ttt","Item":{"id":{"S":"c"}},"ReturnValues":"ALL_OLD"}`, `{}`},
		{"PutItem", `{"TableName":"ttt","Item":{"id":{"S":"c"}},"ReturnValues":"ALL_NEW"}`, `ValidationException: 1 validation error detected: ReturnValues can only be ALL_OLD or NONE`},
		{"PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"}},"ConditionExpression":"attribute_not_exists(id)"}`, `ConditionalCheckFailedException: The conditional request failed`},
		{"PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"}},"Expected":{"id":{"Exists":false}}}`, `ConditionalCheckFailedException: The conditional request failed`},
		{"PutItem", `{"TableName":"ttt","Item":{"id":{"S":"d"}},"Expected":{"id":{"Exists":false}}}`, `{}`},
		{"DeleteItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"ConditionExpression":"v = :f","ExpressionAttributeValues":{":f":{"BOOL":false}}}`, `ConditionalCheckFailedException: The conditional request failed`},
		{"DeleteItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"ReturnValues":"ALL_OLD"}`, `{"Attributes":{"id":{"S":"a"},"v":{"BOOL":true}}}`},
		{"DeleteItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"ReturnValues":"ALL_OLD"}`, `{}`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}}}`, `{}`},
		{"GetItem", `{"TableName":"arn:aws:dynamodb:eu-west-1:000000000000:table/ttt","Key":{"id":{"S":"d"}}}`, `{"Item":{"id":{"S":"d"}}}`},
		{"GetItem", `{"TableName":"none","Key":{"id":{"S":"d"}}}`, `ResourceNotFoundException: Requested resource not found`},
		{"DescribeTable", `{"TableName":"none"}`, `ResourceNotFoundException: Requested resource not found: Table: none not found`},
		{"DeleteTable", `{"TableName":"none"}`, `ResourceNotFoundException: Requested resource not found: Table: none not found`},
		{"CreateTable", tableT, `ResourceInUseException: Table already exists: ttt`},
	})
	r.must("DeleteTable", `{"TableName":"ttt"}`)
	r.must("CreateTable", tableT)
	r.run([]step{{"Scan", `{"TableName":"ttt"}`, `{"Items":[],"Count":0,"ScannedCount":0}`}})
}

// The words of what keys and items may not be.
func TestKeyErrors(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableT)
	r.must("CreateTable", tableS)
	long := func(n int) string { return strings.Repeat("x", n) }
	const invalid = "ValidationException: One or more parameter values were invalid: "
	r.run([]step{
		{"GetItem", `{"TableName":"ttt","Key":{}}`, `ValidationException: The provided key element does not match the schema`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"N":"1"}}}`, `ValidationException: The provided key element does not match the schema`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"S":"1"},"x":{"S":"1"}}}`, `ValidationException: The provided key element does not match the schema`},
		{"DeleteItem", `{"TableName":"ttt","Key":{"ix":{"S":"1"}}}`, `ValidationException: The provided key element does not match the schema`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"S":""}}}`, `ValidationException: One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: id`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"S":"` + long(2049) + `"}}}`, invalid + `Size of hashkey has exceeded the maximum size limit of2048 bytes`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"S":"` + long(2048) + `"}}}`, `{}`},
		{"PutItem", `{"TableName":"ttt","Item":{"x":{"S":"1"}}}`, invalid + `Missing the key id in the item`},
		{"PutItem", `{"TableName":"ttt","Item":{"id":{"N":"1"}}}`, invalid + `Type mismatch for key id expected: S actual: N`},
		{"PutItem", `{"TableName":"ttt","Item":{"id":{"S":""}}}`, `ValidationException: One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: id`},
		{"PutItem", `{"TableName":"sss","Item":{"pk":{"S":"a"}}}`, invalid + `Missing the key sk in the item`},
		{"PutItem", `{"TableName":"sss","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"g":{"N":"1"}}}`, invalid + `Type mismatch for Index Key g Expected: S Actual: N IndexName: all`},
		{"PutItem", `{"TableName":"sss","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"g":{"S":""}}}`,
			`ValidationException: One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: all, IndexKey: g`},
		{"PutItem", `{"TableName":"sss","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"l":{"S":"` + long(1025) + `"}}}`, invalid + `Aggregated size of all range keys has exceeded the size limit of 1024 bytes`},
		{"PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"},"x":{"S":"` + long(400<<10-4) + `"}}}`, `{}`},
		{"PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"},"x":{"S":"` + long(400<<10-3) + `"}}}`, `ValidationException: Item size has exceeded the maximum allowed size`},
		{"UpdateItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"UpdateExpression":"SET y = :y","ExpressionAttributeValues":{":y":{"S":"y"}}}`, `ValidationException: Item size to update has exceeded the maximum allowed size`},
		{"UpdateItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"UpdateExpression":"SET id = :y","ExpressionAttributeValues":{":y":{"S":"y"}}}`, invalid + `Cannot update attribute id. This attribute is part of the key`},
		{"UpdateItem", `{"TableName":"sss","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"UpdateExpression":"SET g = :y","ExpressionAttributeValues":{":y":{"N":"1"}}}`,
			invalid + `Type mismatch for Index Key g Expected: S Actual: N IndexName: all`},
		{"UpdateItem", `{"TableName":"sss","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"UpdateExpression":"SET g = if_not_exists(q, :y)","ExpressionAttributeValues":{":y":{"N":"1"}}}`,
			`ValidationException: The update expression attempted to update the secondary index key to unsupported type`},
		{"UpdateItem", `{"TableName":"sss","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"UpdateExpression":"SET g = :y","ExpressionAttributeValues":{":y":{"S":""}}}`,
			`ValidationException: One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value.`},
		{"PutItem", `{"TableName":"a b","Item":{"id":{"S":"a"}}}`, `ValidationException: 1 validation error detected: Value 'a b' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"ProjectionExpression":"id.x"}`,
			`ValidationException: Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: id`},
	})
}

func TestUpdateReturns(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableT)
	update := func(key, rest string) string {
		return `{"TableName":"ttt","Key":{"id":{"S":"` + key + `"}},` + rest + `}`
	}
	const set = `"UpdateExpression":"SET n = if_not_exists(n, :o) + :o, m.x = :o","ExpressionAttributeValues":{":o":{"N":"1"}}`
	r.must("PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"},"n":{"N":"4"},"k":{"S":"k"},"m":{"M":{"x":{"N":"0"},"y":{"N":"7"}}}}}`)
	r.run([]step{
		{"UpdateItem", update("a", set+`,"ReturnValues":"UPDATED_OLD"`), `{"Attributes":{"n":{"N":"4"},"m":{"M":{"x":{"N":"0"}}}}}`},
		{"UpdateItem", update("a", set+`,"ReturnValues":"UPDATED_NEW"`), `{"Attributes":{"n":{"N":"6"},"m":{"M":{"x":{"N":"1"}}}}}`},
		{"UpdateItem", update("a", set+`,"ReturnValues":"ALL_OLD"`), `{"Attributes":{"id":{"S":"a"},"k":{"S":"k"},"n":{"N":"6"},"m":{"M":{"x":{"N":"1"},"y":{"N":"7"}}}}}`},
		{"UpdateItem", update("a", set+`,"ReturnValues":"ALL_NEW"`), `{"Attributes":{"id":{"S":"a"},"k":{"S":"k"},"n":{"N":"8"},"m":{"M":{"x":{"N":"1"},"y":{"N":"7"}}}}}`},
		{"UpdateItem", update("a", set), `{}`},
		{"UpdateItem", update("new", `"ReturnValues":"ALL_NEW"`), `{"Attributes":{"id":{"S":"new"}}}`},
		{"UpdateItem", update("b", set), `ValidationException: The document path provided in the update expression is invalid for update`},
		{"UpdateItem", update("c", `"AttributeUpdates":{"n":{"Action":"ADD","Value":{"N":"5"}}},"ReturnValues":"UPDATED_NEW"`), `{"Attributes":{"n":{"N":"5"}}}`},
		{"UpdateItem", update("d", `"UpdateExpression":"SET x = :o","ConditionExpression":"attribute_exists(id)","ExpressionAttributeValues":{":o":{"N":"1"}}`),
			`ConditionalCheckFailedException: The conditional request failed`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"S":"d"}}}`, `{}`},
	})
}

// The item that does not meet a condition is shown to who asks.
func TestConditionFailureShowsTheItem(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableT)
	r.must("PutItem", `{"TableName":"ttt","Item":{"id":{"S":"a"},"n":{"N":"4"}}}`)
	_, err := r.DeleteItem(r.ctx, &api.DeleteItemInput{TableName: new("ttt"), Key: map[string]api.AttributeValue{"id": {S: new("a")}},
		ConditionExpression: new("attribute_not_exists(n)"), ReturnValuesOnConditionCheckFailure: new("ALL_OLD")})
	var e *awsapi.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	want(t, "the item", compact(t, e.Fields["Item"]), `{"id":{"S":"a"},"n":{"N":"4"}}`)
}

func TestCapacity(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableT)
	r.must("CreateTable", tableS)
	put := func(size int) string {
		return `{"TableName":"ttt","Item":{"id":{"S":"a"},"x":{"S":"` + strings.Repeat("x", size-4) + `"}},"ReturnConsumedCapacity":"TOTAL"}`
	}
	r.run([]step{
		{"PutItem", put(1024), `{"ConsumedCapacity":{"TableName":"ttt","CapacityUnits":1}}`},
		{"PutItem", put(9000), `{"ConsumedCapacity":{"TableName":"ttt","CapacityUnits":9}}`},
		{"Scan", `{"TableName":"ttt","Select":"COUNT","ReturnConsumedCapacity":"TOTAL"}`, `{"Count":1,"ScannedCount":1,"ConsumedCapacity":{"TableName":"ttt","CapacityUnits":1.5}}`},
		{"PutItem", put(1024), `{"ConsumedCapacity":{"TableName":"ttt","CapacityUnits":9}}`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"S":"b"}},"ReturnConsumedCapacity":"TOTAL"}`, `{"ConsumedCapacity":{"TableName":"ttt","CapacityUnits":0.5}}`},
		{"GetItem", `{"TableName":"ttt","Key":{"id":{"S":"b"}},"ConsistentRead":true,"ReturnConsumedCapacity":"INDEXES"}`, `{"ConsumedCapacity":{"TableName":"ttt","CapacityUnits":1,"Table":{"CapacityUnits":1}}}`},
		{"PutItem", `{"TableName":"sss","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"l":{"S":"l"},"g":{"S":"g"},"h":{"N":"1"}},"ReturnConsumedCapacity":"INDEXES","ReturnItemCollectionMetrics":"SIZE"}`,
			`{"ConsumedCapacity":{"TableName":"sss","CapacityUnits":4,"Table":{"CapacityUnits":1},"LocalSecondaryIndexes":{"local":{"CapacityUnits":1}},"GlobalSecondaryIndexes":{"all":{"CapacityUnits":1},"some":{"CapacityUnits":1}}},
			"ItemCollectionMetrics":{"ItemCollectionKey":{"pk":{"S":"a"}},"SizeEstimateRangeGB":[0,1]}}`},
		{"UpdateItem", `{"TableName":"sss","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"UpdateExpression":"SET h = :h","ExpressionAttributeValues":{":h":{"N":"2"}},"ReturnConsumedCapacity":"INDEXES"}`,
			`{"ConsumedCapacity":{"TableName":"sss","CapacityUnits":3,"Table":{"CapacityUnits":1},"GlobalSecondaryIndexes":{"all":{"CapacityUnits":2}}}}`},
		{"TransactWriteItems", `{"TransactItems":[{"Delete":{"TableName":"sss","Key":{"pk":{"S":"a"},"sk":{"N":"1"}}}}],"ReturnConsumedCapacity":"TOTAL"}`,
			`{"ConsumedCapacity":[{"TableName":"sss","CapacityUnits":8,"WriteCapacityUnits":8}]}`},
		{"TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"ttt","Key":{"id":{"S":"b"}}}}],"ReturnConsumedCapacity":"TOTAL"}`,
			`{"Responses":[{}],"ConsumedCapacity":[{"TableName":"ttt","CapacityUnits":2,"ReadCapacityUnits":2}]}`},
	})
}
