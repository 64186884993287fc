package s3

import (
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
	Restored  time.Time       // of ObjectRestore: until when it can be read
	Class     string          // of ObjectRestore: the storage class it is in
	Request   *awsapi.Request // nil for work in the background
}

// emptied is called in the transaction that deletes a bucket, which has no objects.
func (s *Service) emptied(tx store.Tx, b *bucket) error {
	over := store.Prefix("s3", "config", b.ID)
	return tx.DeleteRange(over.Start, over.End)
}
