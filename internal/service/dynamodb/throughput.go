package dynamodb

import (
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
)

func warmThroughput(w *api.WarmThroughput) *api.TableWarmThroughputDescription {
	if w == nil {
		return nil
	}
	return &api.TableWarmThroughputDescription{ReadUnitsPerSecond: w.ReadUnitsPerSecond, WriteUnitsPerSecond: w.WriteUnitsPerSecond, Status: new("ACTIVE")}
}

func warmIndex(w *api.WarmThroughput) *api.GlobalSecondaryIndexWarmThroughputDescription {
	if w == nil {
		return nil
	}
	return &api.GlobalSecondaryIndexWarmThroughputDescription{ReadUnitsPerSecond: w.ReadUnitsPerSecond, WriteUnitsPerSecond: w.WriteUnitsPerSecond, Status: new("ACTIVE")}
}

func isOnDemand(r *table.Record) bool {
	return r.API.BillingModeSummary != nil && awsapi.Val(r.API.BillingModeSummary.BillingMode) == api.BillingModePayPerRequest
}

// updateCapacity changes the billing mode and the throughput.
func updateCapacity(r *table.Record, in *api.UpdateTableInput, now time.Time) error {
	was := isOnDemand(r)
	onDemand := was
	if in.BillingMode != nil {
		onDemand = *in.BillingMode == api.BillingModePayPerRequest
	}
	switch {
	case onDemand && in.ProvisionedThroughput != nil:
		return wrong("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
	case was && !onDemand && in.ProvisionedThroughput == nil:
		return wrong("ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
	}
	if err := checkOnDemand(in.OnDemandThroughput, onDemand, true, "table"); err != nil {
		return err
	}
	r.API.OnDemandThroughput = mergeOnDemand(r.API.OnDemandThroughput, in.OnDemandThroughput)
	if onDemand && !was {
		r.API.BillingModeSummary = &api.BillingModeSummary{BillingMode: in.BillingMode, LastUpdateToPayPerRequestDateTime: &now}
		r.API.ProvisionedThroughput = throughputOf(nil)
		for i := range r.API.GlobalSecondaryIndexes {
			r.API.GlobalSecondaryIndexes[i].ProvisionedThroughput = throughputOf(nil)
		}
		return nil
	}
	if in.BillingMode != nil && !onDemand && was {
		r.API.BillingModeSummary.BillingMode = in.BillingMode
		r.API.OnDemandThroughput = nil
	}
	if in.ProvisionedThroughput == nil {
		return nil
	}
	if err := checkUnits(in.ProvisionedThroughput); err != nil {
		return err
	}
	is, p := r.API.ProvisionedThroughput, in.ProvisionedThroughput
	if !was && *is.ReadCapacityUnits == *p.ReadCapacityUnits && *is.WriteCapacityUnits == *p.WriteCapacityUnits && len(in.GlobalSecondaryIndexUpdates) == 0 {
		return unchanged("for the table", "for the table", is, p)
	}
	r.API.ProvisionedThroughput = changedThroughput(is, p, now)
	return nil
}

// mergeOnDemand changes bounds to those that are given; -1 lifts one.
func mergeOnDemand(is, given *api.OnDemandThroughput) *api.OnDemandThroughput {
	if given == nil {
		return is
	}
	merged := api.OnDemandThroughput{}
	if is != nil {
		merged = *is
	}
	set := func(to **int64, units *int64) {
		switch {
		case units == nil:
		case *units == -1:
			*to = nil
		default:
			*to = units
		}
	}
	set(&merged.MaxReadRequestUnits, given.MaxReadRequestUnits)
	set(&merged.MaxWriteRequestUnits, given.MaxWriteRequestUnits)
	if merged == (api.OnDemandThroughput{}) {
		return nil
	}
	return &merged
}

func unchanged(what, of string, is *api.ProvisionedThroughputDescription, p *api.ProvisionedThroughput) error {
	return invalid("The provisioned throughput %s will not change. The requested value equals the current value. "+
		"Current ReadCapacityUnits provisioned %s: %d. Requested ReadCapacityUnits: %d. "+
		"Current WriteCapacityUnits provisioned %s: %d. Requested WriteCapacityUnits: %d. "+
		"Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
		what, of, *is.ReadCapacityUnits, *p.ReadCapacityUnits, of, *is.WriteCapacityUnits, *p.WriteCapacityUnits)
}

// changedThroughput is the throughput as it is after a change, with when it was raised and lowered.
func changedThroughput(is *api.ProvisionedThroughputDescription, p *api.ProvisionedThroughput, now time.Time) *api.ProvisionedThroughputDescription {
	d := *is
	if *p.ReadCapacityUnits > *is.ReadCapacityUnits || *p.WriteCapacityUnits > *is.WriteCapacityUnits {
		d.LastIncreaseDateTime = &now
	}
	if *p.ReadCapacityUnits < *is.ReadCapacityUnits || *p.WriteCapacityUnits < *is.WriteCapacityUnits {
		today := int64(0)
		if last := d.LastDecreaseDateTime; last != nil && last.UTC().Truncate(24*time.Hour).Equal(now.UTC().Truncate(24*time.Hour)) {
			today = awsapi.Val(d.NumberOfDecreasesToday)
		}
		d.LastDecreaseDateTime, d.NumberOfDecreasesToday = &now, new(today+1)
	}
	d.ReadCapacityUnits, d.WriteCapacityUnits = p.ReadCapacityUnits, p.WriteCapacityUnits
	return &d
}

// checkUnits bounds capacity units.
func checkUnits(p *api.ProvisionedThroughput) error {
	for _, u := range []struct {
		name  string
		units *int64
	}{{"ReadCapacityUnits", p.ReadCapacityUnits}, {"WriteCapacityUnits", p.WriteCapacityUnits}} {
		if awsapi.Val(u.units) > maxUnits {
			return invalid("Given value %d for %s is out of bounds", *u.units, u.name)
		}
	}
	return nil
}
