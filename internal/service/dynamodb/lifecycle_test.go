package dynamodb

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	streamsapi "cirro/internal/awsapi/dynamodbstreams"
	"cirro/internal/store/pebble"
)

// plane is a service on a store of its own, as its control plane's tests use it.
type plane struct {
	*testing.T
	*Service
	ctx   context.Context
	dir   string
	close func()
	ahead atomic.Int64 // nanoseconds before the real time
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	p := &plane{T: t, dir: t.TempDir()}
	p.ctx = awsapi.WithRequest(t.Context(), &awsapi.Request{Region: "eu-west-1", Endpoint: "http://127.0.0.1:4566",
		Principal: awsapi.RootPrincipal("000000000000", "")})
	p.start()
	t.Cleanup(func() { p.close() })
	return p
}

// start opens the store and a service on it. Expiries are looked for when the test says so.
func (p *plane) start() {
	p.Helper()
	st, err := pebble.Open(p.dir, pebble.Options{})
	p.must(err)
	p.Service = New(Deps{Store: st, Log: slog.New(slog.DiscardHandler), ExpiryInterval: time.Hour,
		Clock: func() time.Time { return time.Now().Add(time.Duration(p.ahead.Load())) }})
	p.Start(p.ctx)
	started := p.Service
	p.close = func() {
		if err := started.Close(); err != nil {
			p.Error(err)
		}
		if err := st.Close(); err != nil {
			p.Error(err)
		}
	}
}

func (p *plane) restart() {
	p.Helper()
	p.close()
	p.start()
}

func (p *plane) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// definitions are attributes of type S.
func definitions(names ...string) (all []api.AttributeDefinition) {
	for _, name := range names {
		all = append(all, api.AttributeDefinition{AttributeName: new(name), AttributeType: new("S")})
	}
	return all
}

func keySchema(hash string, sort ...string) []api.KeySchemaElement {
	keys := []api.KeySchemaElement{{AttributeName: &hash, KeyType: new("HASH")}}
	for _, name := range sort {
		keys = append(keys, api.KeySchemaElement{AttributeName: new(name), KeyType: new("RANGE")})
	}
	return keys
}

func (p *plane) create(name string, change func(*api.CreateTableInput)) *api.TableDescription {
	p.Helper()
	in := &api.CreateTableInput{TableName: &name, AttributeDefinitions: definitions("id"), KeySchema: keySchema("id"),
		BillingMode: new(api.BillingModePayPerRequest)}
	if change != nil {
		change(in)
	}
	out, err := p.CreateTable(p.ctx, in)
	p.must(err)
	return out.TableDescription
}

func (p *plane) put(table string, attributes ...string) {
	p.Helper()
	it := map[string]api.AttributeValue{}
	for i := 0; i < len(attributes); i += 2 {
		it[attributes[i]] = api.AttributeValue{S: new(attributes[i+1])}
	}
	_, err := p.PutItem(p.ctx, &api.PutItemInput{TableName: &table, Item: it})
	p.must(err)
}

func (p *plane) described(table string) *api.TableDescription {
	p.Helper()
	out, err := p.DescribeTable(p.ctx, &api.DescribeTableInput{TableName: &table})
	p.must(err)
	return out.Table
}

// settled waits until a table is ACTIVE.
func (p *plane) settled(table string) *api.TableDescription {
	p.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if d := p.described(table); *d.TableStatus == api.TableStatusActive {
			return d
		}
	}
	p.Fatalf("table %s: %s", table, *p.described(table).TableStatus)
	return nil
}

// count counts the items of a table, or of an index where it has a name.
func (p *plane) count(table, index string) (n int) {
	p.Helper()
	in := &api.ScanInput{TableName: &table}
	if index != "" {
		in.IndexName = &index
	}
	for {
		out, err := p.Scan(p.ctx, in)
		p.must(err)
		n += len(out.Items)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			return n
		}
	}
}

