package s3

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
)

// modelled is one version as the model knows it.
type modelled struct {
	id, body string
	marker   bool
}

// bucketModel is a bucket in the simplest form: of each key its versions, the newest first.
type bucketModel struct {
	versioning string
	keys       map[string][]modelled
}

// push makes a version the newest. Without versioning it takes the place of the null version.
func (m *bucketModel) push(key string, v modelled) {
	if m.versioning != "Enabled" {
		m.keys[key] = slices.DeleteFunc(m.keys[key], func(old modelled) bool { return old.id == nullVersion })
	}
	m.keys[key] = slices.Insert(m.keys[key], 0, v)
	m.tidy(key)
}

func (m *bucketModel) remove(key, id string) {
	m.keys[key] = slices.DeleteFunc(m.keys[key], func(old modelled) bool { return old.id == id })
	m.tidy(key)
}

func (m *bucketModel) tidy(key string) {
	if len(m.keys[key]) == 0 {
		delete(m.keys, key)
	}
}

// listed is what lists hold of the model: keys or common prefixes with whether they are prefixes, in order.
func (m *bucketModel) listed(g grouping, after string, all bool) (out []string) {
	seen := ""
	for _, key := range slices.Sorted(maps.Keys(m.keys)) {
		versions := m.keys[key]
		if !strings.HasPrefix(key, g.prefix) || !all && versions[0].marker {
			continue
		}
		if key <= after {
			continue
		}
		if group := g.group(key); group != "" {
			if group != seen && group != after {
				out = append(out, group+" prefix")
			}
			seen = group
			continue
		}
		if !all {
			out = append(out, key)
			continue
		}
		for i, v := range versions {
			out = append(out, fmt.Sprintf("%s %s latest=%t marker=%t", key, v.id, i == 0, v.marker))
		}
	}
	return out
}

var modelKeys = []string{"a", "a/", "a/b", "a/b/c", "a/b/d", "a/c", "a//", "b", "b/1", "b/2", "b/3", "ä/x", "z\u007f", "日本/語"}

// TestAgainstModel has random requests come to buckets with all states of versioning, and compares what is there with a
// model after each.
func TestAgainstModel(t *testing.T) {
	rounds := 12
	if long() {
		rounds = 400
	}
	for round := range rounds {
		seed := uint64(round)
		if long() {
			seed = uint64(time.Now().UnixNano())
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, seed))
			d := newDesk(t)
			m := &bucketModel{keys: map[string][]modelled{}}
			d.bucket("bucket", false)
			for step := range 120 {
				d.stepModel(random, m, step)
				if step%5 == 0 {
					d.compare(random, m)
				}
			}
			d.emptyModel(m)
		})
	}
}

// stepModel has one request come to the bucket and to the model.
func (d *desk) stepModel(random *rand.Rand, m *bucketModel, step int) {
	key := modelKeys[random.IntN(len(modelKeys))]
	if random.IntN(3) == 0 {
		d.clock.Add(time.Duration(random.IntN(3)) * time.Second)
	}
	switch random.IntN(10) {
	case 0:
		m.versioning = []string{"Enabled", "Suspended"}[random.IntN(2)]
		ok(d.PutBucketVersioning(d.ctx(), &api.PutBucketVersioningRequest{Bucket: new("bucket"),
			VersioningConfiguration: &api.VersioningConfiguration{Status: &m.versioning}}))(d.t)
	case 1, 2, 3, 4, 5:
		body := fmt.Sprint("body ", step)
		out := d.put("bucket", key, body)
		id := nullVersion
		if out.VersionId != nil {
			id = *out.VersionId
		}
		m.push(key, modelled{id, body, false})
	case 6, 7:
		out := ok(d.DeleteObject(d.ctx(), &api.DeleteObjectRequest{Bucket: new("bucket"), Key: &key}))(d.t)
		if m.versioning == "" {
			delete(m.keys, key)
			return
		}
		m.push(key, modelled{*out.VersionId, "", true})
	default:
		versions := m.keys[key]
		id := nullVersion
		if len(versions) > 0 {
			id = versions[random.IntN(len(versions))].id
		}
		ok(d.DeleteObject(d.ctx(), &api.DeleteObjectRequest{Bucket: new("bucket"), Key: &key, VersionId: &id}))(d.t)
		m.remove(key, id)
	}
}

// compare compares the bucket with the model: each version's body, and lists in pages.
func (d *desk) compare(random *rand.Rand, m *bucketModel) {
	d.t.Helper()
	for key, versions := range m.keys {
		for i, v := range versions {
			d.expect(key, &v.id, v)
			if i == 0 {
				d.expect(key, nil, v)
			}
		}
	}
	for range 4 {
		g := grouping{[]string{"", "a", "a/", "a/b", "b/", "日", "x"}[random.IntN(7)], []string{"", "/", "/b", "b"}[random.IntN(4)]}
		after := []string{"", "", "a/", "a/b", "b", "b/2"}[random.IntN(6)]
		most := 1 + random.IntN(5)
		if got, want := d.pages(g, after, most), m.listed(g, after, false); !slices.Equal(got, want) {
			d.t.Fatalf("%+v after %q by %d:\n%q, not\n%q", g, after, most, got, want)
		}
		want := m.listed(g, after, true)
		slices.Sort(want)
		if got := d.versionPages(g, after, most); !slices.Equal(got, want) {
			d.t.Fatalf("versions %+v after %q by %d:\n%q, not\n%q", g, after, most, got, want)
		}
	}
	d.compareOrder(m)
}

