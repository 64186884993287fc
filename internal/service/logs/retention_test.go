package logs

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"cirro/internal/awsapi/logs"
)

func (f *fixture) retain(group string, days int32) {
	f.t.Helper()
	must[*logs.PutRetentionPolicyOutput](f.t)(f.PutRetentionPolicy(f.ctx, &logs.PutRetentionPolicyRequest{LogGroupName: &group, RetentionInDays: &days}))
}

func (f *fixture) sweep() {
	f.t.Helper()
	if err := f.Sweep(f.ctx); err != nil {
		f.t.Fatal(err)
	}
}

func TestRetentionPolicy(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	if f.describe("g").RetentionInDays != nil {
		t.Error("a new group expires events")
	}
	f.retain("g", 7)
	if got := f.describe("g").RetentionInDays; got == nil || *got != 7 {
		t.Errorf("the retention is %v", got)
	}
	must[*logs.DeleteRetentionPolicyOutput](t)(f.DeleteRetentionPolicy(f.ctx, &logs.DeleteRetentionPolicyRequest{LogGroupName: new("g")}))
	if f.describe("g").RetentionInDays != nil {
		t.Error("the retention is still there")
	}
	_, err := f.PutRetentionPolicy(f.ctx, &logs.PutRetentionPolicyRequest{LogGroupName: new("g"), RetentionInDays: new(int32(2))})
	wantError(t, err, "InvalidParameterException", "1 validation error detected: Value '2' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: "+
		"[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]")
	_, err = f.PutRetentionPolicy(f.ctx, &logs.PutRetentionPolicyRequest{LogGroupName: new("nope"), RetentionInDays: new(int32(1))})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
}

// TestExpiry: an expired event is not read even before it is deleted, and then it is deleted, with
// its index and its bytes.
func TestExpiry(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.group("kept")
	for _, name := range []string{"old", "both"} {
		f.stream("g", name)
		f.put("g", name, "old")
	}
	f.stream("kept", "s")
	f.put("kept", "s", "old")
	f.clock.Add(23 * time.Hour)
	f.put("g", "both", "new")
	f.retain("g", 1)
	all := &logs.FilterLogEventsRequest{LogGroupName: new("g")}
	if got := f.filter(all); len(got) != 3 {
		t.Errorf("before their time there are %v", got)
	}
	f.sweep()
	if got := f.filter(all); len(got) != 3 {
		t.Errorf("a sweep too early left %v", got)
	}

	f.clock.Add(time.Hour + 2*time.Minute)
	got := f.filter(all)
	out := must[*logs.GetLogEventsResponse](t)(f.GetLogEvents(f.ctx, &logs.GetLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("both")}))
	if !reflect.DeepEqual(got, []string{"new"}) || len(out.Events) != 1 {
		t.Errorf("after their time there are %v, and %d in the stream", got, len(out.Events))
	}
	before := len(f.keysIn())
	f.sweep()
	if after := len(f.keysIn()); after != before-4 { // two chunks with their index
		t.Errorf("the sweep left %d of %d keys", after, before)
	}
	if got := *f.describe("g").StoredBytes; got != 29 {
		t.Errorf("the group holds %d bytes", got)
	}
	streams := must[*logs.DescribeLogStreamsResponse](t)(f.DescribeLogStreams(f.ctx, &logs.DescribeLogStreamsRequest{LogGroupName: new("g"), OrderBy: new("LastEventTime")})).LogStreams
	if *streams[0].LogStreamName != "old" || streams[0].LastEventTimestamp != nil || *streams[1].FirstEventTimestamp != *streams[1].LastEventTimestamp {
		t.Errorf("the streams are %+v", streams)
	}
	if got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("kept")}); len(got) != 1 {
		t.Errorf("another group kept %v", got)
	}
	// A stream whose events are gone takes new ones.
	f.put("g", "old", "again")
	if got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g"), LogStreamNames: []string{"old"}}); len(got) != 1 {
		t.Errorf("the stream holds %v", got)
	}
}

// TestExpiryOfManyChunks: more than fit one transaction.
func TestExpiryOfManyChunks(t *testing.T) {
	f := newFixture(t)
	var many []Event
	for i := range sweepPage + 9 {
		many = append(many, Event{f.millis() + int64(i)*slot, fmt.Sprint(i)})
	}
	if err := f.Ingest(f.ctx, account, region, "g", "s", many); err != nil {
		t.Fatal(err)
	}
	f.retain("g", 1)
	f.clock.Add(24*time.Hour + time.Duration(len(many)+1)*slot*time.Millisecond)
	f.sweep()
	if left := f.keysIn(); len(left) != 4 { // the group, its counter, the stream, its place among the recent
		t.Errorf("%d keys are left: %v", len(left), left[:4])
	}
	if got := *f.describe("g").StoredBytes; got != 0 {
		t.Errorf("the group holds %d bytes", got)
	}
}

// TestBackground: Start sweeps without being asked.
func TestBackground(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.stream("g", "s")
	f.put("g", "s", "old")
	f.retain("g", 1)
	f.clock.Add(48 * time.Hour)
	f.sweepEvery = time.Millisecond
	f.Start(f.ctx)
	for deadline := time.Now().Add(2 * time.Minute); *f.describe("g").StoredBytes != 0; {
		if time.Now().After(deadline) {
			t.Fatal("nothing was deleted")
		}
	}
}
