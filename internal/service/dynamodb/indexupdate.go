package dynamodb

import (
	"slices"
	"time"

	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
)

func checkIndexUpdates(updates []api.GlobalSecondaryIndexUpdate) error {
	structural := 0
	seen := map[string]bool{}
	for _, u := range updates {
		var named []string
		if u.Create != nil {
			named, structural = append(named, *u.Create.IndexName), structural+1
		}
		if u.Delete != nil {
			named, structural = append(named, *u.Delete.IndexName), structural+1
		}
		if u.Update != nil {
			named = append(named, *u.Update.IndexName)
		}
		switch {
		case len(named) == 0:
			return wrong("One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, GlobalSecondaryIndexUpdate.Delete must not be null")
		case len(named) > 1:
			return wrong("Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object")
		case seen[named[0]]:
			return wrong("Only one global secondary index update per index is allowed simultaneously. Index: %s", named[0])
		}
		seen[named[0]] = true
	}
	if structural > 1 {
		return api.LimitExceededException.New("Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table")
	}
	return nil
}

// updateIndex creates, deletes or changes a global secondary index.
func updateIndex(r *table.Record, u api.GlobalSecondaryIndexUpdate, in *api.UpdateTableInput, now time.Time) error {
	switch {
	case u.Create != nil:
		return createIndex(r, u.Create, in.AttributeDefinitions)
	case u.Delete != nil:
		i, err := existingIndex(r, *u.Delete.IndexName, "delete")
		if err != nil {
			return err
		}
		r.API.GlobalSecondaryIndexes[i].IndexStatus = new(api.IndexStatusDeleting)
		return nil
	}
	i, err := existingIndex(r, *u.Update.IndexName, "update")
	if err != nil {
		return err
	}
	x := &r.API.GlobalSecondaryIndexes[i]
	if err := checkOnDemand(u.Update.OnDemandThroughput, isOnDemand(r), true, "index : "+*x.IndexName); err != nil {
		return err
	}
	x.OnDemandThroughput = mergeOnDemand(x.OnDemandThroughput, u.Update.OnDemandThroughput)
	if u.Update.WarmThroughput != nil {
		x.WarmThroughput = warmIndex(u.Update.WarmThroughput)
	}
	p := u.Update.ProvisionedThroughput
	if p == nil {
		return nil
	}
	if isOnDemand(r) {
		return wrong("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: %s when BillingMode is PAY_PER_REQUEST", *x.IndexName)
	}
	if err := checkUnits(p); err != nil {
		return err
	}
	is := x.ProvisionedThroughput
	if *is.ReadCapacityUnits == *p.ReadCapacityUnits && *is.WriteCapacityUnits == *p.WriteCapacityUnits {
		return unchanged("for the index "+*x.IndexName, "for the index", is, p)
	}
	x.ProvisionedThroughput = changedThroughput(is, p, now)
	return nil
}

func existingIndex(r *table.Record, name, action string) (int, error) {
	if i := globalIndex(r, name); i >= 0 {
		return i, nil
	}
	if slices.ContainsFunc(r.API.LocalSecondaryIndexes, func(x api.LocalSecondaryIndexDescription) bool { return *x.IndexName == name }) {
		return 0, invalid("Cannot %s an index that is not a GlobalSecondaryIndex: %s", action, name)
	}
	return 0, api.ResourceNotFoundException.New("Requested resource not found")
}

func createIndex(r *table.Record, c *api.CreateGlobalSecondaryIndexAction, definitions []api.AttributeDefinition) error {
	for _, x := range r.API.LocalSecondaryIndexes {
		if *x.IndexName == *c.IndexName {
			return invalid("Attempting to create an index which already exists")
		}
	}
	if globalIndex(r, *c.IndexName) >= 0 {
		return invalid("Attempting to create an index which already exists")
	}
	if len(r.API.GlobalSecondaryIndexes) >= maxGlobalIndexes {
		return api.LimitExceededException.New("One or more parameter values were invalid: GlobalSecondaryIndex count exceeds the per-table limit of %d", maxGlobalIndexes)
	}
	if definitions == nil {
		return wrong("AttributeDefinitions is not specified for index: %s", *c.IndexName)
	}
	all, err := mergeDefinitions(r.API.AttributeDefinitions, definitions)
	if err != nil {
		return err
	}
	if err := checkSchema(c.KeySchema, definedNames(all), true); err != nil {
		return err
	}
	onDemand := isOnDemand(r)
	switch {
	case onDemand && c.ProvisionedThroughput != nil:
		return wrong("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: %s when BillingMode is PAY_PER_REQUEST", *c.IndexName)
	case !onDemand && c.ProvisionedThroughput == nil:
		return wrong("ProvisionedThroughput must be specified for index: %s", *c.IndexName)
	}
	if err := checkOnDemand(c.OnDemandThroughput, onDemand, false, "index : "+*c.IndexName); err != nil {
		return err
	}
	if err := checkIndex(*c.IndexName, c.Projection, map[string]bool{}); err != nil {
		return err
	}
	r.API.AttributeDefinitions = all
	r.API.GlobalSecondaryIndexes = append(r.API.GlobalSecondaryIndexes, api.GlobalSecondaryIndexDescription{
		IndexName: c.IndexName, KeySchema: c.KeySchema, Projection: c.Projection, IndexStatus: new(api.IndexStatusCreating), Backfilling: new(true),
		ProvisionedThroughput: throughputOf(c.ProvisionedThroughput), IndexSizeBytes: new(int64(0)), ItemCount: new(int64(0)),
		IndexArn: new(*r.API.TableArn + "/index/" + *c.IndexName), OnDemandThroughput: c.OnDemandThroughput, WarmThroughput: warmIndex(c.WarmThroughput)})
	dropDefinitions(r)
	return nil
}

// mergeDefinitions adds definitions to those of a table. A type cannot change.
func mergeDefinitions(is, more []api.AttributeDefinition) ([]api.AttributeDefinition, error) {
	all := slices.Clone(is)
	for _, a := range more {
		i := slices.IndexFunc(all, func(b api.AttributeDefinition) bool { return *b.AttributeName == *a.AttributeName })
		if i < 0 {
			all = append(all, a)
		} else if *all[i].AttributeType != *a.AttributeType {
			return nil, wrong("Table already has the attribute %s defined with type %s", *a.AttributeName, *all[i].AttributeType)
		}
	}
	return all, nil
}
