package dynamodb

import (
	"context"
	"slices"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/stream"
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

// updateStream opens or closes the table's stream.
func (s *Service) updateStream(tx store.Tx, r *table.Record, spec *api.StreamSpecification) error {
	if spec == nil {
		return nil
	}
	if *spec.StreamEnabled {
		switch {
		case spec.StreamViewType == nil:
			return wrong("If stream is being enabled then UpdateViewType is required")
		case r.Stream != nil:
			return invalid("Table already has an enabled stream: TableName: %s", r.Name)
		}
		return s.openStream(tx, r, *spec.StreamViewType)
	}
	switch {
	case spec.StreamViewType != nil:
		return wrong("If stream is being disabled, then UpdateViewType must not be specified")
	case r.Stream == nil:
		return invalid("Table has no stream to disable: TableName: %s", r.Name)
	}
	return s.closeStream(tx, r)
}

func streamOwnerOf(ref table.Ref) stream.Owner {
	return stream.Owner{Account: ref.Account, Region: ref.Region}
}

// Shards of a new stream: AWS has one for each of a table's partitions, of which a table on demand has four.
const (
	shardsOnDemand    = 4
	shardsProvisioned = 1
)

func (s *Service) openStream(tx store.Tx, r *table.Record, view string) error {
	shards := shardsProvisioned
	if isOnDemand(r) {
		shards = shardsOnDemand
	}
	o := streamOwnerOf(r.Ref)
	opened, err := stream.Open(tx, o, stream.Stream{Table: r.Name, View: view, Keys: names(r.API.KeySchema), Shards: shards}, s.Clock())
	if err != nil {
		return err
	}
	r.Stream = opened
	r.API.StreamSpecification = &api.StreamSpecification{StreamEnabled: new(true), StreamViewType: &view}
	r.API.LatestStreamLabel, r.API.LatestStreamArn = &opened.Label, new(opened.ARN(o))
	return nil
}

// closeStream closes a table's stream, if it has one. Its label and its name stay in the description, as on AWS.
func (s *Service) closeStream(tx store.Tx, r *table.Record) error {
	if r.Stream == nil {
		return nil
	}
	err := stream.Close(tx, streamOwnerOf(r.Ref), r.Stream, s.Clock())
	r.Stream, r.API.StreamSpecification = nil, nil
	return err
}

// checkCreateStream checks the stream of a table that is to be made.
func checkCreateStream(spec *api.StreamSpecification) error {
	switch {
	case spec == nil:
		return nil
	case *spec.StreamEnabled && spec.StreamViewType == nil:
		return wrong("Table is being created with a stream enabled, UpdateViewType is required")
	case !*spec.StreamEnabled && spec.StreamViewType != nil:
		return wrong("Table is being created with a stream disabled, UpdateViewType should not be specified")
	}
	return nil
}

// checkEncryption checks a specification of encryption.
func checkEncryption(spec *api.SSESpecification) error {
	if spec == nil {
		return nil
	}
	enabled, kind := awsapi.Val(spec.Enabled), awsapi.Val(spec.SSEType)
	switch {
	case !enabled && spec.SSEType != nil:
		return wrong("SSEType can not be specified if Enabled is false")
	case !enabled && spec.KMSMasterKeyId != nil:
		return wrong("KMSMasterKeyId can not be specified if Enabled is false")
	case kind == api.SSETypeAes256:
		return wrong("SSEType AES256 is not supported")
	case spec.KMSMasterKeyId != nil && spec.SSEType == nil:
		return wrong("SSEType KMS is required if KMSMasterKeyId is specified")
	}
	return nil
}

// describeEncryption is what the description says of the key. Cirro has no KMS: it keeps what was asked for, and
// encrypts nothing itself (see docs/dynamodb.md).
func describeEncryption(ref table.Ref, spec *api.SSESpecification) *api.SSEDescription {
	if spec == nil || !awsapi.Val(spec.Enabled) {
		return nil
	}
	key := awsapi.Val(spec.KMSMasterKeyId)
	if key == "" {
		key = "alias/aws/dynamodb"
	}
	if !strings.HasPrefix(key, "arn:") {
		if !strings.HasPrefix(key, "alias/") {
			key = "key/" + key
		}
		key = "arn:aws:kms:" + ref.Region + ":" + ref.Account + ":" + key
	}
	return &api.SSEDescription{Status: new(api.SSEStatusEnabled), SSEType: new(api.SSETypeKms), KMSMasterKeyArn: &key}
}

func updateEncryption(r *table.Record, spec *api.SSESpecification) error {
	if err := checkEncryption(spec); err != nil {
		return err
	}
	d := describeEncryption(r.Ref, spec)
	if d == nil && r.API.SSEDescription == nil {
		return wrong("Table is already encrypted by default")
	}
	if d != nil && r.API.SSEDescription != nil && *d.KMSMasterKeyArn == *r.API.SSEDescription.KMSMasterKeyArn {
		return wrong("Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter if you want to change Master Key")
	}
	r.API.SSEDescription = d
	return nil
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
