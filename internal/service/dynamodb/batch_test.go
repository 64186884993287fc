package dynamodb

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
)

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

func TestBatch(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableT)
	r.must("CreateTable", tableS)
	r.run([]step{
		{"BatchWriteItem", `{"RequestItems":{"ttt":[{"PutRequest":{"Item":{"id":{"S":"a"}}}},{"PutRequest":{"Item":{"id":{"S":"b"}}}}],
			"sss":[{"PutRequest":{"Item":{"pk":{"S":"a"},"sk":{"N":"1"},"g":{"S":"g"}}}}]},"ReturnConsumedCapacity":"TOTAL","ReturnItemCollectionMetrics":"SIZE"}`,
			`{"UnprocessedItems":{},"ConsumedCapacity":[{"TableName":"sss","CapacityUnits":2},{"TableName":"ttt","CapacityUnits":2}],
			"ItemCollectionMetrics":{"sss":[{"ItemCollectionKey":{"pk":{"S":"a"}},"SizeEstimateRangeGB":[0,1]}]}}`},
		{"BatchGetItem", `{"RequestItems":{"ttt":{"Keys":[{"id":{"S":"a"}},{"id":{"S":"x"}}]},"sss":{"Keys":[{"pk":{"S":"a"},"sk":{"N":"1.0"}}],"ProjectionExpression":"g"}},"ReturnConsumedCapacity":"TOTAL"}`,
			`{"Responses":{"ttt":[{"id":{"S":"a"}}],"sss":[{"g":{"S":"g"}}]},"UnprocessedKeys":{},"ConsumedCapacity":[{"TableName":"sss","CapacityUnits":0.5},{"TableName":"ttt","CapacityUnits":1}]}`},
		{"BatchWriteItem", `{"RequestItems":{"ttt":[{"DeleteRequest":{"Key":{"id":{"S":"a"}}}},{"PutRequest":{"Item":{"id":{"S":"b"},"n":{"N":"1"}}}}]}}`, `{"UnprocessedItems":{}}`},
		{"BatchGetItem", `{"RequestItems":{"ttt":{"Keys":[{"id":{"S":"a"}},{"id":{"S":"b"}}]}}}`, `{"Responses":{"ttt":[{"id":{"S":"b"},"n":{"N":"1"}}]},"UnprocessedKeys":{}}`},
		{"BatchWriteItem", `{"RequestItems":{"ttt":[{"DeleteRequest":{"Key":{"id":{"S":"a"}}}},{"PutRequest":{"Item":{"id":{"S":"a"}}}}]}}`, `ValidationException: Provided list of item keys contains duplicates`},
		{"BatchGetItem", `{"RequestItems":{"ttt":{"Keys":[{"id":{"S":"a"}},{"id":{"S":"a"}}]}}}`, `ValidationException: Provided list of item keys contains duplicates`},
		{"BatchWriteItem", `{"RequestItems":{"ttt":[{"PutRequest":{"Item":{"x":{"S":"a"}}}}]}}`, `ValidationException: The provided key element does not match the schema`},
		{"BatchGetItem", `{"RequestItems":{"ttt":{"Keys":[{"id":{"S":"a"}}],"AttributesToGet":["id"]},"sss":{"Keys":[{"pk":{"S":"a"},"sk":{"N":"1"}}],"ProjectionExpression":"pk"}}}`,
			`ValidationException: Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}`},
		{"BatchWriteItem", `{"RequestItems":{"none":[{"PutRequest":{"Item":{"x":{"S":"a"}}}}]}}`, `ResourceNotFoundException: Requested resource not found`},
	})
	var writes, keys []string
	for i := range 101 {
		keys = append(keys, fmt.Sprintf(`{"id":{"S":"%d"}}`, i))
		writes = append(writes, fmt.Sprintf(`{"PutRequest":{"Item":{"id":{"S":"%d"}}}}`, i))
	}
	r.run([]step{
		{"BatchWriteItem", `{"RequestItems":{"ttt":[` + strings.Join(writes[:25], ",") + `]}}`, `{"UnprocessedItems":{}}`},
		{"BatchWriteItem", `{"RequestItems":{"ttt":[` + strings.Join(writes[:26], ",") + `]}}`, `ValidationException: Too many items requested for the BatchWriteItem call`},
		{"BatchGetItem", `{"RequestItems":{"ttt":{"Keys":[` + strings.Join(keys, ",") + `]}}}`, `ValidationException: Too many items requested for the BatchGetItem call`},
	})
}

