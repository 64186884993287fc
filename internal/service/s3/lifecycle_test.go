package s3

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/blob/dir"
	"cirro/internal/standing"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// desk is a service over a real store with a clock that stands.
type desk struct {
	*Service
	t     *testing.T
	clock *standing.Clock
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	blobs, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	clock := standing.At(time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC))
	d := &desk{New(Deps{Store: st, Blobs: blobs, Clock: clock.Now}), t, clock}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// ctx is a request of the default account's root.
func (d *desk) ctx() context.Context {
	return awsapi.WithRequest(d.t.Context(), &awsapi.Request{ID: "request", Region: "us-east-1", Principal: awsapi.RootPrincipal("000000000000", "test"),
		SourceIP: "127.0.0.1", Time: d.clock.Now()})
}

func ok[T any](out T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func (d *desk) bucket(name string, versioned bool) string {
	d.t.Helper()
	ok(d.CreateBucket(d.ctx(), &api.CreateBucketRequest{Bucket: &name}))(d.t)
	if versioned {
		ok(d.PutBucketVersioning(d.ctx(), &api.PutBucketVersioningRequest{Bucket: &name,
			VersioningConfiguration: &api.VersioningConfiguration{Status: new("Enabled")}}))(d.t)
	}
	return name
}

func (d *desk) put(bucket, key, body string, more ...func(*api.PutObjectRequest)) *api.PutObjectOutput {
	d.t.Helper()
	in := &api.PutObjectRequest{Bucket: &bucket, Key: &key, Body: strings.NewReader(body), ContentLength: new(int64(len(body)))}
	for _, f := range more {
		f(in)
	}
	return ok(d.PutObject(d.ctx(), in))(d.t)
}

func (d *desk) rules(bucket string, rules ...api.LifecycleRule) {
	d.t.Helper()
	for i := range rules {
		rules[i].Status = new("Enabled")
		if rules[i].Filter == nil {
			rules[i].Filter = &api.LifecycleRuleFilter{}
		}
	}
	ok(d.PutBucketLifecycleConfiguration(d.ctx(), &api.PutBucketLifecycleConfigurationRequest{Bucket: &bucket,
		LifecycleConfiguration: &api.BucketLifecycleConfiguration{Rules: rules}}))(d.t)
}

// visitNow carries out what is due.
func (d *desk) visitNow(bucket string) {
	d.t.Helper()
	var v visit
	err := d.Store.View(d.t.Context(), func(r store.Reader) error {
		b, err := d.bucketOf(r, bucket)
		if err == nil {
			v = visit{b.Name, b.ID, b.Configs[kindLifecycle]}
		}
		return err
	})
	if err == nil {
		err = d.visit(d.t.Context(), v)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) keys(bucket string) string {
	d.t.Helper()
	var keys []string
	for _, o := range ok(d.ListObjectsV2(d.ctx(), &api.ListObjectsV2Request{Bucket: &bucket}))(d.t).Contents {
		keys = append(keys, *o.Key)
	}
	return strings.Join(keys, " ")
}

// versions is all versions of a bucket: key, M for a marker, whether it is the latest.
func (d *desk) versionsOf(bucket string) string {
	d.t.Helper()
	out := ok(d.ListObjectVersions(d.ctx(), &api.ListObjectVersionsRequest{Bucket: &bucket}))(d.t)
	var all []string
	for _, v := range out.Versions {
		all = append(all, fmt.Sprintf("%s:%v", *v.Key, *v.IsLatest))
	}
	for _, m := range out.DeleteMarkers {
		all = append(all, fmt.Sprintf("%s:M:%v", *m.Key, *m.IsLatest))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (d *desk) want(what, got, want string) {
	d.t.Helper()
	if got != want {
		d.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func expireAfter(days int32) *api.LifecycleExpiration { return &api.LifecycleExpiration{Days: &days} }

func TestObjectsExpireAtMidnight(t *testing.T) {
	d := newDesk(t)
	b := d.bucket("bucket", false)
	d.put(b, "logs/a", "x")
	d.put(b, "keep", "x")
	d.rules(b, api.LifecycleRule{Filter: &api.LifecycleRuleFilter{Prefix: new("logs/")}, Expiration: expireAfter(3)})
	head := ok(d.HeadObject(d.ctx(), &api.HeadObjectRequest{Bucket: &b, Key: new("logs/a")}))(t)
	if !strings.HasPrefix(awsapi.Val(head.Expiration), `expiry-date="Mon, 19 Jan 2026 00:00:00 GMT", rule-id="`) {
		t.Errorf("expiration: %q", awsapi.Val(head.Expiration))
	}
	d.clock.Add(3*day + 13*time.Hour) // 23:30 of the 18th
	d.visitNow(b)
	d.want("before midnight", d.keys(b), "keep logs/a")
	d.clock.Add(30 * time.Minute)
	d.visitNow(b)
	d.want("at midnight", d.keys(b), "keep")
}

func TestRulesFilterBySizeAndTags(t *testing.T) {
	d := newDesk(t)
	b := d.bucket("bucket", false)
	tagged := func(in *api.PutObjectRequest) { in.Tagging = new("a=1&b=2") }
	d.put(b, "big", "0123456789", tagged)
	d.put(b, "small", "0", tagged)
	d.put(b, "untagged", "0123456789")
	d.rules(b, api.LifecycleRule{Expiration: expireAfter(1), Filter: &api.LifecycleRuleFilter{And: &api.LifecycleRuleAndOperator{
		Tags: []api.Tag{{Key: new("a"), Value: new("1")}}, ObjectSizeGreaterThan: new(int64(5))}}})
	d.clock.Add(2 * day)
	d.visitNow(b)
	d.want("left", d.keys(b), "small untagged")
}

func TestVersionsExpire(t *testing.T) {
	d := newDesk(t)
	b := d.bucket("bucket", true)
	for range 4 {
		d.put(b, "k", "x")
		d.clock.Add(time.Minute)
	}
	d.rules(b, api.LifecycleRule{ID: new("old"), NoncurrentVersionExpiration: &api.NoncurrentVersionExpiration{NoncurrentDays: new(int32(1)), NewerNoncurrentVersions: new(int32(1))}},
		api.LifecycleRule{ID: new("current"), Expiration: expireAfter(10)})
	d.clock.Add(2 * day)
	d.visitNow(b)
	d.want("one older version is kept", d.versionsOf(b), "k:false k:true")
	d.clock.Add(10 * day)
	d.visitNow(b)
	d.want("the current one is hidden", d.versionsOf(b), "k:M:true k:false")
	d.rules(b, api.LifecycleRule{ID: new("old"), NoncurrentVersionExpiration: &api.NoncurrentVersionExpiration{NoncurrentDays: new(int32(1))}},
		api.LifecycleRule{ID: new("marker"), Expiration: &api.LifecycleExpiration{ExpiredObjectDeleteMarker: new(true)}})
	d.clock.Add(3 * day)
	d.visitNow(b)
	d.visitNow(b) // the marker has nothing to hide once the versions are gone
	d.want("nothing is left", d.versionsOf(b), "")
}

func TestLockedVersionsDoNotExpire(t *testing.T) {
	d := newDesk(t)
	name := "bucket"
	ok(d.CreateBucket(d.ctx(), &api.CreateBucketRequest{Bucket: &name, ObjectLockEnabledForBucket: new(true)}))(t)
	until := d.clock.Now().Add(30 * day)
	d.put(name, "k", "1", func(in *api.PutObjectRequest) {
		in.ObjectLockMode, in.ObjectLockRetainUntilDate = new("COMPLIANCE"), &until
	})
	d.put(name, "k", "2")
	d.rules(name, api.LifecycleRule{NoncurrentVersionExpiration: &api.NoncurrentVersionExpiration{NoncurrentDays: new(int32(1))}})
	d.clock.Add(10 * day)
	d.visitNow(name)
	d.want("locked", d.versionsOf(name), "k:false k:true")
	d.clock.Add(30 * day)
	d.visitNow(name)
	d.want("unlocked", d.versionsOf(name), "k:true")
}

func TestClassesChange(t *testing.T) {
	d := newDesk(t)
	b := d.bucket("bucket", false)
	d.put(b, "k", strings.Repeat("x", smallest))
	d.put(b, "small", "x")
	d.rules(b, api.LifecycleRule{Transitions: []api.Transition{{Days: new(int32(30)), StorageClass: new("STANDARD_IA")}, {Days: new(int32(60)), StorageClass: new("GLACIER_IR")}}})
	class := func(key string) string {
		return awsapi.Val(ok(d.HeadObject(d.ctx(), &api.HeadObjectRequest{Bucket: &b, Key: &key}))(t).StorageClass)
	}
	d.clock.Add(31 * day)
	d.visitNow(b)
	d.want("after 31 days", class("k"), "STANDARD_IA")
	d.want("a small one", class("small"), "")
	d.clock.Add(31 * day)
	d.visitNow(b)
	d.want("after 62 days", class("k"), "GLACIER_IR")
}

func TestUploadsAreGivenUp(t *testing.T) {
	d := newDesk(t)
	b := d.bucket("bucket", false)
	ok(d.CreateMultipartUpload(d.ctx(), &api.CreateMultipartUploadRequest{Bucket: &b, Key: new("k")}))(t)
	d.rules(b, api.LifecycleRule{AbortIncompleteMultipartUpload: &api.AbortIncompleteMultipartUpload{DaysAfterInitiation: new(int32(2))}})
	uploads := func() int {
		return len(ok(d.ListMultipartUploads(d.ctx(), &api.ListMultipartUploadsRequest{Bucket: &b}))(t).Uploads)
	}
	d.clock.Add(2 * day)
	d.visitNow(b)
	if n := uploads(); n != 1 {
		t.Errorf("%d uploads before midnight", n)
	}
	d.clock.Add(day)
	d.visitNow(b)
	if n := uploads(); n != 0 {
		t.Errorf("%d uploads after midnight", n)
	}
}

func TestAVisitGoesThroughManyPages(t *testing.T) {
	d := newDesk(t)
	b := d.bucket("bucket", false)
	for i := range visitPage + dueAtOnce + 7 {
		d.put(b, fmt.Sprintf("k%05d", i), "x")
	}
	d.rules(b, api.LifecycleRule{Expiration: expireAfter(1)})
	d.clock.Add(2 * day)
	d.visitNow(b)
	d.want("left", d.keys(b), "")
}

// TestVisitsComeByThemselves has a rule whose date is over take effect without being asked.
func TestVisitsComeByThemselves(t *testing.T) {
	d := newDesk(t)
	b := d.bucket("bucket", false)
	d.put(b, "k", "x")
	d.Start(t.Context())
	d.rules(b, api.LifecycleRule{Expiration: &api.LifecycleExpiration{Date: new(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}})
	deadline := time.Now().Add(time.Minute)
	for d.keys(b) != "" {
		if time.Now().After(deadline) {
			t.Fatal("the object is still there")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestWrongLifecycleRules(t *testing.T) {
	days := func(n int32) *int32 { return &n }
	filter := &api.LifecycleRuleFilter{}
	for name, c := range map[string]struct {
		rule api.LifecycleRule
		code string
	}{
		"no action":           {api.LifecycleRule{Filter: filter}, "InvalidRequest"},
		"no filter":           {api.LifecycleRule{Expiration: expireAfter(1)}, "MalformedXML"},
		"filter and prefix":   {api.LifecycleRule{Filter: filter, Prefix: new("p"), Expiration: expireAfter(1)}, "MalformedXML"},
		"no days":             {api.LifecycleRule{Filter: filter, Expiration: expireAfter(0)}, "InvalidArgument"},
		"not at midnight":     {api.LifecycleRule{Filter: filter, Expiration: &api.LifecycleExpiration{Date: new(time.Unix(1, 0))}}, "InvalidArgument"},
		"days and date":       {api.LifecycleRule{Filter: filter, Expiration: &api.LifecycleExpiration{Days: days(1), Date: new(time.Unix(0, 0))}}, "MalformedXML"},
		"too early":           {api.LifecycleRule{Filter: filter, Transitions: []api.Transition{{Days: days(29), StorageClass: new("STANDARD_IA")}}}, "InvalidArgument"},
		"marker by tag":       {api.LifecycleRule{Filter: &api.LifecycleRuleFilter{Tag: &api.Tag{Key: new("a"), Value: new("")}}, Expiration: &api.LifecycleExpiration{ExpiredObjectDeleteMarker: new(true)}}, "InvalidRequest"},
		"abort by tag":        {api.LifecycleRule{Filter: &api.LifecycleRuleFilter{Tag: &api.Tag{Key: new("a"), Value: new("")}}, AbortIncompleteMultipartUpload: &api.AbortIncompleteMultipartUpload{DaysAfterInitiation: days(1)}}, "InvalidRequest"},
		"and of one":          {api.LifecycleRule{Filter: &api.LifecycleRuleFilter{And: &api.LifecycleRuleAndOperator{Prefix: new("p")}}, Expiration: expireAfter(1)}, "MalformedXML"},
		"sizes the wrong way": {api.LifecycleRule{Filter: &api.LifecycleRuleFilter{And: &api.LifecycleRuleAndOperator{ObjectSizeGreaterThan: new(int64(9)), ObjectSizeLessThan: new(int64(3))}}, Expiration: expireAfter(1)}, "InvalidRequest"},
		"too many newer ones": {api.LifecycleRule{Filter: filter, NoncurrentVersionExpiration: &api.NoncurrentVersionExpiration{NoncurrentDays: days(1), NewerNoncurrentVersions: days(101)}}, "InvalidArgument"},
		"abort after no days": {api.LifecycleRule{Filter: filter, AbortIncompleteMultipartUpload: &api.AbortIncompleteMultipartUpload{DaysAfterInitiation: days(0)}}, "InvalidArgument"},
		"unknown class":       {api.LifecycleRule{Filter: filter, Transitions: []api.Transition{{Days: days(1), StorageClass: new("WARM")}}}, "MalformedXML"},
	} {
		c.rule.Status = new("Enabled")
		err := checkLifecycle([]api.LifecycleRule{c.rule})
		known, ok := err.(*awsapi.Error)
		if !ok || known.Type.Code != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}
