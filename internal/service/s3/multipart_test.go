package s3

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
)

// begun begins an upload.
func (h *hall) begun(bucket, key string, more ...func(*api.CreateMultipartUploadRequest)) string {
	h.t.Helper()
	in := &api.CreateMultipartUploadRequest{Bucket: &bucket, Key: &key}
	for _, f := range more {
		f(in)
	}
	return *ok(h.CreateMultipartUpload(h.ctx(), in))(h.t).UploadId
}

// part uploads a part.
func (h *hall) part(bucket, key, id string, n int, data []byte) api.CompletedPart {
	h.t.Helper()
	out := ok(h.UploadPart(h.ctx(), &api.UploadPartRequest{Bucket: &bucket, Key: &key, UploadId: &id, PartNumber: new(int32(n)), Body: bytes.NewReader(data)}))(h.t)
	return api.CompletedPart{PartNumber: new(int32(n)), ETag: out.ETag}
}

func (h *hall) complete(bucket, key, id string, parts ...api.CompletedPart) (*api.CompleteMultipartUploadOutput, error) {
	return h.CompleteMultipartUpload(h.ctx(), &api.CompleteMultipartUploadRequest{Bucket: &bucket, Key: &key, UploadId: &id,
		MultipartUpload: &api.CompletedMultipartUpload{Parts: parts}})
}

// uploaded makes an object of so many parts, the last of them small.
func (h *hall) uploaded(bucket, key string, n int) []byte {
	h.t.Helper()
	id := h.begun(bucket, key)
	var all []byte
	var parts []api.CompletedPart
	for i := range n {
		size := minPart
		if i == n-1 {
			size = 100
		}
		data := noise(size)
		all = append(all, data...)
		parts = append(parts, h.part(bucket, key, id, i+1, data))
	}
	ok(h.complete(bucket, key, id, parts...))(h.t)
	return all
}

// An object in parts is what its parts are, in the order of their numbers; parts that are not asked for, and those that were
// replaced, are removed; completing it again answers the same.
func TestMultipart(t *testing.T) {
	h := newHall(t)
	h.bucket("bucket", false)
	id := h.begun("bucket", "k", func(in *api.CreateMultipartUploadRequest) {
		in.ContentType, in.Metadata = new("text/x"), map[string]string{"a": "b"}
	})
	first, last := noise(minPart), noise(10)
	h.part("bucket", "k", id, 2, noise(minPart))
	two := h.part("bucket", "k", id, 2, first)
	nine := h.part("bucket", "k", id, 9, last)
	h.part("bucket", "k", id, 5, noise(minPart+1))
	listed := ok(h.ListParts(h.ctx(), &api.ListPartsRequest{Bucket: new("bucket"), Key: new("k"), UploadId: &id, MaxParts: new(int32(2))}))(t)
	if len(listed.Parts) != 2 || !*listed.IsTruncated || *listed.NextPartNumberMarker != 5 || *listed.Parts[0].Size != minPart {
		t.Errorf("ListParts: %+v", listed)
	}
	out := ok(h.complete("bucket", "k", id, two, nine))(t)
	if again := ok(h.complete("bucket", "k", id, two, nine))(t); *again.ETag != *out.ETag {
		t.Errorf("completed again: %s, not %s", *again.ETag, *out.ETag)
	}
	h.reapAll()
	if n := h.left(); n["part"]+n["upload"]+n["intent"] > 0 || n["parts"] != 1 || n["body"] != 1 || h.bodies() != 1 {
		t.Errorf("left %v and %d bodies", n, h.bodies())
	}
	whole := append(first[:len(first):len(first)], last...)
	if !bytes.Equal(h.get("bucket", "k"), whole) {
		t.Error("the object is not what its parts are")
	}
	for range 10 {
		from := rand.IntN(len(whole))
		to := from + rand.IntN(len(whole)-from)
		if got := h.get("bucket", "k", func(in *api.GetObjectRequest) { in.Range = new(fmt.Sprintf("bytes=%d-%d", from, to)) }); !bytes.Equal(got, whole[from:to+1]) {
			t.Errorf("%d to %d is not what the parts are", from, to)
		}
	}
	if got := h.get("bucket", "k", func(in *api.GetObjectRequest) { in.PartNumber = new(int32(9)) }); !bytes.Equal(got, last) {
		t.Errorf("part 9 is %d bytes", len(got))
	}
	head := ok(h.HeadObject(h.ctx(), &api.HeadObjectRequest{Bucket: new("bucket"), Key: new("k"), PartNumber: new(int32(2)), ChecksumMode: new("ENABLED")}))(t)
	if *head.PartsCount != 2 || *head.ContentLength != minPart || *head.ContentType != "text/x" || head.Metadata["a"] != "b" || head.ChecksumCRC64NVME == nil {
		t.Errorf("HeadObject: %+v", head)
	}
	ok(h.DeleteObject(h.ctx(), &api.DeleteObjectRequest{Bucket: new("bucket"), Key: new("k")}))(t)
	h.reapAll()
	h.expectNothing()
	if n := h.bodies(); n > 0 {
		t.Errorf("%d bodies are left", n)
	}
}

