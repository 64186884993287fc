package validate

import (
	"errors"
	"strings"
	"testing"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/dynamodb"
	"cirro/internal/endpoint/wire"
)

// TestDynamoDB holds messages that DynamoDB answered in October 2026.
// https://github.com/paritysuite/dynamodb-conformance/tree/main/tests/tier3
func TestDynamoDB(t *testing.T) {
	type (
		value   = dynamodb.AttributeValue
		item    = map[string]value
		get     = dynamodb.BatchGetItemInput
		keys    = dynamodb.KeysAndAttributes
		write   = dynamodb.BatchWriteItemInput
		request = dynamodb.WriteRequest
	)
	const (
		tooFew    = "failed to satisfy constraint: Member must have length greater than or equal to 1"
		badKeys   = "at 'requestItems' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 255, Member must have length greater than or equal to 3, Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]"
		badReturn = "Value 'X' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum value set: [INDEXES, TOTAL, NONE]"
	)
	key := item{"pk": {S: new("a")}}
	short := func(name string) []dynamodb.KeySchemaElement {
		return []dynamodb.KeySchemaElement{{AttributeName: new(name), KeyType: new("HASH")}}
	}
	all := &dynamodb.Projection{ProjectionType: new("ALL")}
	for _, c := range []struct {
		name, operation string
		in              any
		want            string
	}{
		{"nothing wrong", "BatchGetItem", &get{RequestItems: map[string]keys{"tab": {Keys: []map[string]value{key}}}}, ""},
		{"an ARN", "BatchGetItem", &get{RequestItems: map[string]keys{"arn:aws:dynamodb:us-east-1:000000000000:table/tab": {Keys: []map[string]value{key}}}}, ""},
		{"no tables", "BatchGetItem", &get{RequestItems: map[string]keys{}}, "1 validation error detected: Value at 'RequestItems' " + tooFew},
		{"no keys", "BatchGetItem", &get{RequestItems: map[string]keys{"tab": {Keys: []map[string]value{}}}}, "1 validation error detected: Value at 'RequestItems.tab.member.Keys' " + tooFew},
		{"no name, and an enumeration", "BatchGetItem", &get{RequestItems: map[string]keys{"a!": {Keys: []map[string]value{key}}}, ReturnConsumedCapacity: new("X")},
			`2 validation errors detected: Value '{"a!":{"Keys":[{"pk":{"S":"a"}}]}}' ` + badKeys + "; " + badReturn},
		{"no writes", "BatchWriteItem", &write{RequestItems: map[string][]request{}}, "1 validation error detected: Value at 'RequestItems' " + tooFew},
		{"no writes of a table", "BatchWriteItem", &write{RequestItems: map[string][]request{"tab": {}}},
			"1 validation error detected: Value '{tab=[]}' at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater than or equal to 1]"},
		{"no name to write to", "BatchWriteItem", &write{RequestItems: map[string][]request{"a!": {{DeleteRequest: &dynamodb.DeleteRequest{Key: item{}}}}}},
			"1 validation error detected: Value '{a!=[WriteRequest(putRequest=null, deleteRequest=DeleteRequest(key={}))]}' " + badKeys},
		{"an enumeration, and no name", "BatchWriteItem", &write{RequestItems: map[string][]request{"a!": {{DeleteRequest: &dynamodb.DeleteRequest{Key: key}}}}, ReturnConsumedCapacity: new("X")},
			"1 validation error detected: " + badReturn},
		{"limit of a query", "Query", &dynamodb.QueryInput{TableName: new("tab"), Limit: new(int32(0))},
			"1 validation error detected: Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"limit of a scan", "Scan", &dynamodb.ScanInput{TableName: new("tab"), Limit: new(int32(0))},
			"1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"select", "Scan", &dynamodb.ScanInput{TableName: new("tab"), Select: new("X")},
			"1 validation error detected: Value 'X' at 'select' failed to satisfy constraint: Member must satisfy enum value set: [SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]"},
		{"order", "UpdateItem", &dynamodb.UpdateItemInput{TableName: new(""), ReturnConsumedCapacity: new("X"), ReturnValues: new("X"), ConditionalOperator: new("X")},
			"5 validation errors detected: " + strings.Join([]string{badReturn, "Value '' at 'tableName' " + tooFew,
				"Value 'X' at 'returnValues' failed to satisfy constraint: Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]",
				"Value 'X' at 'conditionalOperator' failed to satisfy constraint: Member must satisfy enum value set: [OR, AND]",
				"Value null at 'key' failed to satisfy constraint: Member must not be null"}, "; ")},
		{"an empty name, alone", "PutItem", &dynamodb.PutItemInput{TableName: new(""), Item: item{}, ReturnValues: new("X")}, "1 validation error detected: Value at 'TableName' " + tooFew},
		{"what an update returns, alone", "UpdateItem", &dynamodb.UpdateItemInput{TableName: new("tab"), Key: key, ReturnConsumedCapacity: new("X"), ReturnValues: new("X")},
			"1 validation error detected: Failed to satisfy constraint: Member must satisfy enum value set: [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"},
		{"an operator of conditions, alone", "Query", &dynamodb.QueryInput{TableName: new("tab"), ConditionalOperator: new("X"), Select: new("X")},
			"Failed to satisfy constraint: Member must satisfy enum value set: [ALL, OR]"},
		{"a table without a name", "CreateTable", &dynamodb.CreateTableInput{KeySchema: short("pk")}, "The parameter 'TableName' is required but was not present in the request"},
		{"a bad name, and no key", "CreateTable", &dynamodb.CreateTableInput{TableName: new("x!"), KeySchema: []dynamodb.KeySchemaElement{}},
			"3 validation errors detected: Value 'x!' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; " +
				"Value 'x!' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3; Value '[]' at 'keySchema' " + tooFew},
		{"indexes", "CreateTable", &dynamodb.CreateTableInput{TableName: new("tab"), KeySchema: short("pk"),
			LocalSecondaryIndexes:  []dynamodb.LocalSecondaryIndex{{IndexName: new("l"), KeySchema: short("pk"), Projection: all}},
			GlobalSecondaryIndexes: []dynamodb.GlobalSecondaryIndex{{IndexName: new("g"), KeySchema: short("g"), Projection: all}}},
			"2 validation errors detected: Value 'g' at 'globalSecondaryIndexes.1.member.indexName' failed to satisfy constraint: Member must have length greater than or equal to 3; Value 'l' at 'localSecondaryIndexes.1.member.indexName' failed to satisfy constraint: Member must have length greater than or equal to 3"},
	} {
		err := Input(wire.NewService(&dynamodb.Service).Lookup(c.operation), c.in)
		got := ""
		if e, ok := errors.AsType[*awsapi.Error](err); ok {
			got = e.Message
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}
