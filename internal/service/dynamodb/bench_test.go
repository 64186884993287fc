package dynamodb

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	api "cirro/internal/awsapi/dynamodb"
)

// benchItems are how many items the benchmarks' table has, 20 of each hash key.
const benchItems = 20_000

func benchKey(n int) map[string]api.AttributeValue {
	return map[string]api.AttributeValue{"pk": {S: new(fmt.Sprintf("q%08d", n/20))}, "sk": {S: new(fmt.Sprintf("%03d", n%20))}}
}

func benchItem(n int) map[string]api.AttributeValue {
	it := benchKey(n)
	it["n"], it["name"], it["text"] = api.AttributeValue{N: new("1")}, api.AttributeValue{S: new("order")}, api.AttributeValue{S: new(strings.Repeat("x", 200))}
	return it
}

// BenchmarkOperations is what operations cost without the front door, 32 at a time.
func BenchmarkOperations(b *testing.B) {
	r := newItemRig(b)
	r.must("CreateTable", `{"TableName":"bench","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"S"}],
		"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}]}`)
	for n := 0; n < benchItems; n += 20 {
		in := &api.BatchWriteItemInput{RequestItems: map[string][]api.WriteRequest{}}
		for i := range 20 {
			in.RequestItems["bench"] = append(in.RequestItems["bench"], api.WriteRequest{PutRequest: &api.PutRequest{Item: benchItem(n + i)}})
		}
		if _, err := r.BatchWriteItem(r.ctx, in); err != nil {
			b.Fatal(err)
		}
	}
	name := new("bench")
	for _, op := range []struct {
		name string
		do   func(n int) error
	}{
		{"PutItem", func(n int) error {
			_, err := r.PutItem(r.ctx, &api.PutItemInput{TableName: name, Item: benchItem(n)})
			return err
		}},
		{"GetItem", func(n int) error {
			_, err := r.GetItem(r.ctx, &api.GetItemInput{TableName: name, Key: benchKey(n)})
			return err
		}},
		{"UpdateItem", func(n int) error {
			_, err := r.UpdateItem(r.ctx, &api.UpdateItemInput{TableName: name, Key: benchKey(n), UpdateExpression: new("SET n = n + :one"),
				ConditionExpression: new("attribute_exists(pk)"), ExpressionAttributeValues: map[string]api.AttributeValue{":one": {N: new("1")}}})
			return err
		}},
		{"UpdateItemOfOne", func(int) error { // all of the same item
			_, err := r.UpdateItem(r.ctx, &api.UpdateItemInput{TableName: name, Key: benchKey(0), UpdateExpression: new("ADD hits :one"),
				ExpressionAttributeValues: map[string]api.AttributeValue{":one": {N: new("1")}}})
			return err
		}},
		{"Query", func(n int) error {
			out, err := r.Query(r.ctx, &api.QueryInput{TableName: name, KeyConditionExpression: new("pk = :pk"),
				ExpressionAttributeValues: map[string]api.AttributeValue{":pk": benchKey(n)["pk"]}})
			if err == nil && len(out.Items) != 20 {
				err = fmt.Errorf("%d items", len(out.Items))
			}
			return err
		}},
		{"TransactWriteItems", func(n int) error {
			in := &api.TransactWriteItemsInput{ClientRequestToken: new(strconv.Itoa(n) + b.Name())}
			for i := range 4 {
				in.TransactItems = append(in.TransactItems, api.TransactWriteItem{Put: &api.Put{TableName: name, Item: benchItem((n + i*1009) % benchItems)}})
			}
			_, err := r.TransactWriteItems(r.ctx, in)
			return err
		}},
	} {
		b.Run(op.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(16)
			var next atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					n := int(next.Add(1))
					if err := op.do(n * 7919 % benchItems); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