func (p *plane) events(arn string) (events []string) {
	p.Helper()
	d, err := p.Streams().DescribeStream(p.ctx, &streamsapi.DescribeStreamInput{StreamArn: &arn})
	p.must(err)
	for _, shard := range d.StreamDescription.Shards {
		it, err := p.Streams().GetShardIterator(p.ctx, &streamsapi.GetShardIteratorInput{StreamArn: &arn, ShardId: shard.ShardId, ShardIteratorType: new("TRIM_HORIZON")})
		p.must(err)
		out, err := p.Streams().GetRecords(p.ctx, &streamsapi.GetRecordsInput{ShardIterator: it.ShardIterator})
		p.must(err)
		for _, r := range out.Records {
			who := ""
			if r.UserIdentity != nil {
				who = " by " + *r.UserIdentity.PrincipalId
			}
			events = append(events, *r.EventName+" "+*r.Dynamodb.Keys["id"].S+who)
		}
	}
	return events
}

func createIndexUpdate(name, hash string) api.GlobalSecondaryIndexUpdate {
	return api.GlobalSecondaryIndexUpdate{Create: &api.CreateGlobalSecondaryIndexAction{IndexName: &name, KeySchema: keySchema(hash),
		Projection: &api.Projection{ProjectionType: new(api.ProjectionTypeAll)}}}
}

func TestBuildIndex(t *testing.T) {
	p := newPlane(t)
	p.create("music", nil)
	const n = 2*portion + 10
	for i := range n {
		p.put("music", "id", fmt.Sprint(i), "genre", fmt.Sprint(i%7))
	}
	p.put("music", "id", "without")
	out, err := p.UpdateTable(p.ctx, &api.UpdateTableInput{TableName: new("music"), AttributeDefinitions: definitions("id", "genre"),
		GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{createIndexUpdate("by-genre", "genre")}})
	p.must(err)
	x := out.TableDescription.GlobalSecondaryIndexes[0]
	if *out.TableDescription.TableStatus != "UPDATING" || *x.IndexStatus != "CREATING" || !*x.Backfilling {
		t.Errorf("%s, %s", *out.TableDescription.TableStatus, *x.IndexStatus)
	}
	for i := range 20 { // meanwhile
		p.put("music", "id", fmt.Sprint("late", i), "genre", "late")
		p.put("music", "id", fmt.Sprint(i), "genre", "changed")
	}
	d := p.settled("music")
	if x := d.GlobalSecondaryIndexes[0]; *x.IndexStatus != "ACTIVE" || x.Backfilling != nil || len(d.AttributeDefinitions) != 2 {
		t.Errorf("%+v", x)
	}
	if got := p.count("music", "by-genre"); got != n+20 {
		t.Errorf("the index has %d items, not %d", got, n+20)
	}
	_, err = p.UpdateTable(p.ctx, &api.UpdateTableInput{TableName: new("music"), GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{
		{Delete: &api.DeleteGlobalSecondaryIndexAction{IndexName: new("by-genre")}}}})
	p.must(err)
	if d := p.settled("music"); d.GlobalSecondaryIndexes != nil || len(d.AttributeDefinitions) != 1 {
		t.Errorf("%+v", d)
	}
}

// TestBuildIndexAfterRestart stops the service in the middle of a change: the next one ends it.
func TestBuildIndexAfterRestart(t *testing.T) {
	p := newPlane(t)
	p.create("music", nil)
	const n = 3 * portion
	for i := range n {
		p.put("music", "id", fmt.Sprint(i), "genre", fmt.Sprint(i%7))
	}
	_, err := p.UpdateTable(p.ctx, &api.UpdateTableInput{TableName: new("music"), AttributeDefinitions: definitions("id", "genre"),
		GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{createIndexUpdate("by-genre", "genre")}})
	p.must(err)
	p.restart()
	p.settled("music")
	if got := p.count("music", "by-genre"); got != n {
		t.Errorf("the index has %d items, not %d", got, n)
	}
}

