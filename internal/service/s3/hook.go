package s3

import (
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

// placed is called in the transaction that makes v the current version of a key; removed in the one that
// removes v, which was one of the versions, for good. They keep the indexes that lifecycle rules need.
func (s *Service) placed(tx store.Tx, b *bucket, key string, v *version) error { return nil }

func (s *Service) removed(tx store.Tx, b *bucket, key string, v *version) error { return nil }

// emptied is called in the transaction that deletes a bucket, which has no objects.
func (s *Service) emptied(tx store.Tx, b *bucket) error {
	over := store.Prefix("s3", "config", b.ID)
	return tx.DeleteRange(over.Start, over.End)
}
