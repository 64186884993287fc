package dynamodb

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// backup is an on-demand backup: a copy of a table's items, from one snapshot, with what the table was.
type backup struct {
	ID      string // as in its ARN
	Name    string
	Status  string
	Created time.Time
	Bytes   int64
	Items   int64
	Table   table.Record // as it was
}

func backupKey(ref table.Ref, id string) []byte {
	return store.Key("dynamodb", "backup", ref.Account, ref.Region, ref.Name, id)
}

func (b *backup) arn() string { return *b.Table.API.TableArn + "/backup/" + b.ID }

// copy is where the items are.
func (b *backup) copy() table.Copy { return copyOf(b.ID) }

// copyOf finds the items by a backup's id, which ends with eight bytes at random.
func copyOf(id string) table.Copy {
	random, _ := hex.DecodeString(id[len(id)-16:]) // an id that newBackupID made
	return table.NewCopy(random)
}

// newBackupID makes an id as AWS's are: the time and something random.
func newBackupID(now time.Time) string {
	random := make([]byte, 8)
	_, _ = rand.Read(random) // it never fails
	return fmt.Sprintf("%014d-%x", now.UnixMilli(), random)
}

// parseBackupARN finds the table and the id that a backup's ARN names.
func parseBackupARN(arn string) (ref table.Ref, id string, err error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) == 6 && parts[0] == "arn" && parts[2] == "dynamodb" {
		path := strings.Split(parts[5], "/")
		if len(path) == 4 && path[0] == "table" && path[2] == "backup" {
			return table.Ref{Region: parts[3], Account: parts[4], Name: path[1]}, path[3], nil
		}
	}
	return ref, "", invalid("Invalid Backup ARN")
}

func getBackup(r store.Reader, arn string) (*backup, error) {
	ref, id, err := parseBackupARN(arn)
	if err != nil {
		return nil, err
	}
	b, found, err := store.GetRecord[backup](r, backupKey(ref, id))
	if err == nil && !found {
		err = api.BackupNotFoundException.New("Backup not found: %s", arn)
	}
	return &b, err
}

