package dynamodb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/store"
)

// holds checks a table's items, by id.
func (p *plane) holds(table string, want map[string]string) {
	p.Helper()
	out, err := p.Scan(p.ctx, &api.ScanInput{TableName: &table})
	p.must(err)
	got := map[string]string{}
	for _, it := range out.Items {
		got[*it["id"].S] = *it["v"].S
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		p.Errorf("table %s holds %v, not %v", table, got, want)
	}
}

func (p *plane) backedUp(arn string) *api.BackupDescription {
	p.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		out, err := p.DescribeBackup(p.ctx, &api.DescribeBackupInput{BackupArn: &arn})
		p.must(err)
		if *out.BackupDescription.BackupDetails.BackupStatus == api.BackupStatusAvailable {
			return out.BackupDescription
		}
	}
	p.Fatal("the backup is never made")
	return nil
}

func TestBackup(t *testing.T) {
	p := newPlane(t)
	p.create("music", func(in *api.CreateTableInput) {
		in.AttributeDefinitions = definitions("id", "v")
		in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{{IndexName: new("by-v"), KeySchema: keySchema("v"), Projection: &api.Projection{ProjectionType: new("KEYS_ONLY")}}}
		in.StreamSpecification = &api.StreamSpecification{StreamEnabled: new(true), StreamViewType: new("KEYS_ONLY")}
	})
	const n = portion + 5
	for i := range n {
		p.put("music", "id", fmt.Sprint(i), "v", "then")
	}
	made, err := p.CreateBackup(p.ctx, &api.CreateBackupInput{TableName: new("music"), BackupName: new("first")})
	p.must(err)
	arn := *made.BackupDetails.BackupArn
	d := p.backedUp(arn)
	if *d.SourceTableDetails.ItemCount != n || *d.BackupDetails.BackupSizeBytes == 0 || len(d.SourceTableFeatureDetails.GlobalSecondaryIndexes) != 1 {
		t.Errorf("%+v", d.SourceTableDetails)
	}
	p.put("music", "id", "later", "v", "now")
	p.put("music", "id", "1", "v", "now")
	_, err = p.RestoreTableFromBackup(p.ctx, &api.RestoreTableFromBackupInput{TargetTableName: new("music"), BackupArn: &arn})
	fails(t, err, api.TableAlreadyExistsException, "Table already exists: music")
	_, err = p.DeleteTable(p.ctx, &api.DeleteTableInput{TableName: new("music")})
	p.must(err)
	p.restart()
	out, err := p.RestoreTableFromBackup(p.ctx, &api.RestoreTableFromBackupInput{TargetTableName: new("again"), BackupArn: &arn})
	p.must(err)
	if *out.TableDescription.TableStatus != "CREATING" || !*out.TableDescription.RestoreSummary.RestoreInProgress {
		t.Errorf("%+v", out.TableDescription)
	}
	restored := p.settled("again")
	if *restored.RestoreSummary.RestoreInProgress || *restored.RestoreSummary.SourceBackupArn != arn || restored.StreamSpecification != nil {
		t.Errorf("%+v", restored.RestoreSummary)
	}
	if a, b := p.count("again", ""), p.count("again", "by-v"); a != n || b != n {
		t.Errorf("%d items are restored, %d of them in the index", a, b)
	}
	list, err := p.ListBackups(p.ctx, &api.ListBackupsInput{TableName: new("music")})
	if err != nil || len(list.BackupSummaries) != 1 || *list.BackupSummaries[0].BackupName != "first" {
		t.Errorf("%+v, %v", list, err)
	}
	deleted, err := p.DeleteBackup(p.ctx, &api.DeleteBackupInput{BackupArn: &arn})
	if err != nil || *deleted.BackupDescription.BackupDetails.BackupStatus != "DELETED" {
		t.Errorf("%+v, %v", deleted, err)
	}
	_, err = p.DescribeBackup(p.ctx, &api.DescribeBackupInput{BackupArn: &arn})
	fails(t, err, api.BackupNotFoundException, "Backup not found: "+arn)
	_, err = p.DescribeBackup(p.ctx, &api.DescribeBackupInput{BackupArn: new("arn:aws:dynamodb:eu-west-1:000000000000:table/music")})
	fails(t, err, awsapi.ValidationException, "Invalid Backup ARN")
}

