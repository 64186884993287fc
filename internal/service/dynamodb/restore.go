package dynamodb

import (
	"context"
	"errors"
	"slices"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// restoration is a table that is to be restored, and what is to be other than it was.
type restoration struct {
	target      table.Ref
	source      table.Source
	backup      *string // the backup's ARN
	billing     *string
	throughput  *api.ProvisionedThroughput
	onDemand    *api.OnDemandThroughput
	global      []api.GlobalSecondaryIndex
	local       []api.LocalSecondaryIndex
	encryption  *api.SSESpecification
	vectors     int
	restoreTime time.Time
}

// RestoreTableFromBackup makes a table of a backup. It is CREATING until all items are there. Streams, time to live,
// tags and policies are not restored, as on AWS.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_RestoreTableFromBackup.html
func (s *Service) RestoreTableFromBackup(ctx context.Context, in *api.RestoreTableFromBackupInput) (*api.RestoreTableFromBackupOutput, error) {
	ref, err := refOf(ctx, in.TargetTableName)
	if err != nil {
		return nil, err
	}
	plan := restoration{target: ref, backup: in.BackupArn, billing: in.BillingModeOverride, throughput: in.ProvisionedThroughputOverride,
		onDemand: in.OnDemandThroughputOverride, global: in.GlobalSecondaryIndexOverride, local: in.LocalSecondaryIndexOverride,
		encryption: in.SSESpecificationOverride, vectors: len(in.VectorIndexOverride)}
	d, err := s.beginRestore(ctx, plan, func(tx store.Tx, plan *restoration) (*table.Record, error) {
		b, err := getBackup(tx, *in.BackupArn)
		if err != nil {
			return nil, err
		}
		if b.Status != api.BackupStatusAvailable {
			return nil, api.BackupInUseException.New("Backup is being created: %s", *in.BackupArn)
		}
		plan.source, plan.restoreTime = table.Source{Backup: b.ID}, b.Created
		return &b.Table, nil
	})
	if err != nil {
		return nil, err
	}
	return &api.RestoreTableFromBackupOutput{TableDescription: d}, nil
}

// RestoreTableToPointInTime makes a table of what another was at a time since its point-in-time recovery is on.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_RestoreTableToPointInTime.html
func (s *Service) RestoreTableToPointInTime(ctx context.Context, in *api.RestoreTableToPointInTimeInput) (*api.RestoreTableToPointInTimeOutput, error) {
	ref, err := refOf(ctx, in.TargetTableName)
	if err != nil {
		return nil, err
	}
	if (in.SourceTableArn == nil) == (in.SourceTableName == nil) {
		return nil, invalid("Must provide exactly one of: sourceTableArn, sourceTableName")
	}
	if awsapi.Val(in.UseLatestRestorableTime) == (in.RestoreDateTime != nil) {
		return nil, invalid("Invalid Request: Either one of RestoreDateTime or UseLatestRestorableTime must be specified, but not both")
	}
	name := in.SourceTableName
	if name == nil {
		name = in.SourceTableArn
	}
	from, err := refOf(ctx, name)
	if err != nil {
		return nil, err
	}
	plan := restoration{target: ref, billing: in.BillingModeOverride, throughput: in.ProvisionedThroughputOverride,
		onDemand: in.OnDemandThroughputOverride, global: in.GlobalSecondaryIndexOverride, local: in.LocalSecondaryIndexOverride,
		encryption: in.SSESpecificationOverride, vectors: len(in.VectorIndexOverride)}
	d, err := s.beginRestore(ctx, plan, func(tx store.Tx, plan *restoration) (*table.Record, error) {
		return s.recoverable(tx, from, in.RestoreDateTime, plan)
	})
	if err != nil {
		return nil, err
	}
	return &api.RestoreTableToPointInTimeOutput{TableDescription: d}, nil
}

// recoverable returns the table that another is to be made of, and sets in the plan which moment it is.
func (s *Service) recoverable(tx store.Tx, from table.Ref, at *time.Time, plan *restoration) (*table.Record, error) {
	source, found, err := store.GetRecord[table.Record](tx, from.Key())
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, tableNotFound(from)
	}
	if source.Recovery == nil {
		return nil, api.PointInTimeRecoveryUnavailableException.New("Point in time recovery is not enabled for table '%s'", from.Name)
	}
	now := s.Clock()
	if at == nil {
		at = &now
	}
	// Clients cut the time to seconds, so the second in which recovery began counts.
	if at.Before(source.Recovery.Earliest(now).Truncate(time.Second)) || at.After(now) {
		return nil, api.InvalidRestoreTimeException.New("An invalid restore time was specified. RestoreDateTime must be between EarliestRestorableDateTime and LatestRestorableDateTime.")
	}
	plan.source, plan.restoreTime = table.Source{Table: from.Name, At: *at}, *at
	return &source, nil
}

