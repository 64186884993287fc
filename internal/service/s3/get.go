package s3

import (
	"context"
	"errors"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/blob"
)

// sight is what both GetObject and HeadObject see of an object: the range that is asked for and what the reply's head
// says.
type sight struct {
	*opened
	at           byteRange
	contentRange *string
	partsCount   *int32
	sum          checksum
	customer     *customer
}

// GetObject reads an object.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func (s *Service) GetObject(ctx context.Context, in *api.GetObjectRequest) (*api.GetObjectOutput, error) {
	for try := 1; ; try++ {
		out, err := s.get(ctx, in)
		// A body that was removed between the look at its record and its opening has left another, or none.
		if !errors.Is(err, blob.ErrNotFound) || try == maxTries {
			return out, err
		}
	}
}

func (s *Service) get(ctx context.Context, in *api.GetObjectRequest) (*api.GetObjectOutput, error) {
	o, err := s.see(ctx, in, true)
	if err != nil {
		return nil, err
	}
	body, err := s.content(ctx, o.opened, o.customer, o.at)
	if err != nil {
		o.close()
		return nil, err
	}
	v := o.version
	out := &api.GetObjectOutput{Body: body, AcceptRanges: new("bytes"), ContentLength: &o.at.Length, ContentRange: o.contentRange,
		ETag: new(quoted(v.ETag)), LastModified: &v.Modified, VersionId: o.bucket.shownID(v), PartsCount: o.partsCount,
		ContentType: or(in.ResponseContentType, v.contentType()), CacheControl: or(in.ResponseCacheControl, v.header(cacheControl)),
		ContentDisposition: or(in.ResponseContentDisposition, v.header(contentDisposition)),
		ContentEncoding:    or(in.ResponseContentEncoding, v.header(contentEncoding)),
		ContentLanguage:    or(in.ResponseContentLanguage, v.header(contentLanguage)), Expires: or(in.ResponseExpires, v.expires()),
		WebsiteRedirectLocation: v.header(websiteRedirect), Metadata: v.metadata(), StorageClass: optional(v.Class),
		ServerSideEncryption: v.encryption(), SSEKMSKeyId: v.kmsKey(), BucketKeyEnabled: v.bucketKey(), Expiration: o.expiration, Restore: v.restored(s.Clock()),
		TagCount: v.tagCount(), ObjectLockMode: optional(v.LockMode), ObjectLockRetainUntilDate: v.retainUntil(),
		ObjectLockLegalHoldStatus: optional(v.LegalHold),
		ChecksumCRC32:             o.sum.crc32(), ChecksumCRC32C: o.sum.crc32c(), ChecksumCRC64NVME: o.sum.crc64nvme(),
		ChecksumSHA1: o.sum.sha1(), ChecksumSHA256: o.sum.sha256(), ChecksumType: o.sum.kind()}
	out.SSECustomerAlgorithm, out.SSECustomerKeyMD5 = o.customer.answers()
	return out, nil
}

// HeadObject tells of an object what GetObject does, but for its body.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
func (s *Service) HeadObject(ctx context.Context, in *api.HeadObjectRequest) (*api.HeadObjectOutput, error) {
	o, err := s.see(ctx, (*api.GetObjectRequest)(in), false)
	if err != nil {
		return nil, err
	}
	v := o.version
	out := &api.HeadObjectOutput{AcceptRanges: new("bytes"), ContentLength: &o.at.Length, ContentRange: o.contentRange,
		ETag: new(quoted(v.ETag)), LastModified: &v.Modified, VersionId: o.bucket.shownID(v), PartsCount: o.partsCount,
		ContentType: or(in.ResponseContentType, v.contentType()), CacheControl: or(in.ResponseCacheControl, v.header(cacheControl)),
		ContentDisposition: or(in.ResponseContentDisposition, v.header(contentDisposition)),
		ContentEncoding:    or(in.ResponseContentEncoding, v.header(contentEncoding)),
		ContentLanguage:    or(in.ResponseContentLanguage, v.header(contentLanguage)), Expires: or(in.ResponseExpires, v.expires()),
		WebsiteRedirectLocation: v.header(websiteRedirect), Metadata: v.metadata(), StorageClass: optional(v.Class),
		ServerSideEncryption: v.encryption(), SSEKMSKeyId: v.kmsKey(), BucketKeyEnabled: v.bucketKey(), Expiration: o.expiration, Restore: v.restored(s.Clock()),
		TagCount: v.tagCount(), ObjectLockMode: optional(v.LockMode), ObjectLockRetainUntilDate: v.retainUntil(),
		ObjectLockLegalHoldStatus: optional(v.LegalHold),
		ChecksumCRC32:             o.sum.crc32(), ChecksumCRC32C: o.sum.crc32c(), ChecksumCRC64NVME: o.sum.crc64nvme(),
		ChecksumSHA1: o.sum.sha1(), ChecksumSHA256: o.sum.sha256(), ChecksumType: o.sum.kind()}
	out.SSECustomerAlgorithm, out.SSECustomerKeyMD5 = o.customer.answers()
	return out, nil
}