// The checksum of an object that is made of its parts' is the one that the whole would have.
func TestChecksumsOfParts(t *testing.T) {
	h := newHall(t)
	h.bucket("bucket", false)
	for name := range algorithms {
		for _, kind := range []string{api.ChecksumTypeFullObject, api.ChecksumTypeComposite} {
			if _, err := typeFor(name, kind); err != nil {
				continue
			}
			id := h.begun("bucket", "k", func(in *api.CreateMultipartUploadRequest) { in.ChecksumAlgorithm, in.ChecksumType = &name, &kind })
			var parts []api.CompletedPart
			whole, digests := newSum(name), newSum(name)
			for i, size := range []int{minPart, minPart + 3, 7} {
				data := noise(size)
				whole.Write(data)
				one := newSum(name)
				one.Write(data)
				digests.Write(one.Sum(nil))
				up := &verified{bytes.NewReader(data), map[string]string{checksumHeader(name): one.text()}}
				out := ok(h.UploadPart(h.ctx(), &api.UploadPartRequest{Bucket: new("bucket"), Key: new("k"), UploadId: &id, PartNumber: new(int32(i + 1)), Body: up}))(t)
				parts = append(parts, api.CompletedPart{PartNumber: new(int32(i + 1)), ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC32C: out.ChecksumCRC32C,
					ChecksumCRC64NVME: out.ChecksumCRC64NVME, ChecksumSHA1: out.ChecksumSHA1, ChecksumSHA256: out.ChecksumSHA256})
			}
			out := ok(h.complete("bucket", "k", id, parts...))(t)
			sums := checksumsIn{out.ChecksumCRC32, out.ChecksumCRC32C, out.ChecksumCRC64NVME, out.ChecksumSHA1, out.ChecksumSHA256}
			want := whole.text()
			if kind == api.ChecksumTypeComposite {
				want = digests.text() + "-3"
			}
			if algorithm, value, _ := sums.chosen(); algorithm != name || value != want || *out.ChecksumType != kind {
				t.Errorf("%s %s: %s %s %s, not %s", name, kind, algorithm, value, *out.ChecksumType, want)
			}
		}
	}
}

// verified is a body that the front door has compared with checksums.
type verified struct {
	*bytes.Reader
	sums map[string]string
}

func (v *verified) Checksums() map[string]string { return v.sums }

// Appending is what combining means.
func TestCombineCRC(t *testing.T) {
	for _, name := range composable {
		for range 50 {
			data := noise(rand.IntN(3000))
			cut := rand.IntN(len(data) + 1)
			sum := func(b []byte) []byte { s := newSum(name); s.Write(b); return s.Sum(nil) }
			if got := combineCRC(name, sum(data[:cut]), sum(data[cut:]), int64(len(data)-cut)); !bytes.Equal(got, sum(data)) {
				t.Fatalf("%s of %d and %d bytes: %s, not %s", name, cut, len(data)-cut, base64.StdEncoding.EncodeToString(got), base64.StdEncoding.EncodeToString(sum(data)))
			}
		}
	}
}