// beginRestore makes the record of a table that is being restored, and has it filled in the background.
func (s *Service) beginRestore(ctx context.Context, plan restoration, from func(store.Tx, *restoration) (*table.Record, error)) (*api.TableDescription, error) {
	if err := checkNewName(plan.target.Name); err != nil {
		return nil, err
	}
	if plan.vectors > 0 {
		return nil, awsapi.Unimplemented("dynamodb", "the restoration of vector indexes")
	}
	if err := checkEncryption(plan.encryption); err != nil {
		return nil, err
	}
	var d api.TableDescription
	err := s.catalog.Change(ctx, plan.target, func(tx store.Tx, was *table.Record) (*table.Record, error) {
		if was != nil {
			return nil, api.TableAlreadyExistsException.New("Table already exists: %s", plan.target.Name)
		}
		source, err := from(tx, &plan)
		if err != nil {
			return nil, err
		}
		in, err := plan.request(source)
		if err != nil {
			return nil, err
		}
		r := s.newRecord(plan.target, in)
		if plan.encryption == nil {
			r.API.SSEDescription = source.API.SSEDescription
		}
		r.Source = &plan.source
		r.API.TableStatus = new(api.TableStatusCreating)
		r.API.RestoreSummary = &api.RestoreSummary{SourceBackupArn: plan.backup, SourceTableArn: source.API.TableArn,
			RestoreDateTime: &plan.restoreTime, RestoreInProgress: new(true)}
		d = r.API
		return r, tx.Set(workKey(plan.target), nil)
	})
	if err != nil {
		return nil, err
	}
	s.workers.begin(plan.target, s.work)
	return &d, nil
}

// request is what would make the table that is to be restored.
func (p *restoration) request(source *table.Record) (*api.CreateTableInput, error) {
	t := &source.API
	in := &api.CreateTableInput{TableName: &p.target.Name, KeySchema: t.KeySchema, AttributeDefinitions: t.AttributeDefinitions,
		OnDemandThroughput: t.OnDemandThroughput, SSESpecification: p.encryption}
	if t.TableClassSummary != nil {
		in.TableClass = t.TableClassSummary.TableClass
	}
	onDemand := isOnDemand(source)
	if p.billing != nil {
		onDemand = *p.billing == api.BillingModePayPerRequest
	}
	switch {
	case onDemand && p.throughput != nil && p.billing != nil:
		return nil, invalid("Invalid Request: Cannot override ProvisionedThroughput if BillingMode is overridden to PAY_PER_REQUEST")
	case onDemand && p.throughput != nil:
		return nil, invalid("Invalid Request: Cannot override ProvisionedThroughput unless BillingMode is PROVISIONED")
	case !onDemand && isOnDemand(source) && p.throughput == nil:
		return nil, invalid("Invalid Request: Must override ProvisionedThroughput if BillingMode is overridden to PROVISIONED")
	case onDemand:
		in.BillingMode = new(api.BillingModePayPerRequest)
	default:
		in.ProvisionedThroughput = provisionedOf(t.ProvisionedThroughput)
		if p.throughput != nil {
			in.ProvisionedThroughput = p.throughput
		}
	}
	switch {
	case !onDemand && p.onDemand != nil:
		return nil, invalid("Invalid Request: Cannot override MaxReadRequestUnits for OnDemandThroughput unless BillingModeOverride is PAY_PER_REQUEST")
	case !onDemand:
		in.OnDemandThroughput = nil
	case p.onDemand != nil:
		in.OnDemandThroughput = p.onDemand
	}
	return in, p.indexes(in, t, onDemand)
}

