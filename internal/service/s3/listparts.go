package s3

import (
	"context"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// ListParts lists the parts of an upload.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html
func (s *Service) ListParts(ctx context.Context, in *api.ListPartsRequest) (*api.ListPartsOutput, error) {
	p, err := newPage(nil, nil, nil, in.MaxParts, "max-parts")
	if err != nil {
		return nil, err
	}
	after := awsapi.Val(in.PartNumberMarker)
	if after < 0 {
		return nil, invalidArgument.New("Argument part-number-marker must be an integer between 0 and 2147483647").
			With("ArgumentName", "part-number-marker").With("ArgumentValue", itoa(int(after)))
	}
	out := &api.ListPartsOutput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, MaxParts: new(int32(p.max)), IsTruncated: new(false),
		PartNumberMarker: &after, NextPartNumberMarker: new(int32(0))}
	err = s.Store.View(ctx, func(r store.Reader) error {
		b, err := s.access(ctx, r, *in.Bucket, in.ExpectedBucketOwner, "s3:ListMultipartUploadParts", *in.Key)
		if err != nil {
			return err
		}
		u, err := s.uploadOf(r, b, *in.Key, awsapi.Val(in.UploadId))
		if err != nil {
			return err
		}
		out.Owner, out.StorageClass = ownerOf(b.Account), u.class()
		out.Initiator = initiator(u.Initiator)
		out.ChecksumAlgorithm, out.ChecksumType = optional(u.Checksum.Algorithm), optional(u.Checksum.Type)
		return partsUploaded(r, *in.UploadId, int(after)+1, func(one part) bool {
			if len(out.Parts) == p.max {
				out.IsTruncated = new(true)
				return false
			}
			sum := checksum{Algorithm: u.Checksum.Algorithm, Value: one.Sum}
			out.Parts = append(out.Parts, api.Part{PartNumber: new(int32(one.Number)), Size: &one.Size, ETag: new(quoted(one.ETag)), LastModified: &one.Modified,
				ChecksumCRC32: sum.crc32(), ChecksumCRC32C: sum.crc32c(), ChecksumCRC64NVME: sum.crc64nvme(), ChecksumSHA1: sum.sha1(), ChecksumSHA256: sum.sha256()})
			out.NextPartNumberMarker = new(int32(one.Number))
			return true
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// initiator is an account as one that began an upload.
func initiator(account string) *api.Initiator { return &api.Initiator{ID: new(canonicalID(account))} }

// ListMultipartUploads lists a bucket's uploads.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
func (s *Service) ListMultipartUploads(ctx context.Context, in *api.ListMultipartUploadsRequest) (*api.ListMultipartUploadsOutput, error) {
	p, err := newPage(in.Prefix, in.Delimiter, in.EncodingType, in.MaxUploads, "max-uploads")
	if err != nil {
		return nil, err
	}
	p.after = awsapi.Val(in.KeyMarker)
	out := &api.ListMultipartUploadsOutput{Bucket: in.Bucket, KeyMarker: p.tell(p.after), UploadIdMarker: new(awsapi.Val(in.UploadIdMarker)),
		Prefix: p.tell(p.prefix), Delimiter: p.tellSome(p.delimiter), EncodingType: p.encodingType(), MaxUploads: new(int32(p.max)), IsTruncated: new(false)}
	err = s.Store.View(ctx, func(r store.Reader) error {
		b, err := s.access(ctx, r, *in.Bucket, in.ExpectedBucketOwner, "s3:ListBucketMultipartUploads", "")
		if err != nil {
			return err
		}
		return s.uploadsPage(r, b, &p, awsapi.Val(in.UploadIdMarker), out)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// uploadsPage lists a page of uploads: in the order of their keys, and of one key in that of their beginning, which their ids
// tell.
func (s *Service) uploadsPage(r store.Reader, b *bucket, p *page, afterID string, out *api.ListMultipartUploadsOutput) error {
	c := newCursor(r, "upload", b.ID, p.prefix)
	defer c.close()
	from := p.start(c)
	if p.after != "" && !p.isGroup(p.after) {
		if afterID != "" {
			from = append(uploadKey(b.ID, p.after, afterID), 0)
		} else {
			from[len(from)-1] = 0xff // behind all uploads to the key
		}
	}
	if err := c.seek(from); err != nil || p.max == 0 {
		return err
	}
	for c.open {
		if len(out.Uploads)+len(out.CommonPrefixes) == p.max {
			out.IsTruncated = new(true)
			return nil
		}
		if g := p.group(c.key); g != "" {
			out.CommonPrefixes = append(out.CommonPrefixes, api.CommonPrefix{Prefix: p.tell(g)})
			out.NextKeyMarker, out.NextUploadIdMarker = p.tell(g), nil
			if err := c.skip(g); err != nil {
				return err
			}
			continue
		}
		names, err := store.Split(c.kv.Key)
		if err != nil || len(names) != 5 {
			return errRecord
		}
		u, err := decodeUpload(c.kv.Value)
		if err != nil {
			return err
		}
		id := names[4].(string)
		out.Uploads = append(out.Uploads, api.MultipartUpload{Key: p.tell(c.key), UploadId: &id, Initiated: &u.Initiated, StorageClass: u.class(),
			Owner: ownerOf(b.Account), Initiator: initiator(u.Initiator),
			ChecksumAlgorithm: optional(u.Checksum.Algorithm), ChecksumType: optional(u.Checksum.Type)})
		out.NextKeyMarker, out.NextUploadIdMarker = p.tell(c.key), &id
		if err := c.step(); err != nil {
			return err
		}
	}
	return nil
}