func TestListBackups(t *testing.T) {
	p := newPlane(t)
	for i := range 3 {
		name := fmt.Sprint("table", i)
		p.create(name, nil)
		for range 2 {
			out, err := p.CreateBackup(p.ctx, &api.CreateBackupInput{TableName: &name, BackupName: new("b")})
			p.must(err)
			p.backedUp(*out.BackupDetails.BackupArn)
		}
	}
	n := 0
	in := &api.ListBackupsInput{Limit: new(int32(4))}
	for {
		out, err := p.ListBackups(p.ctx, in)
		p.must(err)
		n += len(out.BackupSummaries)
		if in.ExclusiveStartBackupArn = out.LastEvaluatedBackupArn; in.ExclusiveStartBackupArn == nil {
			break
		}
	}
	if n != 6 {
		t.Errorf("%d backups", n)
	}
	for _, c := range []struct {
		in   api.ListBackupsInput
		want int
	}{
		{api.ListBackupsInput{BackupType: new("SYSTEM")}, 0},
		{api.ListBackupsInput{BackupType: new("ALL")}, 6},
		{api.ListBackupsInput{TimeRangeLowerBound: new(time.Now().Add(time.Hour))}, 0},
		{api.ListBackupsInput{TimeRangeUpperBound: new(time.Now().Add(time.Hour))}, 6},
	} {
		out, err := p.ListBackups(p.ctx, &c.in)
		if err != nil || len(out.BackupSummaries) != c.want {
			t.Errorf("%+v: %d, %v", c.in, len(out.BackupSummaries), err)
		}
	}
}

func TestPointInTimeRecovery(t *testing.T) {
	p := newPlane(t)
	p.create("music", nil)
	p.put("music", "id", "a", "v", "0")
	_, err := p.RestoreTableToPointInTime(p.ctx, &api.RestoreTableToPointInTimeInput{SourceTableName: new("music"), TargetTableName: new("copy"), UseLatestRestorableTime: new(true)})
	fails(t, err, api.PointInTimeRecoveryUnavailableException, "Point in time recovery is not enabled for table 'music'")
	on := &api.UpdateContinuousBackupsInput{TableName: new("music"), PointInTimeRecoverySpecification: &api.PointInTimeRecoverySpecification{PointInTimeRecoveryEnabled: new(true)}}
	out, err := p.UpdateContinuousBackups(p.ctx, on)
	p.must(err)
	if d := out.ContinuousBackupsDescription.PointInTimeRecoveryDescription; *d.PointInTimeRecoveryStatus != "ENABLED" || *d.RecoveryPeriodInDays != 35 {
		t.Errorf("%+v", d)
	}
	p.put("music", "id", "b", "v", "1")
	past(t)
	then := time.Now()
	past(t)
	p.put("music", "id", "a", "v", "2")
	p.put("music", "id", "a", "v", "3")
	p.put("music", "id", "c", "v", "2")
	_, err = p.DeleteItem(p.ctx, &api.DeleteItemInput{TableName: new("music"), Key: map[string]api.AttributeValue{"id": {S: new("b")}}})
	p.must(err)
	_, err = p.RestoreTableToPointInTime(p.ctx, &api.RestoreTableToPointInTimeInput{SourceTableName: new("music"), TargetTableName: new("then"), RestoreDateTime: &then})
	p.must(err)
	_, err = p.RestoreTableToPointInTime(p.ctx, &api.RestoreTableToPointInTimeInput{SourceTableArn: p.described("music").TableArn, TargetTableName: new("latest"), UseLatestRestorableTime: new(true)})
	p.must(err)
	p.settled("then")
	p.settled("latest")
	p.holds("then", map[string]string{"a": "0", "b": "1"})
	p.holds("latest", map[string]string{"a": "3", "c": "2"})
	for _, bad := range []time.Time{then.Add(-time.Hour), then.Add(time.Hour)} {
		_, err = p.RestoreTableToPointInTime(p.ctx, &api.RestoreTableToPointInTimeInput{SourceTableName: new("music"), TargetTableName: new("never"), RestoreDateTime: &bad})
		fails(t, err, api.InvalidRestoreTimeException, "RestoreDateTime must be between")
	}
	p.ahead.Store(int64(36 * 24 * time.Hour))
	p.forget(p.ctx)
	p.appended(0)
	p.put("music", "id", "d", "v", "4")
	p.appended(1)
	on.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled = new(false)
	_, err = p.UpdateContinuousBackups(p.ctx, on)
	p.must(err)
	p.appended(0)
}

// past returns when the clock shows another millisecond.
func past(t *testing.T) {
	t.Helper()
	for start := time.Now().UnixMilli(); time.Now().UnixMilli() <= start+1; {
		time.Sleep(time.Millisecond)
	}
}

// appended checks how many records of what was replaced are kept.
func (p *plane) appended(want int) {
	p.Helper()
	n := 0
	p.must(p.Store.View(p.ctx, func(r store.Reader) error {
		for _, err := range r.Range(store.Range{Start: []byte("Du"), End: []byte("Dv")}) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	}))
	if n != want {
		p.Errorf("%d records are kept, not %d", n, want)
	}
}