func provisionedOf(d *api.ProvisionedThroughputDescription) *api.ProvisionedThroughput {
	return &api.ProvisionedThroughput{ReadCapacityUnits: d.ReadCapacityUnits, WriteCapacityUnits: d.WriteCapacityUnits}
}

// indexes sets the indexes: those of the source, or those of them that the override names.
func (p *restoration) indexes(in *api.CreateTableInput, t *api.TableDescription, onDemand bool) error {
	for _, x := range t.LocalSecondaryIndexes {
		if p.local == nil || slices.ContainsFunc(p.local, func(o api.LocalSecondaryIndex) bool { return *o.IndexName == *x.IndexName }) {
			in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, api.LocalSecondaryIndex{IndexName: x.IndexName, KeySchema: x.KeySchema, Projection: x.Projection})
		}
	}
	for _, x := range t.GlobalSecondaryIndexes {
		if *x.IndexStatus == api.IndexStatusDeleting {
			continue
		}
		made := api.GlobalSecondaryIndex{IndexName: x.IndexName, KeySchema: x.KeySchema, Projection: x.Projection, OnDemandThroughput: x.OnDemandThroughput}
		if !onDemand {
			made.ProvisionedThroughput = provisionedOf(x.ProvisionedThroughput)
		}
		if p.global != nil {
			i := slices.IndexFunc(p.global, func(o api.GlobalSecondaryIndex) bool { return *o.IndexName == *x.IndexName })
			if i < 0 {
				continue
			}
			if p.global[i].ProvisionedThroughput != nil {
				made.ProvisionedThroughput = p.global[i].ProvisionedThroughput
			}
		}
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, made)
	}
	for _, o := range p.global {
		if !slices.ContainsFunc(in.GlobalSecondaryIndexes, func(x api.GlobalSecondaryIndex) bool { return *o.IndexName == *x.IndexName }) {
			return invalid("Invalid Request: Index %s does not match a secondary index that existed in the source table and cannot be created during the restore operation", *o.IndexName)
		}
	}
	return nil
}

// restore fills a table from its source. It may do so again after a restart: what it writes is the same.
func (s *Service) restore(ctx context.Context, r *table.Record) error {
	t, err := table.New(r)
	if err != nil {
		return err
	}
	w := s.batch(ctx, func(tx store.Tx, e table.Entry) error { return t.Write(tx, e.Key, nil, e.Item) })
	err = s.Store.View(ctx, func(reader store.Reader) error {
		return errors.Join(s.eachOfSource(reader, r, t, w.add), w.flush())
	})
	if err != nil {
		return err
	}
	return s.catalog.Change(ctx, r.Ref, func(_ store.Tx, r *table.Record) (*table.Record, error) {
		if r != nil {
			r.Source, r.API.RestoreSummary.RestoreInProgress = nil, new(false)
			r.API.TableStatus = new(api.TableStatusActive)
		}
		return r, nil
	})
}

func (s *Service) eachOfSource(reader store.Reader, r *table.Record, t *table.Table, f func(table.Entry) error) error {
	if r.Source.Backup != "" {
		return copyOf(r.Source.Backup).Each(reader, t, f)
	}
	ref := r.Ref
	ref.Name = r.Source.Table
	source, found, err := store.GetRecord[table.Record](reader, ref.Key())
	if err != nil {
		return err
	}
	if !found {
		return tableNotFound(ref)
	}
	from, err := table.New(&source)
	if err != nil {
		return err
	}
	return from.EachAt(reader, r.Source.At, func(e table.Entry) error { return f(table.Entry{Key: t.Place(e.Key), Item: e.Item}) })
}
