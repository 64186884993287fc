package validate

import (
	"reflect"
	"regexp"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/awsjson"
	"cirro/internal/endpoint/wire"
)

// dynamoDB has the answers of October 2026.
// https://github.com/paritysuite/dynamodb-conformance/tree/main/tests/tier3
var dynamoDB = dialect{
	err: awsapi.ValidationException,
	// Of values and names within items DynamoDB tells in words of its own.
	leaves: map[string]bool{"Item": true, "Key": true, "ExclusiveStartKey": true, "ExpressionAttributeValues": true},
	enums: map[string][]string{
		"ConditionalOperator": {"OR", "AND"},
		"ReturnValue":         {"ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"},
		"ScalarAttributeType": {"B", "N", "S"},
		"Select":              {"SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"},
	},
	order: []string{"RequestItems", "ClientRequestToken", "ReturnConsumedCapacity", "TableName", "ReturnItemCollectionMetrics",
		"ReturnValues", "ConditionalOperator", "Key", "GlobalSecondaryIndexes", "LocalSecondaryIndexes"},
	terse: map[string]bool{"BatchGetItem.RequestItems": true, "BatchGetItem.Keys": true, "BatchWriteItem.RequestItems": true, "Query.Limit": true},
	alone: map[string]alone{
		"CreateTable.TableName":     {"Value null", "The parameter 'TableName' is required but was not present in the request"},
		"PutItem.TableName":         noTableName,
		"UpdateItem.TableName":      noTableName,
		"DeleteItem.TableName":      noTableName,
		"UpdateItem.ReturnValues":   {"Value", "1 validation error detected: Failed to satisfy constraint: Member must satisfy enum value set: [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]"},
		"Query.ConditionalOperator": {"Value", "Failed to satisfy constraint: Member must satisfy enum value set: [ALL, OR]"},
	},
}

var noTableName = alone{"Value ''", "1 validation error detected: Value at 'TableName' failed to satisfy constraint: Member must have length greater than or equal to 1"}

// tableName is what the keys of a batch's RequestItems are, if they are no ARNs. The model does not say so.
var (
	tableName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)
	nameBytes = regexp.MustCompile(`^[a-zA-Z0-9_.-]*$`)
)

// newTableName checks the name of a table that is to be made, where it isn't the only thing that is wrong: else the
// service says so.
func (c *checker) newTableName(in reflect.Value) {
	if len(c.failures) == 0 || c.op.Name != "CreateTable" || c.op.Service.Name != "dynamodb" {
		return
	}
	given, _ := in.FieldByName("TableName").Interface().(*string)
	name := awsapi.Val(given)
	if name == "" || tableName.MatchString(name) {
		return
	}
	p, shown := &path{name: "TableName"}, " '"+name+"'"
	if !nameBytes.MatchString(name) {
		c.fail(p, shown, "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
	}
	if len(name) < 3 {
		c.fail(p, shown, "Member must have length greater than or equal to 3")
	}
}

// tableNames checks the names of the tables of a batch. BatchWriteItem has nothing to say of them where something
// else is wrong.
func (c *checker) tableNames(r *rule, v reflect.Value, p *path) {
	if c.op.Service.Name != "dynamodb" || p.name != "RequestItems" || p.up != nil {
		return
	}
	for _, name := range sortedKeys(v) {
		if tableName.MatchString(name.String()) || strings.HasPrefix(name.String(), "arn:") {
			continue
		}
		shown := r.show(v)
		if c.op.Name == "BatchGetItem" {
			shown = " '" + string(awsjson.Append(nil, r.plan, wire.DefaultTime, v)) + "'"
		}
		c.badNames = failure{member: p.name, text: "Value" + shown + " at 'requestItems' failed to satisfy constraint: Map keys must satisfy constraint: " +
			"[Member must have length less than or equal to 255, Member must have length greater than or equal to 3, " +
			"Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]"}
		return
	}
}