// TestBackupAfterRestart stops the service while it copies, and while it restores: the next one ends that.
func TestBackupAfterRestart(t *testing.T) {
	p := newPlane(t)
	p.create("music", nil)
	const n = 3*portion + 7
	for i := range n {
		p.put("music", "id", fmt.Sprint(i), "expires", "never")
	}
	made, err := p.CreateBackup(p.ctx, &api.CreateBackupInput{TableName: new("music"), BackupName: new("first")})
	p.must(err)
	_, err = p.UpdateTimeToLive(p.ctx, &api.UpdateTimeToLiveInput{TableName: new("music"),
		TimeToLiveSpecification: &api.TimeToLiveSpecification{Enabled: new(true), AttributeName: new("expires")}})
	p.must(err)
	p.restart()
	arn := made.BackupDetails.BackupArn
	if d := p.backedUp(*arn); *d.SourceTableDetails.ItemCount != n {
		t.Errorf("%d items are in the backup", *d.SourceTableDetails.ItemCount)
	}
	_, err = p.RestoreTableFromBackup(p.ctx, &api.RestoreTableFromBackupInput{TargetTableName: new("again"), BackupArn: arn})
	p.must(err)
	_, err = p.GetItem(p.ctx, &api.GetItemInput{TableName: new("again"), Key: map[string]api.AttributeValue{"id": {S: new("1")}}})
	if err != nil {
		fails(t, err, api.ResourceNotFoundException, "Requested resource not found")
	}
	p.restart()
	p.settled("again")
	if got := p.count("again", ""); got != n {
		t.Errorf("%d items are restored", got)
	}
	for status := ""; status != api.TimeToLiveStatusEnabled; time.Sleep(time.Millisecond) {
		out, err := p.DescribeTimeToLive(p.ctx, &api.DescribeTimeToLiveInput{TableName: new("music")})
		p.must(err)
		status = *out.TimeToLiveDescription.TimeToLiveStatus
	}
	for left := 1; left > 0; time.Sleep(time.Millisecond) { // the marks go after the change
		left = 0
		p.must(p.Store.View(p.ctx, func(r store.Reader) error {
			for _, err := range r.Range(store.Prefix("dynamodb", "work")) {
				if err != nil {
					return err
				}
				left++
			}
			return nil
		}))
	}
}

// TestBackupIsOfOneMoment copies a table while transactions move money in it: what is restored has all of it.
func TestBackupIsOfOneMoment(t *testing.T) {
	p := newPlane(t)
	p.create("bank", nil)
	const accounts, each = portion + 50, 100
	amount := func(n int) api.AttributeValue { return api.AttributeValue{N: new(fmt.Sprint(n))} }
	account := func(i int) map[string]api.AttributeValue {
		return map[string]api.AttributeValue{"id": {S: new(fmt.Sprint(i))}}
	}
	for i := range accounts {
		it := account(i)
		it["n"] = amount(each)
		_, err := p.PutItem(p.ctx, &api.PutItemInput{TableName: new("bank"), Item: it})
		p.must(err)
	}
	ctx, stop := context.WithCancel(p.ctx)
	var movers sync.WaitGroup
	defer movers.Wait()
	defer stop()
	for side := range 4 {
		movers.Go(func() {
			random := rand.New(rand.NewPCG(9, uint64(side)))
			for ctx.Err() == nil {
				from := random.IntN(accounts)
				to := (from + 1 + random.IntN(accounts-1)) % accounts
				move := func(i int, sign string) api.TransactWriteItem {
					return api.TransactWriteItem{Update: &api.Update{TableName: new("bank"), Key: account(i),
						UpdateExpression: new("SET n = n " + sign + " :d"), ExpressionAttributeValues: map[string]api.AttributeValue{":d": amount(random.IntN(50))}}}
				}
				a, b := move(from, "-"), move(to, "+")
				b.Update.ExpressionAttributeValues = a.Update.ExpressionAttributeValues
				if _, err := p.TransactWriteItems(p.ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{a, b}}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for round := range 3 {
		made, err := p.CreateBackup(p.ctx, &api.CreateBackupInput{TableName: new("bank"), BackupName: new("b12")})
		p.must(err)
		p.backedUp(*made.BackupDetails.BackupArn)
		name := fmt.Sprint("restored", round)
		_, err = p.RestoreTableFromBackup(p.ctx, &api.RestoreTableFromBackupInput{TargetTableName: &name, BackupArn: made.BackupDetails.BackupArn})
		p.must(err)
		p.settled(name)
		out, err := p.Scan(p.ctx, &api.ScanInput{TableName: &name})
		p.must(err)
		sum := 0
		for _, it := range out.Items {
			n, err := strconv.Atoi(*it["n"].N)
			p.must(err)
			sum += n
		}
		if sum != accounts*each || len(out.Items) != accounts {
			t.Errorf("the backup has %d in %d accounts", sum, len(out.Items))
		}
	}
	stop()
	movers.Wait()
}
