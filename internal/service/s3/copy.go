package s3

import (
	"context"
	"errors"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/blob"
)

// copying says what is to be copied.
type copying struct {
	source   copySource
	owner    *string // that the source's bucket is expected to have
	when     conditions
	customer *customer // with whose key the source is encrypted
}

// source opens what is to be copied.
func (s *Service) source(ctx context.Context, c *copying) (*opened, error) {
	action := "s3:GetObject"
	if c.source.VersionID != nil {
		action = "s3:GetObjectVersion"
	}
	o, err := s.open(ctx, selection{bucket: c.source.Bucket, key: c.source.Key, action: action, owner: c.owner, versionID: c.source.VersionID,
		check: c.when.checkSource, customer: c.customer, body: true})
	if errors.Is(err, methodNotAllowed) {
		return nil, invalidRequest.New("The source of a copy request may not specifically refer to a delete marker by version id.")
	}
	if errors.Is(err, restoreNotAllowed) {
		return nil, restoreNotAllowed.New("Operation is not valid for the source object's storage class")
	}
	return o, err
}

// copied receives a range of what is to be copied, of the whole where at is nil, as if it had been sent. A body that is removed
// before it is opened has left another version, or none: then it is looked for again.
func (s *Service) copied(ctx context.Context, c *copying, look func(o *opened) (byteRange, reception, error)) (*opened, *received, error) {
	for try := 1; ; try++ {
		o, err := s.source(ctx, c)
		if err != nil {
			return nil, nil, err
		}
		at, r, err := look(o)
		if err != nil {
			o.close()
			return nil, nil, err
		}
		body, err := s.content(ctx, o, c.customer, at)
		if err != nil {
			o.close()
		}
		if errors.Is(err, blob.ErrNotFound) && try < maxTries {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		defer body.Close()
		r.in, r.length = body, &at.Length
		got, err := s.receive(ctx, r)
		return o, got, err
	}
}

// CopyObject makes an object of another.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func (s *Service) CopyObject(ctx context.Context, in *api.CopyObjectRequest) (*api.CopyObjectOutput, error) {
	from, err := s.newCopying(*in.CopySource, in.ExpectedSourceBucketOwner,
		conditions{in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince},
		in.CopySourceSSECustomerAlgorithm, in.CopySourceSSECustomerKey, in.CopySourceSSECustomerKeyMD5)
	if err != nil {
		return nil, err
	}
	if err := checkCopy(in); err != nil {
		return nil, err
	}
	k, err := customerOf(in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5)
	if err != nil {
		return nil, err
	}
	v := &version{}
	c := &creation{bucket: *in.Bucket, key: *in.Key, owner: in.ExpectedBucketOwner, event: "ObjectCreated:Copy", version: v,
		match: in.IfMatch, noneMatch: in.IfNoneMatch,
		wishes: &wishes{ACL: in.ACL, GrantFullControl: in.GrantFullControl, GrantRead: in.GrantRead, GrantReadACP: in.GrantReadACP,
			GrantWriteACP: in.GrantWriteACP, LockMode: in.ObjectLockMode, LegalHold: in.ObjectLockLegalHoldStatus,
			RetainUntil: in.ObjectLockRetainUntilDate, Encryption: in.ServerSideEncryption, KMSKey: in.SSEKMSKeyId,
			KMSContext: in.SSEKMSEncryptionContext, BucketKey: in.BucketKeyEnabled}}
	if err := s.expectBucket(ctx, c); err != nil {
		return nil, err
	}
	nonce := k.newNonce()
	o, got, err := s.copied(ctx, from, func(o *opened) (byteRange, reception, error) {
		if err := describeCopy(in, from, o, v); err != nil {
			return byteRange{}, reception{}, err
		}
		algorithm := o.Checksum.Algorithm
		if in.ChecksumAlgorithm != nil {
			algorithm = *in.ChecksumAlgorithm
		}
		if algorithms[algorithm] == nil {
			algorithm = defaultAlgorithm
		}
		return byteRange{0, o.Size}, reception{algorithm: algorithm, seal: k.stream(nonce, 0)}, nil
	})
	if err != nil {
		return nil, err
	}
	if awsapi.Val(in.TaggingDirective) == api.TaggingDirectiveReplace {
		c.wishes.Tagging = new(awsapi.Val(in.Tagging))
	} else {
		v.Tags = o.Tags
	}
	if err := v.take(got, nil, ""); err != nil {
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
	out := &api.CopyObjectOutput{VersionId: b.writtenID(v), CopySourceVersionId: o.bucket.shownID(o.version), Expiration: expiration,
		ServerSideEncryption: v.encryption(), SSEKMSKeyId: v.kmsKey(), SSEKMSEncryptionContext: v.kmsContext(), BucketKeyEnabled: v.bucketKey(),
		CopyObjectResult: &api.CopyObjectResult{ETag: new(quoted(v.ETag)), LastModified: &v.Modified,
			ChecksumCRC32: v.Checksum.crc32(), ChecksumCRC32C: v.Checksum.crc32c(), ChecksumCRC64NVME: v.Checksum.crc64nvme(),
			ChecksumSHA1: v.Checksum.sha1(), ChecksumSHA256: v.Checksum.sha256(), ChecksumType: v.Checksum.kind()}}
	out.SSECustomerAlgorithm, out.SSECustomerKeyMD5 = k.answers()
	return out, nil
}

// newCopying reads what a request says of its source.
func (s *Service) newCopying(source string, owner *string, when conditions, algorithm, key, digest *string) (*copying, error) {
	from, err := parseCopySource(source)
	if err != nil {
		return nil, err
	}
	k, err := customerOf(algorithm, key, digest)
	return &copying{from, owner, when, k}, err
}

// checkCopy checks what needs no look at the source.
func checkCopy(in *api.CopyObjectRequest) error {
	if err := checkKey(*in.Key); err != nil {
		return err
	}
	for _, d := range []struct {
		name, message string
		value         *string
	}{{"x-amz-metadata-directive", "Unknown metadata directive.", in.MetadataDirective}, {"x-amz-tagging-directive", "Unknown tagging directive.", in.TaggingDirective}} {
		if d.value != nil && *d.value != api.MetadataDirectiveCopy && *d.value != api.MetadataDirectiveReplace {
			return invalidArgument.New("%s", d.message).With("ArgumentName", d.name).With("ArgumentValue", *d.value)
		}
	}
	if in.ChecksumAlgorithm != nil {
		return checkAlgorithm(*in.ChecksumAlgorithm)
	}
	return nil
}

// describeCopy sets what the copy is, apart from its body: the source's description, or the request's.
func describeCopy(in *api.CopyObjectRequest, from *copying, o *opened, v *version) error {
	if o.Size > maxPut {
		return invalidRequest.New("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(maxPut))
	}
	class, err := storageClass(in.StorageClass)
	if err != nil {
		return err
	}
	replace := awsapi.Val(in.MetadataDirective) == api.MetadataDirectiveReplace
	toItself := from.source.Bucket == *in.Bucket && from.source.Key == *in.Key && from.source.VersionID == nil
	if toItself && !replace && in.WebsiteRedirectLocation == nil && class == o.Class && in.ServerSideEncryption == nil && in.SSECustomerKey == nil &&
		from.customer == nil {
		return invalidRequest.New("This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	d := &description{in.ContentType, in.CacheControl, in.ContentDisposition, in.ContentEncoding, in.ContentLanguage, in.WebsiteRedirectLocation,
		in.Expires, in.Metadata}
	if !replace {
		d = &description{optional(o.ContentType), o.header(cacheControl), o.header(contentDisposition), o.header(contentEncoding),
			o.header(contentLanguage), in.WebsiteRedirectLocation, o.expires(), o.metadata()}
	}
	v.Class = class
	return d.describe(v)
}

// UploadPartCopy adds a part to an upload that is a range of an object.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
func (s *Service) UploadPartCopy(ctx context.Context, in *api.UploadPartCopyRequest) (*api.UploadPartCopyOutput, error) {
	from, err := s.newCopying(*in.CopySource, in.ExpectedSourceBucketOwner,
		conditions{in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince},
		in.CopySourceSSECustomerAlgorithm, in.CopySourceSSECustomerKey, in.CopySourceSSECustomerKeyMD5)
	if err != nil {
		return nil, err
	}
	k, err := customerOf(in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5)
	if err != nil {
		return nil, err
	}
	to := &destination{*in.Bucket, *in.Key, awsapi.Val(in.UploadId), in.ExpectedBucketOwner, in.PartNumber, k}
	u, err := s.beginPart(ctx, to)
	if err != nil {
		return nil, err
	}
	p := &part{Nonce: k.newNonce()}
	o, got, err := s.copied(ctx, from, func(o *opened) (byteRange, reception, error) {
		at := byteRange{0, o.Size}
		if in.CopySourceRange != nil {
			var err error
			if at, err = parseCopyRange(*in.CopySourceRange, o.Size); err != nil {
				return at, reception{}, err
			}
		}
		if at.Length > maxPut {
			return at, reception{}, invalidRequest.New("The specified copy source is larger than the maximum allowable size for a copy source: %d", int64(maxPut))
		}
		return at, reception{algorithm: u.algorithm(), seal: k.stream(p.Nonce, 0)}, nil
	})
	if err != nil {
		return nil, err
	}
	p.Sum = got.sum.Value
	if err := s.putPart(ctx, to, p, got); err != nil {
		return nil, err
	}
	told := checksum{}
	if u.Checksum.Algorithm != "" {
		told = got.sum
	}
	out := &api.UploadPartCopyOutput{CopySourceVersionId: o.bucket.shownID(o.version), ServerSideEncryption: u.encryption(), SSEKMSKeyId: u.kmsKey(),
		BucketKeyEnabled: u.bucketKey(), CopyPartResult: &api.CopyPartResult{ETag: new(quoted(p.ETag)), LastModified: &p.Modified,
			ChecksumCRC32: told.crc32(), ChecksumCRC32C: told.crc32c(), ChecksumCRC64NVME: told.crc64nvme(), ChecksumSHA1: told.sha1(), ChecksumSHA256: told.sha256()}}
	out.SSECustomerAlgorithm, out.SSECustomerKeyMD5 = k.answers()
	return out, nil
}
