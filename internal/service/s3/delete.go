package s3

import (
	"context"
	"errors"
	"fmt"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// deletion is one object, or one version, that is to be deleted.
type deletion struct {
	key       string
	versionID *string
	match     *string // the ETag that the current version must have
	bypass    bool    // governance retention
}

// deleted is what became of it.
type deleted struct {
	marker    bool    // a delete marker was made or removed
	versionID *string // of what was made or removed
}

// delete deletes in a transaction.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html
func (s *Service) delete(ctx context.Context, tx store.Tx, b *bucket, d deletion) (deleted, error) {
	action := "s3:DeleteObject"
	if d.versionID != nil {
		action = "s3:DeleteObjectVersion"
	}
	if err := s.authorize(ctx, tx, b, action, d.key); err != nil {
		return deleted{}, err
	}
	if d.versionID != nil && *d.versionID != "" {
		return s.deleteVersion(ctx, tx, b, d)
	}
	cur, err := s.current(tx, b, d.key)
	if err != nil {
		return deleted{}, err
	}
	if err := checkDelete(d.match, d.key, cur); err != nil {
		return deleted{}, err
	}
	marker, err := s.mark(tx, b, d.key, cur)
	switch {
	case err != nil:
		return deleted{}, err
	case marker != nil:
		err := s.notify(tx, b, b.event("ObjectRemoved:DeleteMarkerCreated", d.key, marker, request(ctx)))
		return deleted{true, b.shownID(marker)}, err
	case cur == nil:
		return deleted{}, nil
	}
	return deleted{}, s.notify(tx, b, s.removal(b, d.key, cur, request(ctx)))
}

// checkDelete answers what S3 does where the condition of a deletion does not hold.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
func checkDelete(match *string, key string, cur *version) error {
	switch {
	case match == nil:
		return nil
	case cur == nil:
		return api.NoSuchKey.New("The specified key does not exist.").With("Key", key)
	case !matches(*match, cur.ETag):
		return failed("If-Match")
	}
	return nil
}

// removal is the event of a version that is gone: it comes after all before it, but has no order of its own.
func (s *Service) removal(b *bucket, key string, v *version, r *awsapi.Request) objectEvent {
	e := b.event("ObjectRemoved:Delete", key, v, r)
	e.ETag, e.Size = "", 0
	e.Sequencer = sequencer(max(s.Clock().UnixNano(), v.Order+1))
	return e
}

// deleteVersion removes one version for good. One that is not there is gone already.
func (s *Service) deleteVersion(ctx context.Context, tx store.Tx, b *bucket, d deletion) (deleted, error) {
	v, isCurrent, err := s.lookup(tx, b, d.key, *d.versionID)
	if err != nil {
		return deleted{}, err
	}
	if v == nil {
		return deleted{versionID: d.versionID}, nil
	}
	if d.match != nil && (v.Marker || !matches(*d.match, v.ETag)) {
		return deleted{}, failed("If-Match")
	}
	if !v.Marker {
		if err := s.lockCheck(b, d.key, v, s.mayBypass(ctx, tx, b, d.key, d.bypass)); err != nil {
			return deleted{}, err
		}
	}
	if err := s.erase(tx, b, d.key, v, isCurrent); err != nil {
		return deleted{}, err
	}
	return deleted{v.Marker, d.versionID}, s.notify(tx, b, s.removal(b, d.key, v, request(ctx)))
}

// DeleteObject deletes an object or one of its versions.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
func (s *Service) DeleteObject(ctx context.Context, in *api.DeleteObjectRequest) (*api.DeleteObjectOutput, error) {
	if in.IfMatchLastModifiedTime != nil {
		return nil, unsupportedHeader("x-amz-if-match-last-modified-time")
	}
	if in.IfMatchSize != nil {
		return nil, unsupportedHeader("x-amz-if-match-size")
	}
	var gone deleted
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		b, err := s.bucketOf(tx, *in.Bucket)
		if err != nil {
			return err
		}
		if err := b.belongsTo(in.ExpectedBucketOwner); err != nil {
			return err
		}
		gone, err = s.delete(ctx, tx, b, deletion{*in.Key, in.VersionId, in.IfMatch, awsapi.Val(in.BypassGovernanceRetention)})
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteObjectOutput{VersionId: gone.versionID, DeleteMarker: flag(gone.marker)}, nil
}

// flag is a boolean that is told only where it is true.
func flag(set bool) *bool {
	if !set {
		return nil
	}
	return &set
}

// maxDeletes is how many objects one request deletes at most.
const maxDeletes = 1000

// DeleteObjects deletes many objects and versions, each for itself.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
func (s *Service) DeleteObjects(ctx context.Context, in *api.DeleteObjectsRequest) (*api.DeleteObjectsOutput, error) {
	if in.Delete == nil || len(in.Delete.Objects) == 0 || len(in.Delete.Objects) > maxDeletes {
		return nil, malformedXML.New("The XML you provided was not well-formed or did not validate against our published schema")
	}
	var out *api.DeleteObjectsOutput
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		b, err := s.bucketOf(tx, *in.Bucket)
		if err != nil {
			return err
		}
		if err := b.belongsTo(in.ExpectedBucketOwner); err != nil {
			return err
		}
		out = &api.DeleteObjectsOutput{}
		for i := range in.Delete.Objects {
			o := &in.Delete.Objects[i]
			gone, err := s.delete(ctx, tx, b, deletion{awsapi.Val(o.Key), o.VersionId, o.ETag, awsapi.Val(in.BypassGovernanceRetention)})
			if known, ok := errors.AsType[*awsapi.Error](err); ok {
				out.Errors = append(out.Errors, api.Error{Key: o.Key, VersionId: o.VersionId, Code: &known.Type.Code, Message: &known.Message})
				continue
			}
			if err != nil {
				return fmt.Errorf("s3: delete %q: %w", awsapi.Val(o.Key), err)
			}
			if !awsapi.Val(in.Delete.Quiet) {
				out.Deleted = append(out.Deleted, gone.entry(o))
			}
		}
		return nil
	})
	return out, err
}

// entry is what is told of one deletion of many.
func (d deleted) entry(o *api.ObjectIdentifier) api.DeletedObject {
	e := api.DeletedObject{Key: o.Key, VersionId: o.VersionId, DeleteMarker: flag(d.marker)}
	if d.marker {
		e.DeleteMarkerVersionId = d.versionID
	}
	return e
}
