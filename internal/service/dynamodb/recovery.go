package dynamodb

import (
	"context"
	"errors"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// recoveryDays is how far back point-in-time recovery reaches, unless a request says less.
const recoveryDays = 35

// grace is how much longer is kept what restorations that have begun may need.
const grace = time.Hour

// UpdateContinuousBackups switches point-in-time recovery on or off. While it is on, each write keeps what it replaced.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContinuousBackups.html
func (s *Service) UpdateContinuousBackups(ctx context.Context, in *api.UpdateContinuousBackupsInput) (*api.UpdateContinuousBackupsOutput, error) {
	ref, err := refOf(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	spec := in.PointInTimeRecoverySpecification
	on := *spec.PointInTimeRecoveryEnabled
	if !on && spec.RecoveryPeriodInDays != nil {
		return nil, invalid("Invalid Request: Cannot specify RecoveryPeriodInDays when disabling point-in-time recovery.")
	}
	var d *api.ContinuousBackupsDescription
	err = s.catalog.Change(ctx, ref, func(tx store.Tx, r *table.Record) (*table.Record, error) {
		if r == nil {
			return nil, tableNotFound(ref)
		}
		if err := s.setRecovery(tx, r, on, spec.RecoveryPeriodInDays); err != nil {
			return nil, err
		}
		d = s.describeRecovery(r)
		return r, nil
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateContinuousBackupsOutput{ContinuousBackupsDescription: d}, nil
}

func (s *Service) setRecovery(tx store.Tx, r *table.Record, on bool, days *int32) error {
	if !on {
		used, err := restoring(tx, r.Ref, func(s *table.Source) bool { return s.Table == r.Name })
		if err != nil {
			return err
		}
		if used {
			return api.ContinuousBackupsUnavailableException.New("Another table is being restored from the table: %s. Please retry later", r.Name)
		}
		r.Recovery = nil
		t, err := table.New(r)
		if err != nil {
			return err
		}
		return t.ClearReplaced(tx)
	}
	if r.Recovery == nil {
		r.Recovery = &table.Recovery{Since: s.Clock().UTC(), Days: recoveryDays}
	}
	if days != nil {
		r.Recovery.Days = *days
	}
	return nil
}

// DescribeContinuousBackups tells whether point-in-time recovery is on, and how far back it reaches.
func (s *Service) DescribeContinuousBackups(ctx context.Context, in *api.DescribeContinuousBackupsInput) (*api.DescribeContinuousBackupsOutput, error) {
	t, err := s.describe(ctx, in.TableName)
	if errors.Is(err, api.ResourceNotFoundException) {
		return nil, api.TableNotFoundException.New("Table not found: %s", awsapi.Val(in.TableName))
	}
	if err != nil {
		return nil, err
	}
	return &api.DescribeContinuousBackupsOutput{ContinuousBackupsDescription: s.describeRecovery(t.Record)}, nil
}

func (s *Service) describeRecovery(r *table.Record) *api.ContinuousBackupsDescription {
	d := &api.PointInTimeRecoveryDescription{PointInTimeRecoveryStatus: new(api.PointInTimeRecoveryStatusDisabled)}
	if r.Recovery != nil {
		now := s.Clock().UTC()
		d.PointInTimeRecoveryStatus, d.RecoveryPeriodInDays = new(api.PointInTimeRecoveryStatusEnabled), &r.Recovery.Days
		d.EarliestRestorableDateTime, d.LatestRestorableDateTime = new(r.Recovery.Earliest(now)), &now
	}
	return &api.ContinuousBackupsDescription{ContinuousBackupsStatus: new(api.ContinuousBackupsStatusEnabled), PointInTimeRecoveryDescription: d}
}

// forget removes what no point-in-time recovery can reach any more.
func (s *Service) forget(ctx context.Context) {
	var tables []table.Record
	err := s.Store.View(ctx, func(r store.Reader) error {
		for record, err := range store.Records[table.Record](r, store.Prefix("dynamodb", "table")) {
			if err != nil {
				return err
			}
			if record.Recovery != nil {
				tables = append(tables, record)
			}
		}
		return nil
	})
	for i := 0; i < len(tables) && err == nil; i++ {
		err = s.forgetOf(ctx, &tables[i])
	}
	s.complain(err, "what point-in-time recovery need not keep")
}

func (s *Service) forgetOf(ctx context.Context, r *table.Record) error {
	t, err := table.New(r)
	if err != nil {
		return err
	}
	var through int64
	err = s.Store.View(ctx, func(reader store.Reader) (err error) {
		through, err = t.ReplacedBefore(reader, r.Recovery.Earliest(s.Clock()).Add(-grace))
		return err
	})
	if err != nil || through == 0 {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error { return t.ForgetReplaced(tx, through) })
}