// A reply of BatchGetItem holds 16 MB; the keys of the rest come back, and can be asked for as they are.
func TestBatchGetLeavesTheRest(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableT)
	text := strings.Repeat("x", 390<<10)
	ask := api.KeysAndAttributes{ConsistentRead: new(true)}
	for i := range 50 {
		r.must("PutItem", fmt.Sprintf(`{"TableName":"ttt","Item":{"id":{"S":"%d"},"x":{"S":"%s"}}}`, i, text))
		ask.Keys = append(ask.Keys, map[string]api.AttributeValue{"id": {S: new(fmt.Sprint(i))}})
	}
	seen := map[string]bool{}
	items, replies := map[string]api.KeysAndAttributes{"ttt": ask}, 0
	for ; len(items) > 0; replies++ {
		out, err := r.BatchGetItem(r.ctx, &api.BatchGetItemInput{RequestItems: items})
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range out.Responses["ttt"] {
			seen[*it["id"].S] = true
		}
		if left, ok := out.UnprocessedKeys["ttt"]; ok && !awsapi.Val(left.ConsistentRead) {
			t.Error("what is left lost its ConsistentRead")
		}
		items = out.UnprocessedKeys
	}
	if len(seen) != 50 || replies != 2 {
		t.Errorf("%d items in %d replies", len(seen), replies)
	}
}