func TestTableStream(t *testing.T) {
	p := newPlane(t)
	p.put(*p.create("quiet", nil).TableName, "id", "0")
	enabled := &api.StreamSpecification{StreamEnabled: new(true), StreamViewType: new("KEYS_ONLY")}
	d := p.create("music", func(in *api.CreateTableInput) { in.StreamSpecification = enabled })
	if !*d.StreamSpecification.StreamEnabled || d.LatestStreamLabel == nil {
		t.Fatalf("%+v", d)
	}
	first := *d.LatestStreamArn
	p.put("music", "id", "1")
	_, err := p.UpdateTable(p.ctx, &api.UpdateTableInput{TableName: new("music"), StreamSpecification: enabled})
	fails(t, err, awsapi.ValidationException, "Table already has an enabled stream: TableName: music")
	disabled := &api.UpdateTableInput{TableName: new("music"), StreamSpecification: &api.StreamSpecification{StreamEnabled: new(false)}}
	_, err = p.UpdateTable(p.ctx, disabled)
	p.must(err)
	p.put("music", "id", "2")
	if d := p.described("music"); d.StreamSpecification != nil || *d.LatestStreamArn != first {
		t.Errorf("disabled: %+v", d)
	}
	_, err = p.UpdateTable(p.ctx, disabled)
	fails(t, err, awsapi.ValidationException, "Table has no stream to disable: TableName: music")
	_, err = p.UpdateTable(p.ctx, &api.UpdateTableInput{TableName: new("music"), StreamSpecification: enabled})
	p.must(err)
	second := *p.described("music").LatestStreamArn
	p.put("music", "id", "3")
	_, err = p.DeleteTable(p.ctx, &api.DeleteTableInput{TableName: new("music")})
	p.must(err)
	if a, b := p.events(first), p.events(second); fmt.Sprint(a, b) != "[INSERT 1] [INSERT 3]" {
		t.Errorf("%q, %q", a, b)
	}
	all, err := p.Streams().ListStreams(p.ctx, &streamsapi.ListStreamsInput{})
	if err != nil || len(all.Streams) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestTimeToLive(t *testing.T) {
	p := newPlane(t)
	arn := *p.create("music", func(in *api.CreateTableInput) {
		in.StreamSpecification = &api.StreamSpecification{StreamEnabled: new(true), StreamViewType: new("NEW_AND_OLD_IMAGES")}
	}).LatestStreamArn
	now := time.Now()
	put := func(id string, expires api.AttributeValue) {
		t.Helper()
		_, err := p.PutItem(p.ctx, &api.PutItemInput{TableName: new("music"), Item: map[string]api.AttributeValue{"id": {S: &id}, "expires": expires}})
		p.must(err)
	}
	at := func(d time.Duration) api.AttributeValue {
		return api.AttributeValue{N: new(fmt.Sprint(now.Add(d).Unix()))}
	}
	put("before", at(-time.Minute))
	spec := &api.TimeToLiveSpecification{Enabled: new(true), AttributeName: new("expires")}
	_, err := p.UpdateTimeToLive(p.ctx, &api.UpdateTimeToLiveInput{TableName: new("music"), TimeToLiveSpecification: spec})
	p.must(err)
	_, err = p.UpdateTimeToLive(p.ctx, &api.UpdateTimeToLiveInput{TableName: new("music"), TimeToLiveSpecification: spec})
	fails(t, err, awsapi.ValidationException, "TimeToLive is already enabled")
	for status := ""; status != api.TimeToLiveStatusEnabled; time.Sleep(time.Millisecond) {
		out, err := p.DescribeTimeToLive(p.ctx, &api.DescribeTimeToLiveInput{TableName: new("music")})
		p.must(err)
		status = *out.TimeToLiveDescription.TimeToLiveStatus
	}
	put("past", at(-time.Hour))
	put("fraction", api.AttributeValue{N: new(fmt.Sprint(now.Add(-time.Minute).Unix(), ".5"))})
	put("later", at(time.Hour))
	put("prolonged", at(-time.Minute))
	put("prolonged", at(time.Hour))
	put("text", api.AttributeValue{S: new(fmt.Sprint(now.Unix() - 100))})
	put("ancient", at(-6*365*24*time.Hour))
	p.expire(p.ctx)
	if n := p.count("music", ""); n != 4 {
		t.Errorf("%d items are left", n)
	}
	removed := map[string]bool{}
	for _, e := range p.events(arn) {
		removed[e] = true
	}
	for _, id := range []string{"before", "past", "fraction"} {
		if !removed["REMOVE "+id+" by dynamodb.amazonaws.com"] {
			t.Errorf("%s is not told in %v", id, removed)
		}
	}
	p.ahead.Store(int64(2 * time.Hour))
	p.expire(p.ctx)
	if n := p.count("music", ""); n != 2 {
		t.Errorf("%d items are left after two hours", n)
	}
	_, err = p.UpdateTimeToLive(p.ctx, &api.UpdateTimeToLiveInput{TableName: new("music"), TimeToLiveSpecification: &api.TimeToLiveSpecification{Enabled: new(true), AttributeName: new("other")}})
	fails(t, err, awsapi.ValidationException, "TimeToLive is active on a different AttributeName: current AttributeName is expires")
	spec.Enabled = new(false)
	_, err = p.UpdateTimeToLive(p.ctx, &api.UpdateTimeToLiveInput{TableName: new("music"), TimeToLiveSpecification: spec})
	p.must(err)
	put("kept", at(-time.Minute))
	p.expire(p.ctx)
	if n := p.count("music", ""); n != 3 {
		t.Errorf("%d items are left after time to live was switched off", n)
	}
}

func TestUpdateTableChecks(t *testing.T) {
	p := newPlane(t)
	p.create("ondemand", nil)
	provisioned := func(r, w int64) *api.ProvisionedThroughput {
		return &api.ProvisionedThroughput{ReadCapacityUnits: &r, WriteCapacityUnits: &w}
	}
	p.create("fixed", func(in *api.CreateTableInput) { in.BillingMode, in.ProvisionedThroughput = nil, provisioned(2, 3) })
	index := []api.GlobalSecondaryIndexUpdate{createIndexUpdate("x", "genre")}
	for _, c := range []struct {
		table string
		in    api.UpdateTableInput
		kind  *awsapi.ErrorType
		part  string
	}{
		{"none", api.UpdateTableInput{DeletionProtectionEnabled: new(true)}, api.ResourceNotFoundException, "Requested resource not found: Table: none not found"},
		{"fixed", api.UpdateTableInput{}, awsapi.ValidationException, "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled"},
		{"fixed", api.UpdateTableInput{DeletionProtectionEnabled: new(true), TableClass: new("STANDARD")}, awsapi.ValidationException, "modification must be the only operation in the request"},
		{"fixed", api.UpdateTableInput{ProvisionedThroughput: provisioned(2, 3)}, awsapi.ValidationException, "The provisioned throughput for the table will not change. The requested value equals the current value. Current ReadCapacityUnits provisioned for the table: 2."},
		{"ondemand", api.UpdateTableInput{ProvisionedThroughput: provisioned(2, 3)}, awsapi.ValidationException, "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"},
		{"ondemand", api.UpdateTableInput{BillingMode: new("PROVISIONED")}, awsapi.ValidationException, "ProvisionedThroughput must be specified when BillingMode is PROVISIONED"},
		{"ondemand", api.UpdateTableInput{StreamSpecification: &api.StreamSpecification{StreamEnabled: new(true)}}, awsapi.ValidationException, "If stream is being enabled then UpdateViewType is required"},
		{"ondemand", api.UpdateTableInput{GlobalSecondaryIndexUpdates: index}, awsapi.ValidationException, "AttributeDefinitions is not specified for index: x"},
		{"ondemand", api.UpdateTableInput{GlobalSecondaryIndexUpdates: index, AttributeDefinitions: definitions("id")}, awsapi.ValidationException, "Some index key attributes are not defined in AttributeDefinitions. Keys: [genre], AttributeDefinitions: [id]"},
		{"fixed", api.UpdateTableInput{GlobalSecondaryIndexUpdates: index, AttributeDefinitions: definitions("id", "genre")}, awsapi.ValidationException, "ProvisionedThroughput must be specified for index: x"},
		{"ondemand", api.UpdateTableInput{GlobalSecondaryIndexUpdates: append(index, createIndexUpdate("y", "genre")), AttributeDefinitions: definitions("genre")}, api.LimitExceededException, "Only 1 online index can be created or deleted simultaneously per table"},
		{"ondemand", api.UpdateTableInput{GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{}}}, awsapi.ValidationException, "must not be null"},
		{"ondemand", api.UpdateTableInput{GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{Delete: &api.DeleteGlobalSecondaryIndexAction{IndexName: new("none")}}}}, api.ResourceNotFoundException, "Requested resource not found"},
		{"fixed", api.UpdateTableInput{OnDemandThroughput: &api.OnDemandThroughput{MaxReadRequestUnits: new(int64(5))}}, awsapi.ValidationException, "MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED"},
		{"ondemand", api.UpdateTableInput{OnDemandThroughput: &api.OnDemandThroughput{MaxWriteRequestUnits: new(int64(0))}}, awsapi.ValidationException, "Requested MaxWriteRequestUnits for OnDemandThroughput for table is outside of valid range"},
		{"ondemand", api.UpdateTableInput{ReplicaUpdates: []api.ReplicationGroupUpdate{{}}}, awsapi.NotImplemented, "UpdateTable with ReplicaUpdates"},
		{"ondemand", api.UpdateTableInput{SSESpecification: &api.SSESpecification{Enabled: new(false)}}, awsapi.ValidationException, "Table is already encrypted by default"},
	} {
		c.in.TableName = &c.table
		_, err := p.UpdateTable(p.ctx, &c.in)
		fails(t, err, c.kind, c.part)
	}
}