// see opens an object as a request asks to see it.
func (s *Service) see(ctx context.Context, in *api.GetObjectRequest, body bool) (*sight, error) {
	if in.Range != nil && in.PartNumber != nil {
		return nil, invalidRequest.New("Cannot specify both Range header and partNumber query parameter")
	}
	if in.PartNumber != nil && (*in.PartNumber < 1 || *in.PartNumber > maxParts) {
		return nil, invalidArgument.New("Part number must be an integer between 1 and 10000, inclusive").
			With("ArgumentName", "partNumber").With("ArgumentValue", itoa(int(*in.PartNumber)))
	}
	k, err := customerOf(in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5)
	if err != nil {
		return nil, err
	}
	when := conditions{in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince}
	action := "s3:GetObject"
	if in.VersionId != nil {
		action = "s3:GetObjectVersion"
	}
	opened, err := s.open(ctx, selection{bucket: *in.Bucket, key: *in.Key, action: action, owner: in.ExpectedBucketOwner,
		versionID: in.VersionId, check: when.check, customer: k, body: body})
	if err != nil {
		return nil, err
	}
	o := &sight{opened: opened, customer: k}
	if err := o.frame(in); err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

// frame sets the range that is seen, and the checksum that goes with it.
func (o *sight) frame(in *api.GetObjectRequest) error {
	o.at = byteRange{0, o.Size}
	whole := true
	switch {
	case in.PartNumber != nil:
		at, p, err := o.partAt(int(*in.PartNumber))
		if err != nil {
			return err
		}
		o.at, o.sum = at, o.Checksum
		if p != nil {
			o.partsCount = new(int32(len(o.parts)))
			o.sum.Value = p.Sum
		}
		if o.Size > 0 {
			o.contentRange = at.contentRange(o.Size)
		}
	case in.Range != nil:
		at, ok, err := parseRange(*in.Range, o.Size)
		if err != nil {
			return err
		}
		if ok {
			o.at, o.contentRange = at, at.contentRange(o.Size)
			whole = at.Length == o.Size
		}
	}
	switch {
	case awsapi.Val(in.ChecksumMode) != api.ChecksumModeEnabled || !whole:
		o.sum = checksum{}
	case in.PartNumber == nil:
		o.sum = o.Checksum
	}
	return nil
}

// or is what a request overrides a header with, or the header.
func or[T any](override, value *T) *T {
	if override != nil {
		return override
	}
	return value
}

func (v *version) contentType() *string {
	if v.ContentType == "" {
		return new(defaultType)
	}
	return &v.ContentType
}

func (v *version) expires() *time.Time {
	text := v.header(expires)
	if text == nil {
		return nil
	}
	t, err := time.Parse(time.RFC1123, *text)
	if err != nil {
		return nil
	}
	return &t
}

func (v *version) tagCount() *int32 {
	if len(v.Tags) == 0 {
		return nil
	}
	return new(int32(len(v.Tags)))
}

func (v *version) retainUntil() *time.Time {
	if v.LockMode == "" {
		return nil
	}
	return &v.RetainUntil
}
