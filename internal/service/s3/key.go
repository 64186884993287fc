package s3

import (
	"cirro/internal/store"
)

// What the service keeps in the store:
//
//	s3 bucket  name                      a bucket's record (JSON)
//	s3 owned   account name              nothing: an account's buckets
//	s3 config  bucketID kind             a configuration of a bucket (JSON)
//	s3 object  bucketID key              the current version of an object (see version.go)
//	s3 version bucketID key -order       the other versions, and all delete markers, newest first
//	s3 null    bucketID key              the order of the null version among those
//	s3 body    id                        a small body
//	s3 parts   id                        the parts that the body of an object is made of
//	s3 upload  bucketID key uploadID     a multipart upload
//	s3 part    uploadID number           a part of it
//	s3 intent  id                        a body that is being written to the blob store
//
// The current version is kept apart from older ones, so that listing a bucket never meets what it does not
// list. Keys are in the order of their UTF-8 bytes, as S3 lists them.
func bucketKey(name string) []byte { return store.Key("s3", "bucket", name) }

func ownedKey(account, name string) []byte { return store.Key("s3", "owned", account, name) }

func configKey(bucketID, kind string) []byte { return store.Key("s3", "config", bucketID, kind) }

func objectKey(bucketID, key string) []byte { return store.Key("s3", "object", bucketID, key) }

func versionKey(bucketID, key string, order int64) []byte {
	return store.Key("s3", "version", bucketID, key, -order)
}

func nullKey(bucketID, key string) []byte { return store.Key("s3", "null", bucketID, key) }

func bodyKey(id string) []byte { return store.Key("s3", "body", id) }

func partsKey(id string) []byte { return store.Key("s3", "parts", id) }

func uploadKey(bucketID, key, uploadID string) []byte {
	return store.Key("s3", "upload", bucketID, key, uploadID)
}

func partKey(uploadID string, number int) []byte { return store.Key("s3", "part", uploadID, number) }

func intentKey(id string) []byte { return store.Key("s3", "intent", id) }

// beginning is the range of the keys below Key(parts...) whose next part begins with prefix.
func beginning(prefix string, parts ...any) store.Range {
	start := store.Key(append(parts, prefix)...)
	start = start[:len(start)-1] // without the terminator
	return store.Range{Start: start, End: append(append([]byte(nil), start...), 0xff)}
}
