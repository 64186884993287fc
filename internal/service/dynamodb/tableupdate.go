package dynamodb

import (
	"context"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// UpdateTable changes a table. An index is built or removed in the background; the table is UPDATING meanwhile, and
// its items can be read and written. All else is done at once.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html
func (s *Service) UpdateTable(ctx context.Context, in *api.UpdateTableInput) (*api.UpdateTableOutput, error) {
	ref, err := refOf(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	if err := checkUpdateTable(in); err != nil {
		return nil, err
	}
	var d api.TableDescription
	building := false
	err = s.changeActive(ctx, ref, func(tx store.Tx, r *table.Record) error {
		if err := s.updateTable(tx, r, in); err != nil {
			return err
		}
		if building = changing(r); building {
			r.API.TableStatus = new(api.TableStatusUpdating)
			if err := tx.Set(workKey(ref), nil); err != nil {
				return err
			}
		}
		d = r.API
		return nil
	})
	if err != nil {
		return nil, err
	}
	if building {
		s.workers.begin(ref, s.work)
	}
	d.TableStatus = new(api.TableStatusUpdating)
	return &api.UpdateTableOutput{TableDescription: &d}, nil
}

// changing says that an index is being made or removed.
func changing(r *table.Record) bool {
	return slices.ContainsFunc(r.API.GlobalSecondaryIndexes, func(x api.GlobalSecondaryIndexDescription) bool {
		return *x.IndexStatus == api.IndexStatusCreating || *x.IndexStatus == api.IndexStatusDeleting
	})
}

// checkUpdateTable checks what needs no look at the table. The messages are those that AWS was seen to answer.
func checkUpdateTable(in *api.UpdateTableInput) error {
	for _, missing := range []struct {
		asked bool
		name  string
	}{
		{len(in.ReplicaUpdates) > 0, "ReplicaUpdates"},
		{len(in.GlobalTableWitnessUpdates) > 0, "GlobalTableWitnessUpdates"},
		{in.MultiRegionConsistency != nil, "MultiRegionConsistency"},
		{in.GlobalTableSettingsReplicationMode != nil, "GlobalTableSettingsReplicationMode"},
		{in.DisassociationProtectionEnabled != nil, "DisassociationProtectionEnabled"},
		{len(in.VectorIndexUpdates) > 0, "VectorIndexUpdates"},
	} {
		if missing.asked {
			return awsapi.Unimplemented("dynamodb", "UpdateTable with "+missing.name)
		}
	}
	capacity := in.BillingMode != nil || in.ProvisionedThroughput != nil
	others := map[string]bool{
		"capacity": capacity, "stream": in.StreamSpecification != nil, "index": len(in.GlobalSecondaryIndexUpdates) > 0,
		"Server-Side Encryption": in.SSESpecification != nil, "TableClass": in.TableClass != nil,
		"DeletionProtection": in.DeletionProtectionEnabled != nil, "on demand": in.OnDemandThroughput != nil, "warm": in.WarmThroughput != nil,
	}
	asked := 0
	for _, is := range others {
		if is {
			asked++
		}
	}
	if asked == 0 {
		return invalid("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, SSESpecification, " +
			"ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, " +
			"OnDemandThroughput, WarmThroughput or TableClass is required")
	}
	for _, alone := range []string{"Server-Side Encryption", "TableClass", "DeletionProtection"} {
		if others[alone] && asked > 1 {
			return wrong("%s modification must be the only operation in the request", alone)
		}
	}
	structural := slices.ContainsFunc(in.GlobalSecondaryIndexUpdates, func(u api.GlobalSecondaryIndexUpdate) bool {
		return u.Create != nil || u.Delete != nil
	})
	switch {
	case in.StreamSpecification != nil && in.ProvisionedThroughput != nil:
		return wrong("You cannot modify stream status while updating table IOPS")
	case structural && in.StreamSpecification != nil:
		return wrong("You cannot create or delete index while changing stream status")
	case structural && in.ProvisionedThroughput != nil && in.BillingMode == nil:
		return wrong("You cannot create or delete index while updating table IOPS")
	}
	return checkIndexUpdates(in.GlobalSecondaryIndexUpdates)
}

// updateTable makes the changes in the record.
func (s *Service) updateTable(tx store.Tx, r *table.Record, in *api.UpdateTableInput) error {
	now := s.Clock().UTC()
	if err := updateCapacity(r, in, now); err != nil {
		return err
	}
	if err := s.updateStream(tx, r, in.StreamSpecification); err != nil {
		return err
	}
	for _, u := range in.GlobalSecondaryIndexUpdates {
		if err := updateIndex(r, u, in, now); err != nil {
			return err
		}
	}
	r.NumberIndexes()
	if in.DeletionProtectionEnabled != nil {
		r.API.DeletionProtectionEnabled = in.DeletionProtectionEnabled
	}
	if in.TableClass != nil {
		r.API.TableClassSummary = &api.TableClassSummary{TableClass: in.TableClass, LastUpdateDateTime: &now}
	}
	if in.WarmThroughput != nil {
		r.API.WarmThroughput = warmThroughput(in.WarmThroughput)
	}
	if in.SSESpecification != nil {
		return updateEncryption(r, in.SSESpecification)
	}
	return nil
}
