package dynamodb

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
)

func TestThrottling(t *testing.T) {
	p := newPlane(t)
	start := time.Now()
	var ahead time.Duration
	p.Service = New(Deps{Store: p.Store, Clock: func() time.Time { return start.Add(ahead) }}) // it stands still
	units := func(n int64) *api.ProvisionedThroughput {
		return &api.ProvisionedThroughput{ReadCapacityUnits: &n, WriteCapacityUnits: &n}
	}
	p.create("bounded", func(in *api.CreateTableInput) { in.BillingMode, in.ProvisionedThroughput = nil, units(1) })
	p.create("free", nil)
	p.create("indexed", func(in *api.CreateTableInput) {
		in.BillingMode, in.ProvisionedThroughput = nil, units(100)
		in.AttributeDefinitions = definitions("id", "v")
		in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{{IndexName: new("by-v"), KeySchema: keySchema("v"), ProvisionedThroughput: units(1),
			Projection: &api.Projection{ProjectionType: new("KEYS_ONLY")}}}
	})
	s := NewThrottled(p.Service)
	put := func(table, id string, returns *string) (*api.PutItemOutput, error) {
		return s.PutItem(p.ctx, &api.PutItemInput{TableName: &table, ReturnConsumedCapacity: returns,
			Item: map[string]api.AttributeValue{"id": {S: &id}, "v": {S: &id}}})
	}
	until := func(table string) (n int) {
		t.Helper()
		for n = 0; n < 2*burst; n++ {
			if _, err := put(table, fmt.Sprint(n), nil); err != nil {
				fails(t, err, api.ProvisionedThroughputExceededException, "The level of configured provisioned throughput for")
				return n
			}
		}
		return n
	}
	if n := until("bounded"); n != burst {
		t.Errorf("%d writes at 1 unit a second", n)
	}
	if n := until("free"); n != 2*burst {
		t.Errorf("%d writes on demand", n)
	}
	if n := until("indexed"); n != burst {
		t.Errorf("%d writes with an index of 1 unit a second", n)
	}
	_, err := put("indexed", "x", nil)
	fails(t, err, api.ProvisionedThroughputExceededException, "one or more global secondary indexes of the table was exceeded")
	if _, err := s.GetItem(p.ctx, &api.GetItemInput{TableName: new("bounded"), Key: map[string]api.AttributeValue{"id": {S: new("1")}}}); err != nil {
		t.Errorf("reads have capacity of their own: %v", err)
	}
	row := []api.WriteRequest{{PutRequest: &api.PutRequest{Item: map[string]api.AttributeValue{"id": {S: new("b")}}}}}
	batch, err := s.BatchWriteItem(p.ctx, &api.BatchWriteItemInput{RequestItems: map[string][]api.WriteRequest{"bounded": row, "free": row}})
	if err != nil || len(batch.UnprocessedItems) != 1 || len(batch.UnprocessedItems["bounded"]) != 1 {
		t.Errorf("%+v, %v", batch, err)
	}
	_, err = s.BatchWriteItem(p.ctx, &api.BatchWriteItemInput{RequestItems: map[string][]api.WriteRequest{"bounded": row}})
	fails(t, err, api.ProvisionedThroughputExceededException, "provisioned throughput for the table was exceeded")
	write := func(table string) api.TransactWriteItem {
		return api.TransactWriteItem{Put: &api.Put{TableName: &table, Item: map[string]api.AttributeValue{"id": {S: new("t")}}}}
	}
	_, err = s.TransactWriteItems(p.ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{write("free"), write("bounded")}})
	fails(t, err, api.TransactionCanceledException, "[None, ProvisionedThroughputExceeded]")
	var e *awsapi.Error
	if errors.As(err, &e); *e.Fields["CancellationReasons"].([]api.CancellationReason)[1].Code != "ProvisionedThroughputExceeded" {
		t.Errorf("%+v", e.Fields)
	}

	ahead = 2 * time.Second
	for _, c := range []struct {
		asked *string
		told  bool
		parts bool
	}{{new("TOTAL"), true, false}, {new("INDEXES"), true, true}} {
		out, err := put("bounded", "again", c.asked)
		p.must(err)
		if is := out.ConsumedCapacity; *is.CapacityUnits != 1 || (is.Table != nil) != c.parts {
			t.Errorf("%s: %+v", *c.asked, is)
		}
	}
	if _, err := put("bounded", "more", nil); err == nil {
		t.Error("two seconds gave more than two units")
	}
	ahead += time.Second
	if out, err := put("bounded", "more", new("NONE")); err != nil || out.ConsumedCapacity != nil {
		t.Errorf("%+v, %v", out, err)
	}
}
