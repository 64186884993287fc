package s3

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
	"time"
)

func sampleVersion() *version {
	return &version{ID: newVersionID(1789), Order: 1789, Modified: time.Unix(1700000000, 0).UTC(), Size: 12, ETag: "e", Body: body{inParts, "id"}, Parts: 3,
		Upload: "u", Class: "GLACIER", ContentType: "text/plain", Headers: []pair{{expires, "never"}}, Metadata: []pair{{"a", "b"}, {"", ""}},
		Checksum: checksum{"CRC32", "COMPOSITE", "x-3"}, Encryption: "aws:kms", KMSKey: "k", KMSContext: "c", BucketKey: true,
		Customer: customerKey{"md5", []byte{1, 0, 2}}, Tags: []pair{{"t", "1"}}, LockMode: "GOVERNANCE", RetainUntil: time.Unix(1800000000, 0).UTC(),
		LegalHold: "ON", ACL: []byte("acl"), Owner: "000000000000"}
}

// FuzzVersion reads records of versions, uploads and parts: whatever can be read is written as it means.
func FuzzVersion(f *testing.F) {
	f.Add(sampleVersion().encode(nil))
	f.Add((&version{Marker: true, ID: nullVersion}).encode(nil))
	f.Add((&upload{version: *sampleVersion(), Initiated: time.Unix(1, 0), Initiator: "i"}).encode())
	f.Add(encodeParts([]part{{Number: 1, Size: 5, ETag: "e", Body: body{inStore, "b"}, Sum: "s", Nonce: []byte("n")}, {Number: 2}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if v, err := decodeVersion(raw); err == nil {
			once := v.encode(nil)
			again, err := decodeVersion(once)
			if err != nil || !bytes.Equal(again.encode(nil), once) {
				t.Errorf("%x is written as %x, and that as %x: %v", raw, once, again.encode(nil), err)
			}
		}
		if u, err := decodeUpload(raw); err == nil {
			if _, err := decodeUpload(u.encode()); err != nil {
				t.Error(err)
			}
		}
		if parts, err := decodeParts(raw); err == nil {
			once := encodeParts(parts)
			if again, err := decodeParts(once); err != nil || !bytes.Equal(encodeParts(again), once) {
				t.Errorf("%x: %v", raw, err)
			}
		}
	})
}

// FuzzRange reads Range headers: a range lies within the body, and is not empty.
func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-", "bytes=-5", "bytes=1-2", "bytes=5-1", "bytes=0-0,2-3", "bytes=99999999999999999999-", "bytes=-0", "bytes=a-b", "items=1-2"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		at, ok, err := parseRange(header, size)
		if err != nil && ok || ok && (at.Offset < 0 || at.Length <= 0 || at.Offset+at.Length > size) {
			t.Errorf("%q of %d: %+v %v %v", header, size, at, ok, err)
		}
		if at, err := parseCopyRange(header, size); err == nil && (at.Offset < 0 || at.Length <= 0 || at.Offset+at.Length > size) {
			t.Errorf("%q of %d: %+v", header, size, at)
		}
	})
}

// FuzzCopySource reads copy sources: what is read can be written and read again.
func FuzzCopySource(f *testing.F) {
	for _, s := range []string{"b/k", "/b/k", "b/k%20l?versionId=v", "b/", "b", "", "b/k?versionId=", "b/a?b/c", "b/%zz", "arn:aws:s3:us-east-1:1:accesspoint/a/object/k"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, err := parseCopySource(header)
		if err != nil {
			return
		}
		text := "/" + url.PathEscape(c.Bucket) + "/" + url.PathEscape(c.Key)
		if c.VersionID != nil {
			text += "?versionId=" + url.QueryEscape(*c.VersionID)
		}
		again, err := parseCopySource(text)
		if strings.Contains(c.Bucket, "/") {
			return // a slash before the bucket that was escaped
		}
		if err != nil || again.Bucket != c.Bucket || again.Key != c.Key || (again.VersionID == nil) != (c.VersionID == nil) {
			t.Errorf("%q is %+v, and %q is %+v: %v", header, c, text, again, err)
		}
	})
}

// FuzzKey writes keys that lists walk: they are read as they were written, and a prefix's end is behind all it begins.
func FuzzKey(f *testing.F) {
	f.Add("a/b", "a/")
	f.Add("a\x00b", "a")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, key, prefix string) {
		base := len(objectKey("bucket", "")) - 2
		full := objectKey("bucket", key)
		if got, err := firstPart(full[base:]); err != nil || got != key {
			t.Errorf("%q is read as %q: %v", key, got, err)
		}
		over := beginning("", "s3", "object", "bucket")
		if within := bytes.Compare(full, behind(over, base, prefix)) < 0; strings.HasPrefix(key, prefix) && !within && !strings.Contains(key, "\xff") {
			t.Errorf("%q is behind %q", key, prefix)
		}
		over = beginning(prefix, "s3", "object", "bucket")
		if in := bytes.Compare(full, over.Start) >= 0 && bytes.Compare(full, over.End) < 0; in != strings.HasPrefix(key, prefix) && !strings.Contains(key, "\xff") {
			t.Errorf("%q in %q: %v", key, prefix, in)
		}
	})
}

// Ids of versions tell their order; nothing else does.
func TestVersionIDs(t *testing.T) {
	for _, order := range []int64{1, 1 << 40, 1<<63 - 1} {
		id := newVersionID(order)
		if got, ok := orderOf(id); !ok || got != order || len(id) != 32 {
			t.Errorf("%s is %d, not %d", id, got, order)
		}
	}
	for _, id := range []string{"", nullVersion, "bogus", strings.Repeat("!", 32)} {
		if _, ok := orderOf(id); ok {
			t.Errorf("%q is the id of a version", id)
		}
	}
}
