package dynamodb

import (
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
)

// Limits of a table.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
const (
	maxLocalIndexes  = 5
	maxGlobalIndexes = 20
	maxProjected     = 100 // attributes that all indexes of a table name in INCLUDE
	maxUnits         = 1_000_000_000_000
)

// checkTableName is what AWS demands of a table's name, with the words of its validation.
func checkTableName(name string) error {
	if len(name) > 255 {
		return unsatisfied(name, "Member must have length less than or equal to 255")
	}
	for i := range len(name) {
		if c := name[i]; c != '_' && c != '.' && c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return unsatisfied(name, "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
		}
	}
	return nil
}

// checkNewName is what AWS demands besides of the name of a table that is to be made.
func checkNewName(name string) error {
	if len(name) < 3 {
		return unsatisfied(name, "Member must have length greater than or equal to 3")
	}
	return nil
}

func unsatisfied(tableName, constraint string) error {
	return invalid("1 validation error detected: Value '%s' at 'tableName' failed to satisfy constraint: %s", tableName, constraint)
}

// wrong is a validation error with the words that most begin with.
func wrong(format string, args ...any) error {
	return invalid("One or more parameter values were invalid: "+format, args...)
}

// checkCreate checks what the model does not, in AWS's order.
func checkCreate(in *api.CreateTableInput) error {
	if err := checkBilling(in.BillingMode, in.ProvisionedThroughput); err != nil {
		return err
	}
	if len(in.VectorIndexes) > 0 {
		return awsapi.Unimplemented("dynamodb", "CreateTable with VectorIndexes")
	}
	if in.GlobalTableSourceArn != nil || in.GlobalTableSettingsReplicationMode != nil {
		return awsapi.Unimplemented("dynamodb", "CreateTable as a replica of a global table")
	}
	if err := checkCreateStream(in.StreamSpecification); err != nil {
		return err
	}
	if err := checkEncryption(in.SSESpecification); err != nil {
		return err
	}
	if err := checkOnDemand(in.OnDemandThroughput, awsapi.Val(in.BillingMode) == api.BillingModePayPerRequest, false, "table"); err != nil {
		return err
	}
	defined := definedNames(in.AttributeDefinitions)
	for i, name := range defined {
		if slices.Contains(defined[:i], name) {
			return invalid("Attribute Name is duplicated: %s", name)
		}
	}
	if err := checkSchema(in.KeySchema, defined, false); err != nil {
		return err
	}
	used := names(in.KeySchema)
	if in.LocalSecondaryIndexes == nil && in.GlobalSecondaryIndexes == nil && len(used) != len(defined) {
		return wrong("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	seen := map[string]bool{}
	if err := checkLocalIndexes(in, defined, seen); err != nil {
		return err
	}
	if err := checkGlobalIndexes(in, defined, seen); err != nil {
		return err
	}
	for _, x := range in.LocalSecondaryIndexes {
		used = append(used, names(x.KeySchema)...)
	}
	for _, x := range in.GlobalSecondaryIndexes {
		used = append(used, names(x.KeySchema)...)
	}
	slices.Sort(used)
	if used = slices.Compact(used); len(used) < len(defined) {
		slices.Sort(defined)
		return wrong("Some AttributeDefinitions are not used. AttributeDefinitions: %s, keys used: %s", listed(defined), listed(used))
	}
	return checkProjected(in)
}

func checkBilling(mode *string, p *api.ProvisionedThroughput) error {
	if awsapi.Val(mode) == api.BillingModePayPerRequest {
		if p != nil {
			return wrong("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
		}
		return nil
	}
	if p == nil {
		return wrong("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
	}
	return checkUnits(p)
}

func definedNames(attributes []api.AttributeDefinition) (defined []string) {
	for _, a := range attributes {
		defined = append(defined, *a.AttributeName)
	}
	return defined
}

func names(keys []api.KeySchemaElement) (all []string) {
	for _, k := range keys {
		all = append(all, *k.AttributeName)
	}
	return all
}

func listed(names []string) string { return "[" + strings.Join(names, ", ") + "]" }

// checkSchema checks a key's attributes.
func checkSchema(keys []api.KeySchemaElement, defined []string, index bool) error {
	used := names(keys)
	if !index && len(used) > len(defined) {
		return invalid("Invalid KeySchema: Some index key attribute have no definition")
	}
	for _, name := range used {
		if !slices.Contains(defined, name) {
			return wrong("Some index key attributes are not defined in AttributeDefinitions. Keys: %s, AttributeDefinitions: %s",
				listed(used), listed(defined))
		}
	}
	if len(used) == 2 && used[0] == used[1] {
		return invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	}
	if *keys[0].KeyType != api.KeyTypeHash {
		return invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	}
	if len(keys) == 2 && *keys[1].KeyType != api.KeyTypeRange {
		return invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	}
	return nil
}

func checkLocalIndexes(in *api.CreateTableInput, defined []string, seen map[string]bool) error {
	if in.LocalSecondaryIndexes == nil {
		return nil
	}
	if len(in.LocalSecondaryIndexes) == 0 {
		return wrong("List of LocalSecondaryIndexes is empty")
	}
	if len(in.KeySchema) != 2 {
		return wrong("Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex")
	}
	hash := *in.KeySchema[0].AttributeName
	for _, x := range in.LocalSecondaryIndexes {
		if err := checkSchema(x.KeySchema, defined, true); err != nil {
			return err
		}
		if len(x.KeySchema) != 2 {
			return wrong("Index KeySchema does not have a range key for index: %s", *x.IndexName)
		}
		if own := *x.KeySchema[0].AttributeName; own != hash {
			return wrong("Index KeySchema does not have the same leading hash key as table KeySchema for index: %s. index hash key: %s, table hash key: %s",
				*x.IndexName, own, hash)
		}
		if err := checkIndex(*x.IndexName, x.Projection, seen); err != nil {
			return err
		}
	}
	if len(in.LocalSecondaryIndexes) > maxLocalIndexes {
		return wrong("Number of LocalSecondaryIndexes exceeds per-table limit of %d", maxLocalIndexes)
	}
	return nil
}

func checkGlobalIndexes(in *api.CreateTableInput, defined []string, seen map[string]bool) error {
	if in.GlobalSecondaryIndexes == nil {
		return nil
	}
	if len(in.GlobalSecondaryIndexes) == 0 {
		return wrong("List of GlobalSecondaryIndexes is empty")
	}
	onDemand := awsapi.Val(in.BillingMode) == api.BillingModePayPerRequest
	for _, x := range in.GlobalSecondaryIndexes {
		if err := checkSchema(x.KeySchema, defined, true); err != nil {
			return err
		}
		if onDemand && x.ProvisionedThroughput != nil {
			return wrong("ProvisionedThroughput should not be specified for index: %s when BillingMode is PAY_PER_REQUEST", *x.IndexName)
		}
		if !onDemand && x.ProvisionedThroughput == nil {
			return wrong("ProvisionedThroughput is not specified for index: %s", *x.IndexName)
		}
		if err := checkOnDemand(x.OnDemandThroughput, onDemand, false, "index : "+*x.IndexName); err != nil {
			return err
		}
		if err := checkIndex(*x.IndexName, x.Projection, seen); err != nil {
			return err
		}
	}
	if len(in.GlobalSecondaryIndexes) > maxGlobalIndexes {
		return wrong("GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobalIndexes)
	}
	return nil
}

// checkIndex checks an index's projection, and that its name is not seen yet.
func checkIndex(name string, p *api.Projection, seen map[string]bool) error {
	switch {
	case p.ProjectionType == nil:
		return wrong("Unknown ProjectionType: null")
	case *p.ProjectionType == api.ProjectionTypeInclude && len(p.NonKeyAttributes) == 0:
		return wrong("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
	case *p.ProjectionType != api.ProjectionTypeInclude && p.NonKeyAttributes != nil:
		return wrong("ProjectionType is %s, but NonKeyAttributes is specified", *p.ProjectionType)
	case seen[name]:
		return wrong("Duplicate index name: %s", name)
	}
	for i, attribute := range p.NonKeyAttributes {
		if slices.Contains(p.NonKeyAttributes[:i], attribute) {
			return wrong("Duplicate element in NonKeyAttributes: %s", attribute)
		}
	}
	seen[name] = true
	return nil
}

// checkOnDemand checks the bounds of a table, or an index, on demand. An update may lift them with -1.
func checkOnDemand(o *api.OnDemandThroughput, onDemand, update bool, of string) error {
	if o == nil {
		return nil
	}
	for _, u := range []struct {
		name  string
		units *int64
	}{{"MaxReadRequestUnits", o.MaxReadRequestUnits}, {"MaxWriteRequestUnits", o.MaxWriteRequestUnits}} {
		switch {
		case u.units == nil:
		case !onDemand && of == "table":
			return wrong("%s for OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED", u.name)
		case !onDemand:
			return wrong("%s for OnDemandThroughput for %s cannot be specified when the table BillingMode is PROVISIONED", u.name, of)
		case *u.units < 1 && !(update && *u.units == -1):
			return wrong("Requested %s for OnDemandThroughput for %s is outside of valid range", u.name, of)
		}
	}
	return nil
}

// checkProjected bounds the attributes that the indexes name.
func checkProjected(in *api.CreateTableInput) error {
	n := 0
	for _, x := range in.LocalSecondaryIndexes {
		n += len(x.Projection.NonKeyAttributes)
	}
	for _, x := range in.GlobalSecondaryIndexes {
		n += len(x.Projection.NonKeyAttributes)
	}
	if n > maxProjected {
		return wrong("Number of NonKeyAttributes of all indexes exceeds the limit of %d", maxProjected)
	}
	return nil
}