func TestCreateTableChecks(t *testing.T) {
	p := newPlane(t)
	index := func(change func(*api.GlobalSecondaryIndex)) func(*api.CreateTableInput) {
		return func(in *api.CreateTableInput) {
			x := api.GlobalSecondaryIndex{IndexName: new("by-v"), KeySchema: keySchema("v"), Projection: &api.Projection{ProjectionType: new("ALL")}}
			change(&x)
			in.AttributeDefinitions, in.GlobalSecondaryIndexes = definitions("id", "v"), []api.GlobalSecondaryIndex{x}
		}
	}
	for _, c := range []struct {
		change func(*api.CreateTableInput)
		part   string
	}{
		{func(in *api.CreateTableInput) { in.AttributeDefinitions = definitions("id", "id") }, "Attribute Name is duplicated: id"},
		{func(in *api.CreateTableInput) {
			in.StreamSpecification = &api.StreamSpecification{StreamEnabled: new(true)}
		}, "Table is being created with a stream enabled, UpdateViewType is required"},
		{func(in *api.CreateTableInput) {
			in.StreamSpecification = &api.StreamSpecification{StreamEnabled: new(false), StreamViewType: new("KEYS_ONLY")}
		}, "Table is being created with a stream disabled, UpdateViewType should not be specified"},
		{func(in *api.CreateTableInput) { in.SSESpecification = &api.SSESpecification{SSEType: new("KMS")} }, "SSEType can not be specified if Enabled is false"},
		{func(in *api.CreateTableInput) {
			in.OnDemandThroughput = &api.OnDemandThroughput{MaxReadRequestUnits: new(int64(0))}
		}, "Requested MaxReadRequestUnits for OnDemandThroughput for table is outside of valid range"},
		{func(in *api.CreateTableInput) { in.Tags = []api.Tag{{Key: new("aws:x"), Value: new("")}} }, "Tag Key cannot be prefixed with aws:, Key: aws:x"},
		{func(in *api.CreateTableInput) { in.ResourcePolicy = new("{}") }, "Statement is empty!"},
		{index(func(x *api.GlobalSecondaryIndex) {
			x.Projection = &api.Projection{ProjectionType: new("INCLUDE"), NonKeyAttributes: []string{"a", "a"}}
		}), "Duplicate element in NonKeyAttributes: a"},
		{index(func(x *api.GlobalSecondaryIndex) {
			x.ProvisionedThroughput = &api.ProvisionedThroughput{ReadCapacityUnits: new(int64(1)), WriteCapacityUnits: new(int64(1))}
		}), "ProvisionedThroughput should not be specified for index: by-v when BillingMode is PAY_PER_REQUEST"},
	} {
		in := &api.CreateTableInput{TableName: new("music"), AttributeDefinitions: definitions("id"), KeySchema: keySchema("id"), BillingMode: new("PAY_PER_REQUEST")}
		c.change(in)
		_, err := p.CreateTable(p.ctx, in)
		fails(t, err, awsapi.ValidationException, c.part)
	}
}

