package s3

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// RestoreObject makes what is archived readable for some days: at once, for it never went anywhere. Nothing happens when
// they are over but that it cannot be read again.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html
func (s *Service) RestoreObject(ctx context.Context, in *api.RestoreObjectRequest) (*api.RestoreObjectOutput, error) {
	want := in.RestoreRequest
	switch {
	case want == nil:
		return nil, badXML()
	case want.Type != nil || want.SelectParameters != nil || want.OutputLocation != nil:
		return nil, awsapi.NotImplemented.New("Cirro does not implement s3.RestoreObject with a query")
	case want.Days == nil:
		return nil, badXML()
	case *want.Days <= 0:
		return nil, invalidArgument.New("restoration days should be at least 1")
	}
	_, err := s.changeVersion(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:RestoreObject", *in.Key, in.VersionId, func(tx store.Tx, b *bucket, v *version) error {
		if !v.archived() {
			return restoreNotAllowed.New("Restore is not allowed for the object's current storage class").With("StorageClass", *v.class())
		}
		v.Restored = midnight(s.Clock(), *want.Days)
		for _, name := range []string{"ObjectRestore:Post", "ObjectRestore:Completed"} {
			e := b.event(name, *in.Key, v, request(ctx))
			e.Restored, e.Class = v.Restored, v.Class
			if err := s.notify(tx, b, e); err != nil {
				return err
			}
		}
		return nil
	})
	return &api.RestoreObjectOutput{}, err
}

// restored is the x-amz-restore header of a version that can be read for a time, nil of others.
func (v *version) restored(now time.Time) *string {
	if !v.Restored.After(now) {
		return nil
	}
	return new(fmt.Sprintf(`ongoing-request="false", expiry-date="%s"`, v.Restored.UTC().Format(http.TimeFormat)))
}
