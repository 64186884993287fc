package s3

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

func itoa(n int) string { return strconv.Itoa(n) }

// creation is an object that is about to be made: what it will be, and under which conditions.
type creation struct {
	bucket, key string
	owner       *string // that the bucket is expected to have
	event       string  // "ObjectCreated:Put"
	version     *version
	wishes      *wishes // nil where they are fulfilled

	match, noneMatch *string
	// before, where not nil, is called in the transaction with the current version, nil where there is none, before the
	// object is made.
	before func(tx store.Tx, b *bucket, cur *version) error
}

// errDone is what before answers where the object was made already.
var errDone = errors.New("s3: made already")

// create makes an object in one transaction: with what it was received as, where that is not nil. It returns the bucket
// as it was then.
func (s *Service) create(ctx context.Context, c *creation, got *received) (b *bucket, expiration *string, err error) {
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		var err error
		if b, err = s.access(ctx, tx, c.bucket, c.owner, "s3:PutObject", c.key); err != nil {
			return err
		}
		cur, err := s.current(tx, b, c.key)
		if err != nil {
			return err
		}
		if c.before != nil {
			if err := c.before(tx, b, cur); err != nil {
				return err
			}
		}
		if err := checkWrite(c.match, c.noneMatch, c.key, cur); err != nil {
			return err
		}
		if c.wishes != nil {
			if err := s.fulfil(ctx, tx, b, c.key, c.version, c.wishes); err != nil {
				return err
			}
		}
		if err := s.put(tx, b, c.key, cur, c.version); err != nil {
			return err
		}
		if got != nil {
			if err := got.land(tx); err != nil {
				return err
			}
		}
		if expiration, err = s.expiration(tx, b, c.key, c.version); err != nil {
			return err
		}
		return s.notify(tx, b, b.event(c.event, c.key, c.version, request(ctx)))
	})
	if got != nil {
		s.settle(got, err)
	}
	return b, expiration, err
}

// PutObject makes an object of a request's body.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func (s *Service) PutObject(ctx context.Context, in *api.PutObjectRequest) (*api.PutObjectOutput, error) {
	return s.putObject(ctx, in, "ObjectCreated:Put")
}

// putObject makes an object of a request's body, which may have come in a form.
func (s *Service) putObject(ctx context.Context, in *api.PutObjectRequest, event string) (*api.PutObjectOutput, error) {
	v := &version{}
	c := &creation{bucket: *in.Bucket, key: *in.Key, owner: in.ExpectedBucketOwner, event: event, version: v,
		match: in.IfMatch, noneMatch: in.IfNoneMatch,
		wishes: &wishes{ACL: in.ACL, GrantFullControl: in.GrantFullControl, GrantRead: in.GrantRead, GrantReadACP: in.GrantReadACP,
			GrantWriteACP: in.GrantWriteACP, Tagging: in.Tagging, LockMode: in.ObjectLockMode, LegalHold: in.ObjectLockLegalHoldStatus,
			RetainUntil: in.ObjectLockRetainUntilDate, Encryption: in.ServerSideEncryption, KMSKey: in.SSEKMSKeyId,
			KMSContext: in.SSEKMSEncryptionContext, BucketKey: in.BucketKeyEnabled}}
	d := &description{in.ContentType, in.CacheControl, in.ContentDisposition, in.ContentEncoding, in.ContentLanguage,
		in.WebsiteRedirectLocation, in.Expires, in.Metadata}
	sums := checksumsIn{in.ChecksumCRC32, in.ChecksumCRC32C, in.ChecksumCRC64NVME, in.ChecksumSHA1, in.ChecksumSHA256}
	given, _, err := sums.chosen()
	if err == nil {
		err = checkKey(c.key)
	}
	if err == nil {
		err = d.describe(v)
	}
	if err == nil {
		v.Class, err = storageClass(in.StorageClass)
	}
	if err != nil {
		return nil, err
	}
	if in.WriteOffsetBytes != nil {
		return nil, unsupportedHeader("x-amz-write-offset-bytes")
	}
	k, err := customerOf(in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5)
	if err != nil {
		return nil, err
	}
	if awsapi.Val(in.ContentLength) > inlineMax {
		if err := s.expectBucket(ctx, c); err != nil {
			return nil, err
		}
	}
	nonce := k.newNonce()
	got, err := s.receive(ctx, reception{in.Body, in.ContentLength, defaultAlgorithm, k.stream(nonce, 0)})
	if err != nil {
		return nil, err
	}
	if err := v.take(got, in.ChecksumAlgorithm, given); err != nil {
		s.settle(got, err)
		return nil, err
	}
	if k != nil {
		v.Customer = customerKey{k.md5, nonce}
	}
	b, expiration, err := s.create(ctx, c, got)
	if err != nil {
		return nil, err
	}
	out := &api.PutObjectOutput{ETag: new(quoted(v.ETag)), VersionId: b.writtenID(v), ServerSideEncryption: v.encryption(),
		SSEKMSKeyId: v.kmsKey(), SSEKMSEncryptionContext: v.kmsContext(), BucketKeyEnabled: v.bucketKey(), Expiration: expiration,
		ChecksumCRC32: v.Checksum.crc32(), ChecksumCRC32C: v.Checksum.crc32c(), ChecksumCRC64NVME: v.Checksum.crc64nvme(),
		ChecksumSHA1: v.Checksum.sha1(), ChecksumSHA256: v.Checksum.sha256(), ChecksumType: v.Checksum.kind()}
	out.SSECustomerAlgorithm, out.SSECustomerKeyMD5 = k.answers()
	return out, nil
}

// expectBucket checks that an object can be made before its body is read.
func (s *Service) expectBucket(ctx context.Context, c *creation) error {
	return s.Store.View(ctx, func(r store.Reader) error {
		b, err := s.access(ctx, r, c.bucket, c.owner, "s3:PutObject", c.key)
		if err != nil || c.match == nil && c.noneMatch == nil {
			return err
		}
		cur, err := s.current(r, b, c.key)
		if err != nil {
			return err
		}
		return checkWrite(c.match, c.noneMatch, c.key, cur)
	})
}

// take sets in a version what a received body is. asked is the algorithm that the client says its checksum has, given the
// one of the checksum in a header.
func (v *version) take(got *received, asked *string, given string) error {
	v.Size, v.Body, v.ETag, v.Checksum = got.size, got.body, hex.EncodeToString(got.md5), got.sum
	sum, ok := got.givenSum()
	if ok {
		v.Checksum = sum
	}
	if asked == nil {
		return nil
	}
	if err := checkAlgorithm(*asked); err != nil {
		return err
	}
	if !ok {
		return invalidRequest.New("x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
	}
	if sum.Algorithm != *asked {
		return invalidRequest.New("Value for x-amz-sdk-checksum-algorithm header is invalid.")
	}
	return nil
}

// writtenID is the id of a version just made, as it is answered: only where versioning is on.
func (b *bucket) writtenID(v *version) *string {
	if !b.versioned() {
		return nil
	}
	return &v.ID
}
