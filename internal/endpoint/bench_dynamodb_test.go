package endpoint_test

import (
	"context"
	"strings"
	"testing"

	"cirro/internal/awsapi/dynamodb"
	"cirro/internal/endpoint"
)

// table answers every GetItem with the item of the latest PutItem.
type table struct {
	dynamodb.Unimplemented
	item map[string]dynamodb.AttributeValue
}

func (t *table) PutItem(_ context.Context, in *dynamodb.PutItemInput) (*dynamodb.PutItemOutput, error) {
	t.item = in.Item
	return &dynamodb.PutItemOutput{}, nil
}

func (t *table) GetItem(context.Context, *dynamodb.GetItemInput) (*dynamodb.GetItemOutput, error) {
	return &dynamodb.GetItemOutput{Item: t.item}, nil
}

func (t *table) Query(context.Context, *dynamodb.QueryInput) (*dynamodb.QueryOutput, error) {
	out := &dynamodb.QueryOutput{Count: new(int32(20))}
	for range 20 {
		out.Items = append(out.Items, t.item)
	}
	return out, nil
}

// BenchmarkDynamoDB is what the front door costs an item: written, read, and in a page of 20.
func BenchmarkDynamoDB(b *testing.B) {
	item := `{"pk":{"S":"k00000001"},"sk":{"S":"0"},"n":{"N":"1"},"name":{"S":"order"},"text":{"S":"` + strings.Repeat("x", 200) + `"}}`
	e := newEndpoint(b, endpoint.Options{})
	e.Register(&dynamodb.Service, &table{})
	for _, c := range []struct{ operation, body string }{
		{"PutItem", `{"TableName":"bench","Item":` + item + `}`},
		{"GetItem", `{"TableName":"bench","Key":{"pk":{"S":"k00000001"},"sk":{"S":"0"}}}`},
		{"Query", `{"TableName":"bench","KeyConditionExpression":"pk = :pk","ExpressionAttributeValues":{":pk":{"S":"q00000001"}}}`},
	} {
		b.Run(c.operation, func(b *testing.B) {
			benchmarkOn(b, e, "POST", "/", c.body, append(signedAs("dynamodb"),
				"Content-Type", "application/x-amz-json-1.0", "X-Amz-Target", "DynamoDB_20120810."+c.operation)...)
		})
	}
}