// CreateBackup begins to copy a table's items. The copy is of one moment after the request.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateBackup.html
func (s *Service) CreateBackup(ctx context.Context, in *api.CreateBackupInput) (*api.CreateBackupOutput, error) {
	ref, err := refOf(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	var b backup
	err = s.catalog.Change(ctx, ref, func(tx store.Tx, r *table.Record) (*table.Record, error) {
		if r == nil {
			return nil, tableNotFound(ref)
		}
		if r.Creating() {
			return nil, api.TableInUseException.New("Table is being created: %s", ref.Name)
		}
		now := s.Clock().UTC()
		b = backup{ID: newBackupID(now), Name: *in.BackupName, Status: api.BackupStatusCreating, Created: now, Table: *r}
		r.Backups = append(slices.Clone(r.Backups), b.ID)
		return r, errors.Join(store.SetRecord(tx, backupKey(ref, b.ID), b), tx.Set(workKey(ref), nil))
	})
	if err != nil {
		return nil, err
	}
	s.workers.begin(ref, s.work)
	return &api.CreateBackupOutput{BackupDetails: b.details()}, nil
}

func tableNotFound(ref table.Ref) error {
	return api.TableNotFoundException.New("Table not found: %s", ref.Name)
}

// DescribeBackup describes a backup.
func (s *Service) DescribeBackup(ctx context.Context, in *api.DescribeBackupInput) (*api.DescribeBackupOutput, error) {
	var b *backup
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		b, err = getBackup(r, *in.BackupArn)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.DescribeBackupOutput{BackupDescription: b.description()}, nil
}

// DeleteBackup removes a backup, unless a table is being restored from it.
func (s *Service) DeleteBackup(ctx context.Context, in *api.DeleteBackupInput) (*api.DeleteBackupOutput, error) {
	var b *backup
	err := s.Store.Update(ctx, func(tx store.Tx) (err error) {
		if b, err = getBackup(tx, *in.BackupArn); err != nil {
			return err
		}
		if b.Status == api.BackupStatusCreating {
			return api.BackupInUseException.New("Backup is being created: %s", *in.BackupArn)
		}
		used, err := restoring(tx, b.Table.Ref, func(s *table.Source) bool { return s.Backup == b.ID })
		if err != nil {
			return err
		}
		if used {
			return api.BackupInUseException.New("Backup is being used to restore another table: %s", *in.BackupArn)
		}
		return errors.Join(b.copy().Clear(tx), tx.Delete(backupKey(b.Table.Ref, b.ID)))
	})
	if err != nil {
		return nil, err
	}
	b.Status = api.BackupStatusDeleted
	return &api.DeleteBackupOutput{BackupDescription: b.description()}, nil
}

// restoring says whether a table of the same owner is being restored from a source that is means.
func restoring(r store.Reader, ref table.Ref, is func(*table.Source) bool) (bool, error) {
	for record, err := range store.Records[table.Record](r, table.Range(ref.Account, ref.Region)) {
		if err != nil {
			return false, err
		}
		if record.Source != nil && is(record.Source) {
			return true, nil
		}
	}
	return false, nil
}

// maxBackups is how many backups ListBackups answers at most.
const maxBackups = 100

// ListBackups lists backups, of one table or of all.
func (s *Service) ListBackups(ctx context.Context, in *api.ListBackupsInput) (*api.ListBackupsOutput, error) {
	request := awsapi.RequestOf(ctx)
	if in.TimeRangeLowerBound != nil && in.TimeRangeUpperBound != nil && in.TimeRangeLowerBound.After(*in.TimeRangeUpperBound) {
		return nil, wrong("Time range lower bound must be less than or equal to upper bound")
	}
	over := store.Prefix("dynamodb", "backup", request.Account(), request.Region)
	if in.TableName != nil {
		ref, err := refOf(ctx, in.TableName)
		if err != nil {
			return nil, err
		}
		over = store.Prefix("dynamodb", "backup", ref.Account, ref.Region, ref.Name)
	}
	if in.ExclusiveStartBackupArn != nil {
		ref, id, err := parseBackupARN(*in.ExclusiveStartBackupArn)
		if err != nil {
			return nil, err
		}
		over = over.After(backupKey(ref, id))
	}
	limit := maxBackups
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	out := &api.ListBackupsOutput{BackupSummaries: []api.BackupSummary{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		page, last, err := store.Page(r, over, limit, func(b *backup) bool { return isListed(in, b) })
		for i := range page {
			out.BackupSummaries = append(out.BackupSummaries, page[i].summary())
		}
		if last != nil {
			out.LastEvaluatedBackupArn = out.BackupSummaries[len(page)-1].BackupArn
		}
		return err
	})
	return out, err
}

// isListed says whether a list has a backup.
func isListed(in *api.ListBackupsInput, b *backup) bool {
	kind := awsapi.Val(in.BackupType)
	return (kind == "" || kind == api.BackupTypeFilterUser || kind == api.BackupTypeFilterAll) &&
		(in.TimeRangeLowerBound == nil || !b.Created.Before(*in.TimeRangeLowerBound)) &&
		(in.TimeRangeUpperBound == nil || b.Created.Before(*in.TimeRangeUpperBound))
}

func (b *backup) details() *api.BackupDetails {
	return &api.BackupDetails{BackupArn: new(b.arn()), BackupName: &b.Name, BackupStatus: &b.Status, BackupType: new(api.BackupTypeUser),
		BackupCreationDateTime: &b.Created, BackupSizeBytes: &b.Bytes}
}

func (b *backup) summary() api.BackupSummary {
	t := &b.Table.API
	return api.BackupSummary{TableName: t.TableName, TableId: t.TableId, TableArn: t.TableArn, BackupArn: new(b.arn()), BackupName: &b.Name,
		BackupCreationDateTime: &b.Created, BackupStatus: &b.Status, BackupType: new(api.BackupTypeUser), BackupSizeBytes: &b.Bytes}
}

func (b *backup) description() *api.BackupDescription {
	t := &b.Table.API
	source := &api.SourceTableDetails{TableName: t.TableName, TableId: t.TableId, TableArn: t.TableArn, TableSizeBytes: &b.Bytes,
		KeySchema: t.KeySchema, TableCreationDateTime: t.CreationDateTime, OnDemandThroughput: t.OnDemandThroughput, ItemCount: &b.Items,
		ProvisionedThroughput: &api.ProvisionedThroughput{ReadCapacityUnits: t.ProvisionedThroughput.ReadCapacityUnits, WriteCapacityUnits: t.ProvisionedThroughput.WriteCapacityUnits},
		BillingMode:           new(api.BillingModeProvisioned)}
	if isOnDemand(&b.Table) {
		source.BillingMode = new(api.BillingModePayPerRequest)
	}
	features := &api.SourceTableFeatureDetails{StreamDescription: t.StreamSpecification, SSEDescription: t.SSEDescription}
	for _, x := range t.LocalSecondaryIndexes {
		features.LocalSecondaryIndexes = append(features.LocalSecondaryIndexes, api.LocalSecondaryIndexInfo{IndexName: x.IndexName, KeySchema: x.KeySchema, Projection: x.Projection})
	}
	for _, x := range t.GlobalSecondaryIndexes {
		features.GlobalSecondaryIndexes = append(features.GlobalSecondaryIndexes, api.GlobalSecondaryIndexInfo{IndexName: x.IndexName, KeySchema: x.KeySchema,
			Projection: x.Projection, OnDemandThroughput: x.OnDemandThroughput,
			ProvisionedThroughput: &api.ProvisionedThroughput{ReadCapacityUnits: x.ProvisionedThroughput.ReadCapacityUnits, WriteCapacityUnits: x.ProvisionedThroughput.WriteCapacityUnits}})
	}
	if b.Table.TimeToLive != nil {
		features.TimeToLiveDescription = &api.TimeToLiveDescription{AttributeName: &b.Table.TimeToLive.Attribute, TimeToLiveStatus: new(api.TimeToLiveStatusEnabled)}
	}
	return &api.BackupDescription{BackupDetails: b.details(), SourceTableDetails: source, SourceTableFeatureDetails: features}
}