func TestUpdateCapacity(t *testing.T) {
	p := newPlane(t)
	units := func(r, w int64) *api.ProvisionedThroughput {
		return &api.ProvisionedThroughput{ReadCapacityUnits: &r, WriteCapacityUnits: &w}
	}
	p.create("music", func(in *api.CreateTableInput) { in.BillingMode, in.ProvisionedThroughput = nil, units(5, 5) })
	update := func(in api.UpdateTableInput) *api.TableDescription {
		t.Helper()
		in.TableName = new("music")
		out, err := p.UpdateTable(p.ctx, &in)
		p.must(err)
		if *out.TableDescription.TableStatus != "UPDATING" {
			t.Errorf("the reply says %s", *out.TableDescription.TableStatus)
		}
		return p.described("music")
	}
	d := update(api.UpdateTableInput{ProvisionedThroughput: units(10, 5)})
	if is := d.ProvisionedThroughput; *is.ReadCapacityUnits != 10 || is.LastIncreaseDateTime == nil || is.LastDecreaseDateTime != nil {
		t.Errorf("%+v", is)
	}
	d = update(api.UpdateTableInput{ProvisionedThroughput: units(1, 5)})
	if is := d.ProvisionedThroughput; is.LastDecreaseDateTime == nil || *is.NumberOfDecreasesToday != 1 {
		t.Errorf("%+v", is)
	}
	d = update(api.UpdateTableInput{BillingMode: new("PAY_PER_REQUEST")})
	if *d.BillingModeSummary.BillingMode != "PAY_PER_REQUEST" || *d.ProvisionedThroughput.ReadCapacityUnits != 0 {
		t.Errorf("%+v, %+v", d.BillingModeSummary, d.ProvisionedThroughput)
	}
	bound := func(n int64) api.UpdateTableInput {
		return api.UpdateTableInput{OnDemandThroughput: &api.OnDemandThroughput{MaxReadRequestUnits: &n}}
	}
	if d = update(bound(5)); *d.OnDemandThroughput.MaxReadRequestUnits != 5 {
		t.Errorf("%+v", d.OnDemandThroughput)
	}
	if d = update(bound(-1)); d.OnDemandThroughput != nil {
		t.Errorf("%+v", d.OnDemandThroughput)
	}
	d = update(api.UpdateTableInput{BillingMode: new("PROVISIONED"), ProvisionedThroughput: units(3, 4)})
	if *d.BillingModeSummary.BillingMode != "PROVISIONED" || *d.ProvisionedThroughput.WriteCapacityUnits != 4 {
		t.Errorf("%+v, %+v", d.BillingModeSummary, d.ProvisionedThroughput)
	}
	update(api.UpdateTableInput{DeletionProtectionEnabled: new(true)})
	_, err := p.DeleteTable(p.ctx, &api.DeleteTableInput{TableName: new("music")})
	fails(t, err, awsapi.ValidationException, "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	if d = update(api.UpdateTableInput{TableClass: new("STANDARD_INFREQUENT_ACCESS")}); *d.TableClassSummary.TableClass != "STANDARD_INFREQUENT_ACCESS" {
		t.Errorf("%+v", d.TableClassSummary)
	}
	d = update(api.UpdateTableInput{SSESpecification: &api.SSESpecification{Enabled: new(true)}})
	if *d.SSEDescription.KMSMasterKeyArn != "arn:aws:kms:eu-west-1:000000000000:alias/aws/dynamodb" {
		t.Errorf("%s", *d.SSEDescription.KMSMasterKeyArn)
	}
}