func TestTransactions(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableT)
	r.must("CreateTable", tableS)
	put := func(id, rest string) string {
		return `{"Put":{"TableName":"ttt","Item":{"id":{"S":"` + id + `"}}` + rest + `}}`
	}
	transact := func(actions ...string) string { return `{"TransactItems":[` + strings.Join(actions, ",") + `]}` }
	const update = `{"Update":{"TableName":"sss","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"UpdateExpression":"SET n = n + :o","ExpressionAttributeValues":{":o":{"N":"1"}}}}`
	const cancelled = `TransactionCanceledException: Transaction cancelled, please refer cancellation reasons for specific reasons `
	r.must("PutItem", `{"TableName":"sss","Item":{"pk":{"S":"a"},"sk":{"N":"1"},"n":{"N":"1"}}}`)
	r.run([]step{
		{"TransactWriteItems", transact(put("a", ""), update), `{}`},
		{"TransactWriteItems", transact(update, put("a", `,"ConditionExpression":"attribute_not_exists(id)"`), put("b", "")), cancelled + `[None, ConditionalCheckFailed, None]`},
		{"TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"ttt","Key":{"id":{"S":"b"}}}},{"Get":{"TableName":"sss","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"ProjectionExpression":"n"}}]}`,
			`{"Responses":[{},{"Item":{"n":{"N":"2"}}}]}`},
		{"TransactWriteItems", transact(`{"ConditionCheck":{"TableName":"ttt","Key":{"id":{"S":"a"}},"ConditionExpression":"attribute_exists(id)"}}`, `{"Delete":{"TableName":"sss","Key":{"pk":{"S":"a"},"sk":{"N":"1"}}}}`), `{}`},
		{"GetItem", `{"TableName":"sss","Key":{"pk":{"S":"a"},"sk":{"N":"1"}}}`, `{}`},
		{"TransactWriteItems", transact(update, put("z", "")), cancelled + `[ValidationError, None]`},
		{"TransactWriteItems", transact(put("a", ""), put("a", "")), `ValidationException: Transaction request cannot include multiple operations on one item`},
		{"TransactWriteItems", transact(put("a", ""), `{"Put":{"TableName":"arn:aws:dynamodb:eu-west-1:000000000000:table/ttt","Item":{"id":{"S":"a"}}}}`), `ValidationException: Transaction request cannot include multiple operations on one item`},
		{"TransactWriteItems", `{"TransactItems":[{}]}`, `ValidationException: TransactItems can only contain one of Check, Put, Update or Delete`},
		{"TransactWriteItems", transact(`{"Put":{"TableName":"none","Item":{"id":{"S":"a"}}}}`), `ResourceNotFoundException: Requested resource not found`},
		{"TransactWriteItems", transact(put("b", ""), `{"Put":{"TableName":"ttt","Item":{"x":{"S":"a"}}}}`), cancelled + `[None, ValidationError]`},
		{"TransactWriteItems", transact(put("", "")), `ValidationException: One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: id`},
		{"TransactWriteItems", transact(`{"Put":{"TableName":"ttt","Item":{"id":{"S":"a"},"x":{"S":"` + strings.Repeat("x", 400<<10) + `"}}}}`), `ValidationException: Item size has exceeded the maximum allowed size`},
		{"TransactWriteItems", transact(`{"Update":{"TableName":"sss","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"UpdateExpression":"SET g = :o","ExpressionAttributeValues":{":o":{"N":"1"}}}}`), cancelled + `[ValidationError]`},
		{"TransactWriteItems", transact(`{"Update":{"TableName":"sss","Key":{"pk":{"S":"a"},"sk":{"N":"1"}},"UpdateExpression":"SET g = :o","ExpressionAttributeValues":{":o":{"S":""}}}}`),
			`ValidationException: One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value.`},
		{"TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"ttt","Key":{"id":{"S":"b"}}}},{"Get":{"TableName":"ttt","Key":{"id":{"S":"b"}}}}]}`,
			`ValidationException: Transaction request cannot include multiple operations on one item`},
	})
	r.run([]step{
		{"TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"ttt","Key":{"id":{"S":""}}}}]}`,
			`ValidationException: One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: id`},
		{"TransactGetItems", `{"TransactItems":[{"Get":{"TableName":"ttt","Key":{"id":{"S":"a"}}}},{"Get":{"TableName":"ttt","Key":{}}}]}`, cancelled + `[None, ValidationError]`},
	})
	_, err := r.TransactWriteItems(r.ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
		{Put: &api.Put{TableName: new("ttt"), Item: map[string]api.AttributeValue{"id": {S: new("q")}}}},
		{Delete: &api.Delete{TableName: new("ttt"), Key: map[string]api.AttributeValue{"id": {S: new("a")}}, ConditionExpression: new("attribute_not_exists(id)"),
			ReturnValuesOnConditionCheckFailure: new("ALL_OLD")}}}})
	var e *awsapi.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	want(t, "the reasons", compact(t, map[string]any{"R": e.Fields["CancellationReasons"]}),
		`{"R":[{"Code":"None"},{"Code":"ConditionalCheckFailed","Message":"The conditional request failed","Item":{"id":{"S":"a"}}}]}`)
}

// A transaction with a token is done once, for ten minutes.
func TestTransactionToken(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableT)
	add := func(token, n string) string {
		return `{"ClientRequestToken":"` + token + `","TransactItems":[{"Update":{"TableName":"ttt","Key":{"id":{"S":"a"}},"UpdateExpression":"ADD n :n","ExpressionAttributeValues":{":n":{"N":"` + n + `"}}}}]}`
	}
	n := func(n string) step {
		return step{"GetItem", `{"TableName":"ttt","Key":{"id":{"S":"a"}},"ProjectionExpression":"n"}`, `{"Item":{"n":{"N":"` + n + `"}}}`}
	}
	r.run([]step{
		{"TransactWriteItems", add("one", "1"), `{}`},
		{"TransactWriteItems", add("one", "1"), `{}`},
		n("1"),
		{"TransactWriteItems", add("one", "2"), `IdempotentParameterMismatchException: DynamoDB rejected the request because you retried a request with a different payload but with an idempotent token that was already used.`},
		{"TransactWriteItems", add("two", "2"), `{}`},
		n("3"),
	})
	for range 3 {
		r.clock.Add(3 * time.Minute)
		if err := r.forgetTokens(r.ctx); err != nil {
			t.Fatal(err)
		}
		r.run([]step{{"TransactWriteItems", add("one", "1"), `{}`}, n("3")})
	}
	r.clock.Add(2 * time.Minute)
	r.run([]step{{"TransactWriteItems", add("one", "1"), `{}`}, n("4")})
}
