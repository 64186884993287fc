package kinesis

import (
	"context"
	"slices"

	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

// changeStream changes the record of the stream that a request names.
func (s *Service) changeStream(ctx context.Context, name, arn, id *string, f func(st *stream, r *record) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		st, err := s.find(ctx, tx, name, arn, id)
		if err != nil {
			return err
		}
		return st.change(tx, func(r *record) error { return f(st, r) })
	})
}

// checkRetention checks a retention period. The words are those of
// https://github.com/mhart/kinesalite/blob/master/test/increaseStreamRetentionPeriod.js, with today's limit.
func checkRetention(hours int32) error {
	switch {
	case hours < dayHours:
		return api.InvalidArgumentException.New("Minimum allowed retention period is %d hours. Requested retention period (%d hours) is too short.", dayHours, hours)
	case hours > maxHours:
		return api.InvalidArgumentException.New("Maximum allowed retention period is %d hours. Requested retention period (%d hours) is too long.", maxHours, hours)
	}
	return nil
}

// IncreaseStreamRetentionPeriod keeps records for longer.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_IncreaseStreamRetentionPeriod.html
func (s *Service) IncreaseStreamRetentionPeriod(ctx context.Context, in *api.IncreaseStreamRetentionPeriodInput) (*api.IncreaseStreamRetentionPeriodOutput, error) {
	hours := *in.RetentionPeriodHours
	if err := checkRetention(hours); err != nil {
		return nil, err
	}
	return nil, s.changeStream(ctx, in.StreamName, in.StreamARN, in.StreamId, func(st *stream, r *record) error {
		if int(hours) < r.Retention {
			return api.InvalidArgumentException.New("Requested retention period (%d hours) for stream %s can not be shorter than existing retention period (%d hours). Use DecreaseRetentionPeriod API.",
				hours, st.name, r.Retention)
		}
		r.Retention = int(hours)
		return nil
	})
}

// DecreaseStreamRetentionPeriod keeps records for less long. Those that are older are out of reach at once.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DecreaseStreamRetentionPeriod.html
func (s *Service) DecreaseStreamRetentionPeriod(ctx context.Context, in *api.DecreaseStreamRetentionPeriodInput) (*api.DecreaseStreamRetentionPeriodOutput, error) {
	hours := *in.RetentionPeriodHours
	if err := checkRetention(hours); err != nil {
		return nil, err
	}
	return nil, s.changeStream(ctx, in.StreamName, in.StreamARN, in.StreamId, func(st *stream, r *record) error {
		if int(hours) > r.Retention {
			return api.InvalidArgumentException.New("Requested retention period (%d hours) for stream %s can not be longer than existing retention period (%d hours). Use IncreaseRetentionPeriod API.",
				hours, st.name, r.Retention)
		}
		r.Retention = int(hours)
		return nil
	})
}

func checkMaxRecord(kib int) error {
	if kib < minMaxRecord || kib > maxMaxRecord {
		return api.ValidationException.New("1 validation error detected: Value '%d' at 'maxRecordSizeInKiB' failed to satisfy constraint: Member must have value between %d and %d", kib, minMaxRecord, maxMaxRecord)
	}
	return nil
}

// UpdateMaxRecordSize says how large a record may be.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateMaxRecordSize.html
func (s *Service) UpdateMaxRecordSize(ctx context.Context, in *api.UpdateMaxRecordSizeInput) (*api.UpdateMaxRecordSizeOutput, error) {
	kib := int(*in.MaxRecordSizeInKiB)
	if err := checkMaxRecord(kib); err != nil {
		return nil, err
	}
	return nil, s.changeStream(ctx, nil, in.StreamARN, in.StreamId, func(_ *stream, r *record) error {
		r.MaxRecord = kib
		return nil
	})
}

// StartStreamEncryption notes that a stream is encrypted, and with which key. What is stored stays as it is.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_StartStreamEncryption.html
func (s *Service) StartStreamEncryption(ctx context.Context, in *api.StartStreamEncryptionInput) (*api.StartStreamEncryptionOutput, error) {
	return nil, s.changeStream(ctx, in.StreamName, in.StreamARN, in.StreamId, func(_ *stream, r *record) error {
		if *in.EncryptionType == api.EncryptionTypeNone {
			return api.InvalidArgumentException.New("The EncryptionType NONE is not valid for StartStreamEncryption.")
		}
		r.Encryption, r.KeyID = *in.EncryptionType, *in.KeyId
		return nil
	})
}

// StopStreamEncryption takes that back.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_StopStreamEncryption.html
func (s *Service) StopStreamEncryption(ctx context.Context, in *api.StopStreamEncryptionInput) (*api.StopStreamEncryptionOutput, error) {
	return nil, s.changeStream(ctx, in.StreamName, in.StreamARN, in.StreamId, func(_ *stream, r *record) error {
		r.Encryption, r.KeyID = "", ""
		return nil
	})
}

// allMetrics are the metrics that enhanced monitoring has of a shard.
var allMetrics = []string{api.MetricsNameIncomingBytes, api.MetricsNameIncomingRecords, api.MetricsNameIteratorAgeMilliseconds,
	api.MetricsNameOutgoingBytes, api.MetricsNameOutgoingRecords, api.MetricsNameReadProvisionedThroughputExceeded, api.MetricsNameWriteProvisionedThroughputExceeded}

func namedMetrics(names []string) []string {
	if slices.Contains(names, api.MetricsNameAll) {
		return allMetrics
	}
	return names
}

// EnableEnhancedMonitoring notes which metrics of shards are wanted.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_EnableEnhancedMonitoring.html
func (s *Service) EnableEnhancedMonitoring(ctx context.Context, in *api.EnableEnhancedMonitoringInput) (*api.EnhancedMonitoringOutput, error) {
	return s.monitor(ctx, in.StreamName, in.StreamARN, in.StreamId, func(have []string) []string {
		for _, name := range namedMetrics(in.ShardLevelMetrics) {
			if !slices.Contains(have, name) {
				have = append(have, name)
			}
		}
		return have
	})
}

// DisableEnhancedMonitoring notes which no longer are.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DisableEnhancedMonitoring.html
func (s *Service) DisableEnhancedMonitoring(ctx context.Context, in *api.DisableEnhancedMonitoringInput) (*api.EnhancedMonitoringOutput, error) {
	return s.monitor(ctx, in.StreamName, in.StreamARN, in.StreamId, func(have []string) []string {
		unwanted := namedMetrics(in.ShardLevelMetrics)
		return slices.DeleteFunc(have, func(name string) bool { return slices.Contains(unwanted, name) })
	})
}

func (s *Service) monitor(ctx context.Context, name, arn, id *string, f func([]string) []string) (*api.EnhancedMonitoringOutput, error) {
	var out *api.EnhancedMonitoringOutput
	err := s.changeStream(ctx, name, arn, id, func(st *stream, r *record) error {
		out = &api.EnhancedMonitoringOutput{StreamName: new(st.name), StreamARN: new(st.arn()), CurrentShardLevelMetrics: st.record.monitoring()[0].ShardLevelMetrics}
		r.Metrics = f(r.Metrics)
		slices.Sort(r.Metrics)
		out.DesiredShardLevelMetrics = r.monitoring()[0].ShardLevelMetrics
		return nil
	})
	return out, err
}