// compareOrder compares the order of the versions that have bodies.
func (d *desk) compareOrder(m *bucketModel) {
	d.t.Helper()
	var got, want []string
	for _, v := range ok(d.ListObjectVersions(d.ctx(), &api.ListObjectVersionsRequest{Bucket: new("bucket")}))(d.t).Versions {
		got = append(got, *v.Key+" "+*v.VersionId)
	}
	for _, key := range slices.Sorted(maps.Keys(m.keys)) {
		for _, v := range m.keys[key] {
			if !v.marker {
				want = append(want, key+" "+v.id)
			}
		}
	}
	if !slices.Equal(got, want) {
		d.t.Fatalf("versions in the order\n%q, not\n%q", got, want)
	}
}

// expect reads one version.
func (d *desk) expect(key string, id *string, want modelled) {
	d.t.Helper()
	out, err := d.GetObject(d.ctx(), &api.GetObjectRequest{Bucket: new("bucket"), Key: &key, VersionId: id})
	switch {
	case want.marker && id == nil:
		if !errors.Is(err, api.NoSuchKey) {
			d.t.Fatalf("%q: %v", key, err)
		}
	case want.marker:
		if !errors.Is(err, methodNotAllowed) {
			d.t.Fatalf("%q %s: %v", key, *id, err)
		}
	case err != nil:
		d.t.Fatalf("%q %v: %v", key, awsapi.Val(id), err)
	default:
		if got, err := io.ReadAll(out.Body); err != nil || string(got) != want.body || out.VersionId != nil && *out.VersionId != want.id {
			d.t.Fatalf("%q %v is %q, not %q: %v", key, awsapi.Val(id), got, want.body, err)
		}
	}
}

// pages lists the bucket page by page, by both operations in turn.
func (d *desk) pages(g grouping, after string, most int) (all []string) {
	d.t.Helper()
	in := &api.ListObjectsV2Request{Bucket: new("bucket"), Prefix: &g.prefix, Delimiter: &g.delimiter, StartAfter: &after, MaxKeys: new(int32(most))}
	for {
		out := ok(d.ListObjectsV2(d.ctx(), in))(d.t)
		var page []string
		for _, o := range out.Contents {
			page = append(page, *o.Key)
		}
		for _, p := range out.CommonPrefixes {
			page = append(page, *p.Prefix+" prefix")
		}
		if len(page) > most || int(*out.KeyCount) != len(page) {
			d.t.Fatalf("a page of %d, not %d", len(page), most)
		}
		slices.Sort(page)
		all = append(all, page...)
		if !*out.IsTruncated {
			break
		}
		in.ContinuationToken = out.NextContinuationToken
	}
	v1 := &api.ListObjectsRequest{Bucket: new("bucket"), Prefix: &g.prefix, Delimiter: &g.delimiter, Marker: &after, MaxKeys: new(int32(1000))}
	if out := ok(d.ListObjects(d.ctx(), v1))(d.t); len(out.Contents)+len(out.CommonPrefixes) != len(all) {
		d.t.Fatalf("ListObjects has %d keys and %d prefixes, ListObjectsV2 %q", len(out.Contents), len(out.CommonPrefixes), all)
	}
	return all
}

// versionPages lists the bucket's versions page by page.
func (d *desk) versionPages(g grouping, after string, most int) (all []string) {
	d.t.Helper()
	in := &api.ListObjectVersionsRequest{Bucket: new("bucket"), Prefix: &g.prefix, Delimiter: &g.delimiter, KeyMarker: &after, MaxKeys: new(int32(most))}
	for {
		out := ok(d.ListObjectVersions(d.ctx(), in))(d.t)
		entries := map[string]bool{}
		for _, v := range out.Versions {
			entries[fmt.Sprintf("%s %s latest=%t marker=false", *v.Key, *v.VersionId, *v.IsLatest)] = true
		}
		for _, v := range out.DeleteMarkers {
			entries[fmt.Sprintf("%s %s latest=%t marker=true", *v.Key, *v.VersionId, *v.IsLatest)] = true
		}
		for _, p := range out.CommonPrefixes {
			entries[*p.Prefix+" prefix"] = true
		}
		if len(entries) > most {
			d.t.Fatalf("a page of %d, not %d", len(entries), most)
		}
		// A reply has versions, markers and prefixes apart, so that it does not tell the order of all.
		all = append(all, slices.Sorted(maps.Keys(entries))...)
		if !*out.IsTruncated {
			slices.Sort(all)
			return all
		}
		in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
	}
}

// emptyModel removes all versions, and then the bucket, after which nothing is left of it.
func (d *desk) emptyModel(m *bucketModel) {
	d.t.Helper()
	for key, versions := range m.keys {
		for _, v := range versions {
			ok(d.DeleteObject(d.ctx(), &api.DeleteObjectRequest{Bucket: new("bucket"), Key: &key, VersionId: &v.id}))(d.t)
		}
	}
	ok(d.DeleteBucket(d.ctx(), &api.DeleteBucketRequest{Bucket: new("bucket")}))(d.t)
	d.expectNothing()
}
