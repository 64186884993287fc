package dynamodb

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// maxTables is how many tables ListTables answers at most.
const maxTables = 100

// CreateTable makes a table. The reply says CREATING, as AWS's does; there is nothing to wait for, so the table
// is active as soon as the reply is out.
func (s *Service) CreateTable(ctx context.Context, in *api.CreateTableInput) (*api.CreateTableOutput, error) {
	ref, err := refOf(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	if err := checkNewName(ref.Name); err != nil {
		return nil, err
	}
	if err := checkCreate(in); err != nil {
		return nil, err
	}
	tags, err := mergeTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	if err := checkPolicy(in.ResourcePolicy); err != nil {
		return nil, err
	}
	var record *table.Record
	err = s.catalog.Change(ctx, ref, func(tx store.Tx, was *table.Record) (*table.Record, error) {
		if was != nil {
			return nil, api.ResourceInUseException.New("Table already exists: %s", ref.Name)
		}
		record = s.newRecord(ref, in)
		record.Tags = tags
		setPolicy(record, in.ResourcePolicy)
		if in.StreamSpecification != nil && *in.StreamSpecification.StreamEnabled {
			return record, s.openStream(tx, record, *in.StreamSpecification.StreamViewType)
		}
		return record, nil
	})
	if err != nil {
		return nil, err
	}
	d := record.API
	d.TableStatus = new(api.TableStatusCreating)
	d.GlobalSecondaryIndexes = append([]api.GlobalSecondaryIndexDescription(nil), d.GlobalSecondaryIndexes...)
	for i := range d.GlobalSecondaryIndexes {
		d.GlobalSecondaryIndexes[i].IndexStatus = new(api.IndexStatusCreating)
	}
	return &api.CreateTableOutput{TableDescription: &d}, nil
}

// newRecord is the record of a table as it is asked for.
func (s *Service) newRecord(ref table.Ref, in *api.CreateTableInput) *table.Record {
	now := s.Clock().UTC()
	arn := fmt.Sprintf("arn:aws:dynamodb:%s:%s:table/%s", ref.Region, ref.Account, ref.Name)
	r := &table.Record{Ref: ref, API: api.TableDescription{
		AttributeDefinitions:      in.AttributeDefinitions,
		TableName:                 new(ref.Name),
		KeySchema:                 in.KeySchema,
		TableStatus:               new(api.TableStatusActive),
		CreationDateTime:          new(now),
		ProvisionedThroughput:     throughputOf(in.ProvisionedThroughput),
		TableSizeBytes:            new(int64(0)),
		ItemCount:                 new(int64(0)),
		TableArn:                  new(arn),
		TableId:                   new(uuid.NewString()),
		DeletionProtectionEnabled: new(awsapi.Val(in.DeletionProtectionEnabled)),
		OnDemandThroughput:        in.OnDemandThroughput,
		WarmThroughput:            warmThroughput(in.WarmThroughput),
		SSEDescription:            describeEncryption(ref, in.SSESpecification),
	}}
	if awsapi.Val(in.BillingMode) == api.BillingModePayPerRequest {
		r.API.BillingModeSummary = &api.BillingModeSummary{BillingMode: in.BillingMode, LastUpdateToPayPerRequestDateTime: new(now)}
	}
	if in.TableClass != nil {
		r.API.TableClassSummary = &api.TableClassSummary{TableClass: in.TableClass}
	}
	for _, x := range in.LocalSecondaryIndexes {
		r.API.LocalSecondaryIndexes = append(r.API.LocalSecondaryIndexes, api.LocalSecondaryIndexDescription{
			IndexName: x.IndexName, KeySchema: x.KeySchema, Projection: x.Projection, IndexSizeBytes: new(int64(0)),
			ItemCount: new(int64(0)), IndexArn: new(arn + "/index/" + *x.IndexName)})
	}
	for _, x := range in.GlobalSecondaryIndexes {
		r.API.GlobalSecondaryIndexes = append(r.API.GlobalSecondaryIndexes, api.GlobalSecondaryIndexDescription{
			IndexName: x.IndexName, KeySchema: x.KeySchema, Projection: x.Projection, IndexStatus: new(api.IndexStatusActive),
			ProvisionedThroughput: throughputOf(x.ProvisionedThroughput), IndexSizeBytes: new(int64(0)), ItemCount: new(int64(0)),
			IndexArn: new(arn + "/index/" + *x.IndexName), OnDemandThroughput: x.OnDemandThroughput, WarmThroughput: warmIndex(x.WarmThroughput)})
	}
	r.NumberIndexes()
	return r
}

func throughputOf(p *api.ProvisionedThroughput) *api.ProvisionedThroughputDescription {
	d := &api.ProvisionedThroughputDescription{NumberOfDecreasesToday: new(int64(0)), ReadCapacityUnits: new(int64(0)), WriteCapacityUnits: new(int64(0))}
	if p != nil {
		d.ReadCapacityUnits, d.WriteCapacityUnits = p.ReadCapacityUnits, p.WriteCapacityUnits
	}
	return d
}

// DescribeTable describes a table.
func (s *Service) DescribeTable(ctx context.Context, in *api.DescribeTableInput) (*api.DescribeTableOutput, error) {
	t, err := s.describe(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	d := t.API
	c, err := s.counted(ctx, t)
	if err != nil {
		return nil, err
	}
	c.tell(&d)
	return &api.DescribeTableOutput{Table: &d}, nil
}

func noTable(ref table.Ref) error {
	return api.ResourceNotFoundException.New("Requested resource not found: Table: %s not found", ref.Name)
}

// DeleteTable deletes a table and all that it holds.
func (s *Service) DeleteTable(ctx context.Context, in *api.DeleteTableInput) (*api.DeleteTableOutput, error) {
	ref, err := refOf(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	var d api.TableDescription
	err = s.catalog.Change(ctx, ref, func(tx store.Tx, was *table.Record) (*table.Record, error) {
		if was == nil {
			return nil, noTable(ref)
		}
		if err := checkActive(was); err != nil {
			return nil, err
		}
		if awsapi.Val(was.API.DeletionProtectionEnabled) {
			return nil, invalid("Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
		}
		if err := checkUnused(tx, was); err != nil {
			return nil, err
		}
		d = was.API
		if err := s.closeStream(tx, was); err != nil {
			return nil, err
		}
		t, err := table.New(was)
		if err != nil {
			return nil, err
		}
		progress := store.Prefix("dynamodb", "progress", *d.TableId)
		return nil, errors.Join(t.Clear(tx), tx.Delete(countKey(was)), tx.DeleteRange(progress.Start, progress.End), tx.Delete(workKey(ref)))
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteTableOutput{TableDescription: &api.TableDescription{
		TableName: d.TableName, TableStatus: new(api.TableStatusDeleting), ProvisionedThroughput: d.ProvisionedThroughput,
		TableSizeBytes: d.TableSizeBytes, ItemCount: d.ItemCount, TableArn: d.TableArn, TableId: d.TableId,
		StreamSpecification: d.StreamSpecification, LatestStreamLabel: d.LatestStreamLabel, LatestStreamArn: d.LatestStreamArn,
		BillingModeSummary: d.BillingModeSummary, TableClassSummary: d.TableClassSummary,
		DeletionProtectionEnabled: d.DeletionProtectionEnabled}}, nil
}

// checkUnused refuses to delete a table that a backup or another table is being made of.
func checkUnused(tx store.Tx, r *table.Record) error {
	used, err := restoring(tx, r.Ref, func(s *table.Source) bool { return s.Table == r.Name })
	if err != nil {
		return err
	}
	if used || len(r.Backups) > 0 {
		return api.ResourceInUseException.New("Attempt to change a resource which is still in use: Table is being backed up or restored: %s", r.Name)
	}
	return nil
}

// ListTables lists the names of an account's tables in a region, in their order.
func (s *Service) ListTables(ctx context.Context, in *api.ListTablesInput) (*api.ListTablesOutput, error) {
	r := awsapi.RequestOf(ctx)
	over := table.Range(r.Account(), r.Region)
	if in.ExclusiveStartTableName != nil {
		over = over.After(table.Ref{Account: r.Account(), Region: r.Region, Name: *in.ExclusiveStartTableName}.Key())
	}
	limit := maxTables
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	out := &api.ListTablesOutput{TableNames: []string{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		page, last, err := store.Page[struct{ Name string }](r, over, limit, nil)
		for _, t := range page {
			out.TableNames = append(out.TableNames, t.Name)
		}
		if last != nil {
			out.LastEvaluatedTableName = new(page[len(page)-1].Name)
		}
		return err
	})
	return out, err
}