// What is wrong with a completion is refused as S3 does, and leaves the upload as it was.
func TestBadCompletions(t *testing.T) {
	h := newHall(t)
	h.bucket("bucket", false)
	id := h.begun("bucket", "k")
	one, two := h.part("bucket", "k", id, 1, noise(100)), h.part("bucket", "k", id, 2, noise(100))
	changed := one
	changed.ETag = new(`"d41d8cd98f00b204e9800998ecf8427e"`)
	three := one
	three.PartNumber = new(int32(3))
	for name, c := range map[string]struct {
		parts  []api.CompletedPart
		change func(*api.CompleteMultipartUploadRequest)
		want   *awsapi.ErrorType
	}{
		"no parts":          {nil, nil, malformedXML},
		"the wrong order":   {[]api.CompletedPart{two, one}, nil, invalidPartOrder},
		"a part twice":      {[]api.CompletedPart{one, one}, nil, invalidPartOrder},
		"too small a part":  {[]api.CompletedPart{one, two}, nil, entityTooSmall},
		"another ETag":      {[]api.CompletedPart{changed}, nil, invalidPart},
		"a part not there":  {[]api.CompletedPart{three}, nil, invalidPart},
		"another upload":    {[]api.CompletedPart{one}, func(in *api.CompleteMultipartUploadRequest) { in.UploadId = new("nothing") }, api.NoSuchUpload},
		"another key":       {[]api.CompletedPart{one}, func(in *api.CompleteMultipartUploadRequest) { in.Key = new("other") }, api.NoSuchUpload},
		"another size":      {[]api.CompletedPart{one}, func(in *api.CompleteMultipartUploadRequest) { in.MpuObjectSize = new(int64(1)) }, invalidRequest},
		"another checksum":  {[]api.CompletedPart{one}, func(in *api.CompleteMultipartUploadRequest) { in.ChecksumCRC64NVME = new("AAAAAAAAAAA=") }, badDigest},
		"another algorithm": {[]api.CompletedPart{one}, func(in *api.CompleteMultipartUploadRequest) { in.ChecksumSHA1 = new("AAAA") }, invalidRequest},
		"a match that fails": {[]api.CompletedPart{one}, func(in *api.CompleteMultipartUploadRequest) { in.IfMatch = new("x") },
			api.NoSuchKey},
	} {
		in := &api.CompleteMultipartUploadRequest{Bucket: new("bucket"), Key: new("k"), UploadId: &id,
			MultipartUpload: &api.CompletedMultipartUpload{Parts: c.parts}}
		if c.change != nil {
			c.change(in)
		}
		if _, err := h.CompleteMultipartUpload(h.ctx(), in); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, not %s", name, err, c.want.Code)
		}
	}
	if n := h.left(); n["upload"] != 1 || n["part"] != 2 || n["body"] != 2 {
		t.Errorf("left %v", n)
	}
	ok(h.AbortMultipartUpload(h.ctx(), &api.AbortMultipartUploadRequest{Bucket: new("bucket"), Key: new("k"), UploadId: &id}))(t)
	h.expectNothing()
	if _, err := h.UploadPart(h.ctx(), &api.UploadPartRequest{Bucket: new("bucket"), Key: new("k"), UploadId: &id, PartNumber: new(int32(1))}); !errors.Is(err, api.NoSuchUpload) {
		t.Errorf("a part of an upload that ended: %v", err)
	}
}

// The uploads to a bucket end with it.
func TestUploadsEndWithTheirBucket(t *testing.T) {
	h := newHall(t)
	h.bucket("bucket", false)
	for i := range reapBatch + 3 {
		id := h.begun("bucket", fmt.Sprint("k", i))
		if i < 2 {
			h.part("bucket", fmt.Sprint("k", i), id, 1, noise(2*pieceSize))
		}
	}
	page := ok(h.ListMultipartUploads(h.ctx(), &api.ListMultipartUploadsRequest{Bucket: new("bucket"), MaxUploads: new(int32(100))}))(t)
	rest := ok(h.ListMultipartUploads(h.ctx(), &api.ListMultipartUploadsRequest{Bucket: new("bucket"), KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker}))(t)
	if len(page.Uploads) != 100 || !*page.IsTruncated || len(rest.Uploads) != reapBatch+3-100 || *rest.IsTruncated {
		t.Errorf("pages of %d and %d uploads", len(page.Uploads), len(rest.Uploads))
	}
	ok(h.DeleteBucket(h.ctx(), &api.DeleteBucketRequest{Bucket: new("bucket")}))(t)
	h.reapAll()
	h.expectNothing()
	if n := h.bodies(); n > 0 {
		t.Errorf("%d bodies are left", n)
	}
}
