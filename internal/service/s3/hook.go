package s3

import (
	"context"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/store"
)

// objectEvent is something that happened to an object, for notifications.
type objectEvent struct {
	Name      string // "ObjectCreated:Put", as in S3's records
	Key       string
	VersionID string // "" where the bucket never had versions; "null" where it is the null version
	Size      int64
	ETag      string // without quotes; "" of what was removed
	Sequencer string
	Request   *awsapi.Request // nil for work in the background
}

// authorize answers AccessDenied where the bucket's policy, or what blocks public access, keeps the request
// from doing the action.
func (s *Service) authorize(ctx context.Context, r store.Reader, b *bucket, action, key string) error {
	return nil
}

// lockCheck answers AccessDenied where object lock keeps a version from being removed. bypass says that the
// request asks to bypass governance retention.
func (s *Service) lockCheck(b *bucket, key string, v *version, bypass bool) error { return nil }

// wishes are what a request that makes an object asks for, besides its body and its own headers.
type wishes struct {
	ACL, GrantFullControl, GrantRead, GrantReadACP, GrantWriteACP *string

	Tagging *string // "a=b&c=d"

	LockMode, LegalHold *string
	RetainUntil         *time.Time

	Encryption, KMSKey, KMSContext *string
	BucketKey                      *bool
}

// fulfil checks what a request wishes for and sets it in the new version: tags, ACL, retention and legal hold
// (also the bucket's default ones), and encryption.
func (s *Service) fulfil(ctx context.Context, r store.Reader, b *bucket, key string, v *version, w *wishes) error {
	return nil
}

// placed is called in the transaction that makes v the current version of a key; removed in the one that
// removes v, which was one of the versions, for good. They keep the indexes that lifecycle rules need.
func (s *Service) placed(tx store.Tx, b *bucket, key string, v *version) error { return nil }

func (s *Service) removed(tx store.Tx, b *bucket, key string, v *version) error { return nil }

// expiration is the x-amz-expiration header of an object, nil where no lifecycle rule expires it.
func (s *Service) expiration(r store.Reader, b *bucket, key string, v *version) (*string, error) {
	return nil, nil
}

// emptied is called in the transaction that deletes a bucket, which has no objects.
func (s *Service) emptied(tx store.Tx, b *bucket) error {
	over := store.Prefix("s3", "config", b.ID)
	return tx.DeleteRange(over.Start, over.End)
}