func TestTags(t *testing.T) {
	p := newPlane(t)
	tag := func(k, v string) api.Tag { return api.Tag{Key: &k, Value: &v} }
	arn := p.create("music", func(in *api.CreateTableInput) { in.Tags = []api.Tag{tag("a", "1"), tag("b", "2")} }).TableArn
	_, err := p.TagResource(p.ctx, &api.TagResourceInput{ResourceArn: arn, Tags: []api.Tag{tag("b", "3"), tag("c", "4")}})
	p.must(err)
	_, err = p.UntagResource(p.ctx, &api.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a", "z"}})
	p.must(err)
	out, err := p.ListTagsOfResource(p.ctx, &api.ListTagsOfResourceInput{ResourceArn: arn})
	p.must(err)
	got := ""
	for _, one := range out.Tags {
		got += *one.Key + "=" + *one.Value + " "
	}
	if got != "b=3 c=4 " || out.NextToken != nil {
		t.Errorf("tags %q", got)
	}
	var many []api.Tag
	for i := range 51 {
		many = append(many, tag(fmt.Sprintf("k%02d", i), ""))
	}
	for _, c := range []struct {
		arn  string
		tags []api.Tag
		kind *awsapi.ErrorType
		part string
	}{
		{*arn, many, awsapi.ValidationException, "Number of Tags exceed the current limit"},
		{*arn, []api.Tag{tag("aws:x", "")}, awsapi.ValidationException, "Tag Key cannot be prefixed with aws:, Key: aws:x"},
		{*arn, []api.Tag{tag("x", ""), tag("x", "")}, awsapi.ValidationException, "Duplicate Tag Key found x"},
		{*arn, nil, awsapi.ValidationException, "Atleast one Tag needs to be provided as Input."},
		{*arn + "x", many[:1], api.ResourceNotFoundException, "not found"},
		{"music", many[:1], awsapi.ValidationException, "ARNs must start with 'arn:': music"},
	} {
		_, err := p.TagResource(p.ctx, &api.TagResourceInput{ResourceArn: &c.arn, Tags: c.tags})
		fails(t, err, c.kind, c.part)
	}
	_, err = p.TagResource(p.ctx, &api.TagResourceInput{ResourceArn: arn, Tags: many[:20]})
	p.must(err)
	n := 0
	in := &api.ListTagsOfResourceInput{ResourceArn: arn}
	for {
		out, err := p.ListTagsOfResource(p.ctx, in)
		p.must(err)
		n += len(out.Tags)
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if n != 22 {
		t.Errorf("%d tags", n)
	}
}

func TestResourcePolicy(t *testing.T) {
	p := newPlane(t)
	arn := p.create("music", nil).TableArn
	_, err := p.GetResourcePolicy(p.ctx, &api.GetResourcePolicyInput{ResourceArn: arn})
	fails(t, err, api.PolicyNotFoundException, "Resource-based policy not found for the provided ResourceArn")
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"dynamodb:*","Resource":"*"}]}`
	_, err = p.PutResourcePolicy(p.ctx, &api.PutResourcePolicyInput{ResourceArn: arn, Policy: &policy, ExpectedRevisionId: new("7")})
	fails(t, err, api.PolicyNotFoundException, "ExpectedRevisionId: 7")
	put, err := p.PutResourcePolicy(p.ctx, &api.PutResourcePolicyInput{ResourceArn: arn, Policy: &policy, ExpectedRevisionId: new("NO_POLICY")})
	p.must(err)
	got, err := p.GetResourcePolicy(p.ctx, &api.GetResourcePolicyInput{ResourceArn: arn})
	if err != nil || *got.Policy != policy || *got.RevisionId != *put.RevisionId {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = p.PutResourcePolicy(p.ctx, &api.PutResourcePolicyInput{ResourceArn: arn, Policy: new("{")})
	fails(t, err, awsapi.ValidationException, "Invalid policy document: This policy contains invalid Json")
	_, err = p.DeleteResourcePolicy(p.ctx, &api.DeleteResourcePolicyInput{ResourceArn: arn, ExpectedRevisionId: put.RevisionId})
	p.must(err)
	_, err = p.GetResourcePolicy(p.ctx, &api.GetResourcePolicyInput{ResourceArn: arn})
	fails(t, err, api.PolicyNotFoundException, "Resource-based policy not found")
}

// TestBuildIndexAmongWrites builds indexes while items come, change and go: each then has what the table has.
func TestBuildIndexAmongWrites(t *testing.T) {
	p := newPlane(t)
	p.create("music", nil)
	for i := range 2 * portion {
		p.put("music", "id", fmt.Sprint(i), "genre", "old", "mood", "old")
	}
	ctx, stop := context.WithCancel(p.ctx)
	var writers sync.WaitGroup
	defer writers.Wait()
	defer stop()
	for side := range 4 {
		writers.Go(func() {
			random := rand.New(rand.NewPCG(3, uint64(side)))
			for n := 0; ctx.Err() == nil; n++ {
				id := map[string]api.AttributeValue{"id": {S: new(fmt.Sprint(random.IntN(3 * portion)))}}
				var err error
				if random.IntN(3) == 0 {
					_, err = p.DeleteItem(p.ctx, &api.DeleteItemInput{TableName: new("music"), Key: id})
				} else {
					id["genre"], id["mood"] = api.AttributeValue{S: new(fmt.Sprint("g", random.IntN(9)))}, api.AttributeValue{S: new(fmt.Sprint(side, n))}
					_, err = p.PutItem(p.ctx, &api.PutItemInput{TableName: new("music"), Item: id})
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for _, attribute := range []string{"genre", "mood"} {
		_, err := p.UpdateTable(p.ctx, &api.UpdateTableInput{TableName: new("music"), AttributeDefinitions: definitions("id", attribute),
			GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{createIndexUpdate("by-"+attribute, attribute)}})
		p.must(err)
		p.settled("music")
	}
	stop()
	writers.Wait()
	used, err := p.use(p.ctx, new("music"))
	p.must(err)
	defer used.End()
	p.must(p.Store.View(p.ctx, used.Verify))
}
